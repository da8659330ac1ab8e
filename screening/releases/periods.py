"""Closed months, which can be released. Dates are in the clinic's time zone."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from screening.releases.models import Release

CLOSED_AFTER = timedelta(hours=24)
"""Time from a month's end until it is closed, when responses of its last day have usually been shuffled."""


def last_closed_period(now: float, zone: ZoneInfo) -> str:
    """Return the last closed month (``2026-11``)."""
    then = datetime.fromtimestamp(now, zone) - CLOSED_AFTER
    return f"{then.replace(day=1) - timedelta(days=1):%Y-%m}"


def next_possible_day(now: float, zone: ZoneInfo) -> date:
    """Return the day on which the next month is closed."""
    then = datetime.fromtimestamp(now, zone) - CLOSED_AFTER
    return ((then.replace(day=1) + timedelta(days=32)).replace(day=1) + CLOSED_AFTER).date()


def release_day(made: Release, zone: ZoneInfo) -> date:
    """Return the day a release was made; for staff, never exported."""
    return datetime.fromtimestamp(made.made_at, zone).date()
