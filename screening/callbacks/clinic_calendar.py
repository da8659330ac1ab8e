"""The clinic's calendar: hours and holidays of the clinic file, and the closed days that staff entered."""

from datetime import date, timedelta

from sqlalchemy import select

from screening.callbacks.business_hours import Calendar
from screening.callbacks.models import ClosedDay
from screening.clinic import Clinic
from screening.extensions import db

HOLIDAYS_SHOWN = timedelta(days=366)
"""How far ahead the holidays of the clinic file are listed."""


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
    """Return date and name of the holidays of the next year, from today on."""
    return [(day, name) for day, name in clinic.holidays if today <= day <= today + HOLIDAYS_SHOWN]
