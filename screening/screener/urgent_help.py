"""Urgent help: a POST with an urgent answer is answered with the help page, before token, limits, draft or database."""

import logging

from flask import Flask, Response, current_app, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from screening import current
from screening.i18n.locale import language_switched
from screening.questionnaires.model import Questionnaire
from screening.screener.consent import accept_answer
from screening.walk import Walk, current_walk
from screening.web import form_token, origin
from screening.web.errors import origin_of
from screening.web.page_frame import frame_of

log = logging.getLogger(__name__)

ACKNOWLEDGED = "after_help"
"""Form field of the help page, which sends the answer again: Continue stores it as any other, a language button
shows help in that language."""

CACHE_CONTROL = "private, no-cache"
"""The browser may store the page, for its Back button: it could not fetch the response to a POST again."""


def init_app(app: Flask, last_resort: str) -> None:
    """Check every POST for an urgent answer. Call it before any extension that adds checks of its own.

    ``last_resort``: a static page for when the help page cannot be rendered.
    """

    @app.before_request
    def help_first() -> Response | None:
        answer = _urgent_answer()
        if answer is None:
            return None
        try:
            walk = current_walk()
            page = _help_page(_stored(walk, answer), answer)
            if not origin.is_own():  # its cookie did not come along, and must not be replaced
                walk.draft.modified = False
        except Exception as error:  # help is shown whatever fails
            log.error("the help page failed: %s", origin_of(error))
            page = last_resort
        response = make_response(page)
        response.headers["Cache-Control"] = CACHE_CONTROL
        return response


def question_path(questionnaire: Questionnaire) -> str:
    """Return the path of the question whose answers can call for urgent help."""
    return f"/check/{questionnaire.help.question}"


def _urgent_answer() -> str | None:
    if request.method != "POST":
        return None
    rule = current.questionnaire().help
    if request.path != question_path(current.questionnaire()):
        return None
    try:
        if ACKNOWLEDGED in request.form and not language_switched():
            return None
        given = {code.strip() for code in request.form.getlist(rule.question)}
    except HTTPException:  # too large, malformed: answered by the error page, which shows help, too
        return None
    return next(iter(given & rule.urgent), None)


def _stored(walk: Walk, answer: str) -> Walk:
    """Return the walk with the answer stored if the form carried the draft's token; help does not depend on it."""
    if not form_token.is_valid(walk.draft):
        return walk
    return accept_answer(walk, walk.questionnaire.by_id[walk.questionnaire.help.question], answer)


def _help_page(walk: Walk, answer: str) -> str:
    return render_template(
        "screener/help.html",
        site=frame_of(walk),
        question_id=walk.questionnaire.help.question,
        answer=answer,
        seen=ACKNOWLEDGED,
        crises=current_app.extensions["crisis"],
        changing=request.args.get("from") == "review",
    )
