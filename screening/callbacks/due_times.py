"""By when a request is answered, as far as that can be said while the database is away."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from screening.callbacks import clinic_calendar, patient_service
from screening.callbacks.business_hours import Calendar, is_open
from screening.callbacks.patient_blueprint import roll_back
from screening.callbacks.patient_service import GoneError
from screening.clinic import Clinic


@dataclass(frozen=True)
class Opening:
    """The clinic's calendar; not ``certain`` while the closed days the team entered can't be read."""

    calendar: Calendar
    certain: bool


def read_opening(clinic: Clinic) -> Opening:
    """Return the calendar as it now stands."""
    try:
        return Opening(clinic_calendar.current_calendar(clinic), certain=True)
    except SQLAlchemyError as error:
        roll_back(error)
        return Opening(clinic_calendar.regular_calendar(clinic), certain=False)


def is_closed(calendar: Calendar, now: float) -> bool:
    """Return whether the clinic is closed at this moment."""
    return not is_open(calendar, datetime.fromtimestamp(now, UTC))


def due_at_of(made: str) -> int | None:
    """By when an earlier request is answered; None when there is none, or it can't be looked up."""
    if not made:
        return None
    try:
        return patient_service.find_by_id(made).due_at
    except (GoneError, SQLAlchemyError):
        return None
