"""Urgent help answers the form itself, decided from the raw field before token, limits, draft or database."""

import logging

from flask import Flask, Response, current_app, make_response, render_template, request
from flask_wtf.csrf import validate_csrf
from werkzeug.exceptions import HTTPException
from wtforms import ValidationError

from screening import current
from screening.draft import current_answers, current_draft
from screening.questionnaires.branching import apply_answer
from screening.questionnaires.model import Questionnaire
from screening.web.errors import origin_of

log = logging.getLogger(__name__)

ACKNOWLEDGED = "after_help"
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
            return make_response(render_template("screener/help.html", answer=answer, seen=ACKNOWLEDGED, crises=crises))
        except Exception as error:  # help is shown, whatever is broken
            log.error("the help page failed: %s", origin_of(error))
            return make_response(last_resort)


def question_path(questionnaire: Questionnaire) -> str:
    """Where the answer is sent to that urgent help hangs on."""
    return f"/check/{questionnaire.help.question}"


def _urgent_answer() -> str | None:
    if request.method != "POST":
        return None
    rule = current.questionnaire().help
    if request.path != question_path(current.questionnaire()):
        return None
    try:
        if ACKNOWLEDGED in request.form:
            return None
        given = {code.strip() for code in request.form.getlist(rule.question)}
    except HTTPException:  # too large, malformed: answered by the error page, which carries help too
        return None
    return next(iter(given & rule.urgent), None)


def _keep(answer: str) -> None:
    """Put the answer in the draft when the form is truly ours; help does not hang on it."""
    questionnaire = current.questionnaire()
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        return
    question = questionnaire.by_id[questionnaire.help.question]
    current_draft().answers = apply_answer(questionnaire, current_answers(), question, answer)
