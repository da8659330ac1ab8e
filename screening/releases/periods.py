"""When a month is closed, and a release of it possible. Dates are the clinic's."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from screening.releases.models import Release

CLOSED_AFTER = timedelta(hours=24)
"""How long after its end a month is closed: copies of its last day have been mixed by then."""


def last_closed_period(now: float, zone: ZoneInfo) -> str:
    """The last month (``2026-11``) that has been over for a day at the clinic."""
    then = datetime.fromtimestamp(now, zone) - CLOSED_AFTER
    return f"{then.replace(day=1) - timedelta(days=1):%Y-%m}"


def next_possible_day(now: float, zone: ZoneInfo) -> date:
    """The day on which the next month is sealed."""
    then = datetime.fromtimestamp(now, zone) - CLOSED_AFTER
    return ((then.replace(day=1) + timedelta(days=32)).replace(day=1) + CLOSED_AFTER).date()


def release_day(made: Release, zone: ZoneInfo) -> date:
    """The day a release was made, at the clinic; for staff, never exported."""
    return datetime.fromtimestamp(made.made_at, zone).date()
