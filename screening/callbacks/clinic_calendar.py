"""The clinic's calendar: hours and holidays of the clinic file, and the closed days that staff entered."""

from datetime import date, timedelta

from flask_babel import gettext, lazy_gettext
from sqlalchemy import select

from screening.callbacks.business_hours import Calendar
from screening.callbacks.models import ClosedDay
from screening.clinic import Clinic
from screening.extensions import db

HOLIDAYS_SHOWN = timedelta(days=366)
"""How far ahead the holidays of the clinic file are listed."""

OBSERVED = " (observed)"
"""What the package ``holidays`` appends to the name of a holiday that is moved from a weekend."""

HOLIDAY_NAMES = {
    "New Year's Day": lazy_gettext("New Year’s Day"),
    "Martin Luther King Jr. Day": lazy_gettext("Martin Luther King Jr. Day"),
    "Washington's Birthday": lazy_gettext("Washington’s Birthday"),
    "Memorial Day": lazy_gettext("Memorial Day"),
    "Juneteenth National Independence Day": lazy_gettext("Juneteenth National Independence Day"),
    "Independence Day": lazy_gettext("Independence Day"),
    "Labor Day": lazy_gettext("Labor Day"),
    "Columbus Day": lazy_gettext("Columbus Day"),
    "Veterans Day": lazy_gettext("Veterans Day"),
    "Thanksgiving Day": lazy_gettext("Thanksgiving Day"),
    "Christmas Day": lazy_gettext("Christmas Day"),
}
"""The holidays of the United States. The package has their names in English only."""


def current_calendar(clinic: Clinic) -> Calendar:
    """Return the calendar with the closed days of the database. Raises SQLAlchemyError."""
    closed = db.session.scalars(select(ClosedDay.day))
    return regular_calendar(clinic, frozenset(date.fromisoformat(day) for day in closed))


def regular_calendar(clinic: Clinic, closed: frozenset[date] = frozenset()) -> Calendar:
    """Return the calendar of the clinic file, with further closed days."""
    week = tuple((hours.opens, hours.closes) if hours else None for hours in clinic.hours)
    breaks = tuple(hours.pause if hours else None for hours in clinic.hours)
    return Calendar(week, clinic.holiday_dates | closed, clinic.time_zone, breaks)


def upcoming_holidays(clinic: Clinic, today: date) -> list[tuple[date, str]]:
    """Return date and name of the holidays of the next year, from today on, in the page's language if known."""
    return [(day, holiday_name(name)) for day, name in clinic.holidays if today <= day <= today + HOLIDAYS_SHOWN]


def holiday_name(name: str) -> str:
    """Return the name of a holiday in the page's language; as it is if it is not of ``HOLIDAY_NAMES``."""
    known = HOLIDAY_NAMES.get(name.removesuffix(OBSERVED).replace("’", "'"))
    if known is None:
        return name
    return gettext("%(holiday)s (observed)", holiday=known) if name.endswith(OBSERVED) else str(known)
