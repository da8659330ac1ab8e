"""The blueprint of the walk, and what its modules share."""

from typing import Any

from flask import Blueprint, url_for
from flask_babel import lazy_gettext

from screening.questionnaires.model import Question
from screening.walk import Walk

screener = Blueprint("screener", __name__)

NOTICES = {
    "order": lazy_gettext("This question comes first. Then you can go on."),
    "not-asked": lazy_gettext("That page does not go with your answers, so we brought you here."),
    "lost": lazy_gettext(
        "We don’t have your earlier answers anymore. They are cleared after a while to keep them private."
    ),
    "more-time": lazy_gettext("You now have 24 hours. Your answers stay in this browser until then."),
    "30-minutes": lazy_gettext("You now have 30 more minutes."),
    "cleared": lazy_gettext("Your answers are cleared from this browser."),
    "again": lazy_gettext("Please press the button once more."),
}
"""Notices at the top of a page. A URL holds only the name."""


def consent_question(walk: Walk) -> Question:
    """Return the question whether an anonymous response may be stored, which the review asks."""
    return walk.questionnaire.by_id[walk.questionnaire.roles.consent]


def reason(walk: Walk, why: str) -> str:
    """Return the name of the notice for a redirected visitor: ``why``, or "lost" where the draft was lost."""
    return "lost" if walk.draft.lost else why


def address(walk: Walk, asked: Question, notice: str | None = None, changing: bool = False) -> str:
    """Return the URL of a question's page. ``changing``: the visitor came from the review, and returns to it."""
    if asked.id == consent_question(walk).id:
        return url_for("screener.review", notice=notice)
    query: dict[str, Any] = {"notice": notice, "from": "review" if changing else None}
    return url_for("screener.question", question_id=asked.id, **query)


def go_on_address(walk: Walk) -> str:
    """Return the URL of the first open question; of the summary when all are answered."""
    return address(walk, walk.open_question) if walk.open_question else url_for("screener.summary")
