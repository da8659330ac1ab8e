"""The blueprint of the staff call-back pages, and what its modules share."""

from datetime import UTC, datetime

from flask import Blueprint

from screening import current
from screening.callbacks.business_hours import Calendar, business_days_overdue
from screening.callbacks.models import CallbackRequest

staff_callbacks = Blueprint("staff_callbacks", __name__, url_prefix="/callbacks")

UNAVAILABLE = 503


def days_overdue(found: CallbackRequest, calendar: Calendar) -> int | None:
    """Return by how many business days a request is overdue; None while it is not."""
    if found.state_group != "waiting" or found.due_at >= current.now():
        return None
    due, now = (datetime.fromtimestamp(moment, UTC) for moment in (found.due_at, current.now()))
    return business_days_overdue(calendar, due, now)


def due_today(found: CallbackRequest) -> bool:
    """Return whether a waiting request is due today at the clinic."""
    zone = current.clinic().time_zone
    due, now = (datetime.fromtimestamp(moment, zone).date() for moment in (found.due_at, current.now()))
    return found.state_group == "waiting" and due == now
