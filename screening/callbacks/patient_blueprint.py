"""The blueprint of the patient's call-back pages, and what its modules share."""

import logging

from flask import Blueprint
from flask_babel import lazy_gettext

from screening.clinic import Clinic
from screening.draft import Draft
from screening.durations import format_wait
from screening.extensions import db

log = logging.getLogger(__name__)

patient_callbacks = Blueprint("patient_callbacks", __name__, url_prefix="/consultation")

BAD_REQUEST, TOO_LARGE, UNPROCESSABLE, TOO_MANY, UNAVAILABLE = 400, 413, 422, 429, 503

FORM, REVIEW = "patient_callbacks.consultation", "patient_callbacks.review"
SENT, STATUS = "patient_callbacks.sent", "patient_callbacks.status"
"""Endpoints of the pages that the forms redirect to."""

NOTICES = {
    "again": lazy_gettext("Please press the button once more."),
    "stale": lazy_gettext("This page was open for a long time. What you typed is still here: press the button again."),
    "withdrawn": lazy_gettext(
        "Your request is canceled. We erased what you sent and what we noted. We will not call you about it."
    ),
    "away": lazy_gettext(
        "Your request may not have reached us. What you typed is still here. Send it again, it counts only once. "
        "Or call us."
    ),
    "no-summary": lazy_gettext(
        "Your answers were cleared in the meantime, so there is no summary to share. You can still send your request."
    ),
    "response-away": lazy_gettext(
        "We could not take back your anonymous copy just now, so nothing was sent. Press the button again, or call us."
    ),
    "gone": lazy_gettext("You canceled this request before, so it was not sent. To ask again, send it once more."),
    "known": lazy_gettext(
        "We have this request already, so it was not sent again. To check on it, give its reference, or call us."
    ),
    "change-lost": lazy_gettext(
        "This page was open for a long time, so we no longer know which request it changes. What you typed is still "
        "here. Send it as a new request, or look up the old one by its reference first."
    ),
    "closed": lazy_gettext("That request can’t be changed anymore. To ask again, send this one."),
    "status-away": lazy_gettext("We can’t look up requests just now. Try again in a few minutes, or call us."),
    "cleared": lazy_gettext(
        "Your request was not sent yet. What you typed was cleared to keep it private. Please fill in the form again."
    ),
    "find": lazy_gettext("Please give your reference to check on your request."),
    "no-cookies": lazy_gettext(
        "Cookies are off in this browser, or they were cleared. What you typed is still here: go on from this page. "
        "Or call us at %(number)s."
    ),
    "cookies-needed": lazy_gettext(
        "Cookies are off in this browser, or they were cleared. Try again, or call us at %(number)s."
    ),
}

WAIT_NOTICES = {
    "many": lazy_gettext("Many requests came from your network. What you typed is still here. Try again in %(wait)s."),
    "forms": lazy_gettext("Many forms came from your network. What you typed is still here. Try again in %(wait)s."),
}
"""Notices of rate limits, which no URL can name."""


def forget_request(draft: Draft) -> None:
    """Delete the request's reference from the draft, and the form in hand, which may name it; the request stays."""
    draft.pop("request", None)
    draft.end_form()


def roll_back(error: Exception) -> None:
    """Roll the database session back and log the type of the error."""
    db.session.rollback()
    log.error("call-back requests cannot be stored or read: %s", type(error).__name__)


def notice_text(name: str | None, clinic: Clinic, wait: int = 0) -> str | None:
    """Return the text of the notice with this name, if there is one. ``wait``: seconds, of a rate limit."""
    if wait and name in WAIT_NOTICES:
        return str(WAIT_NOTICES[name] % {"wait": format_wait(wait)})
    return str(NOTICES[name] % {"number": clinic.phone_spoken}) if name in NOTICES else None
