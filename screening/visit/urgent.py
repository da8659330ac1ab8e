"""The answer that must not wait: hopelessness nearly every day is met with help at once.

Decided from the raw field of the form, before anything that could fail or refuse: form tokens,
limits, draft and database come after. The help page is the answer to the form itself, so no
address, log or history entry tells that it was shown.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import HTTPException
from wtforms import ValidationError

from screening.questionnaire.model import Questionnaire
from screening.questionnaire.path import answered
from screening.web import drafts, site
from screening.web.errors import where

log = logging.getLogger(__name__)

SEEN = "after_help"
"""The field by which the help page's Continue sends the answer again, to be taken like any other."""


def init_app(app: Flask, last_resort: str) -> None:
    """Put help first. To be called before any other extension adds its own checks.

    ``last_resort`` is the ready page that is sent when the help page itself cannot be made.
    """

    @app.before_request
    def help_first() -> Response | None:
        answer = _urgent_answer()
        if answer is None:
            return None
        crises = current_app.extensions["crisis"]
        try:
            _keep(answer)
            return make_response(render_template("visit/help.html", answer=answer, seen=SEEN, crises=crises))
        except Exception as error:  # help is shown, whatever is broken
            log.error("the help page failed: %s", where(error))
            return make_response(last_resort)


def address(questionnaire: Questionnaire) -> str:
    """Where the answer is sent to that urgent help hangs on."""
    return f"/check/{questionnaire.help.question}"


def _urgent_answer() -> str | None:
    if request.method != "POST":
        return None
    rule = site.questionnaire().help
    if request.path != address(site.questionnaire()):
        return None
    try:
        if SEEN in request.form:
            return None
        given = {code.strip() for code in request.form.getlist(rule.question)}
    except HTTPException:  # too large, malformed: answered by the error page, which carries help too
        return None
    return next(iter(given & rule.urgent), None)


def _keep(answer: str) -> None:
    """Put the answer in the draft when the form is truly ours; help does not hang on it."""
    questionnaire = site.questionnaire()
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return
    question = questionnaire.by_id[questionnaire.help.question]
    drafts.current().answers = answered(questionnaire, drafts.answers(), question, answer)
