"""The time that was agreed with a patient, of a visit or of the next call, and its calendar file."""

import hashlib
from dataclasses import dataclass

from flask_babel import gettext
from werkzeug.wrappers import Response

from screening.callbacks import attempts, calendar_file
from screening.callbacks.models import CallbackRequest
from screening.callbacks.workflow import EFFECTS, Outcome, State

CALL_MINUTES, VISIT_MINUTES = 30, 60
"""Length of an appointment in the calendar."""


@dataclass(frozen=True)
class Appointment:
    """An agreed time, in seconds since 1970, UTC. ``visit``: a visit at the clinic, else a phone call."""

    starts: int
    visit: bool


def agreed(request: CallbackRequest) -> Appointment | None:
    """Return what the last outcome of a request agreed on; None without one, or if it no longer holds.

    Raises SQLAlchemyError.
    """
    last = attempts.last(request)
    if last is None or last.next_at is None:
        return None
    outcome = Outcome(last.outcome)
    effect = EFFECTS[outcome]
    holds = effect.agreed and State(request.state) is effect.state
    return Appointment(last.next_at, outcome is Outcome.BOOKED) if holds else None


def file_response(request: CallbackRequest, appointment: Appointment, now: float) -> Response:
    """Return the calendar file. Its title is neutral: calendars are shared, and shown on locked screens."""
    uid = hashlib.sha256(b"appointment\0" + request.id.encode()).hexdigest()[:32]
    title = gettext("Appointment") if appointment.visit else gettext("Phone call")
    minutes = VISIT_MINUTES if appointment.visit else CALL_MINUTES
    content = calendar_file.calendar_file(uid, title, appointment.starts, minutes, request.version, now)
    headers = {"Content-Disposition": 'attachment; filename="appointment.ics"'}
    return Response(content, mimetype=calendar_file.MEDIA_TYPE, headers=headers)
