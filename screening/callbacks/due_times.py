"""Opening hours and due times for the patient's pages, with fallbacks while the database is unavailable."""

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
    """The clinic's calendar. Not ``certain``: the closed days that staff entered could not be read."""

    calendar: Calendar
    certain: bool


def read_opening(clinic: Clinic) -> Opening:
    """Return the current calendar; without the database, that of the clinic file, marked as not certain."""
    try:
        return Opening(clinic_calendar.current_calendar(clinic), certain=True)
    except SQLAlchemyError as error:
        roll_back(error)
        return Opening(clinic_calendar.regular_calendar(clinic), certain=False)


def is_closed(calendar: Calendar, now: float) -> bool:
    """Return whether the clinic is closed at this moment."""
    return not is_open(calendar, datetime.fromtimestamp(now, UTC))


def due_at_of(reference: str) -> int | None:
    """Return when the request of a reference is due; None if there is none, or it cannot be looked up."""
    if not reference:
        return None
    try:
        return patient_service.get_receipt(reference).due_at
    except (GoneError, SQLAlchemyError):
        return None
