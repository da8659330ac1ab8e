"""Formats durations in the language of the page, for pages that state how long data is stored."""

from babel.units import format_unit
from flask_babel import get_locale

MINUTE_SECONDS, HOUR_SECONDS, DAY_SECONDS, YEAR_SECONDS = 60, 60 * 60, 24 * 60 * 60, 365 * 24 * 60 * 60

UNITS = (
    (YEAR_SECONDS, YEAR_SECONDS, "year"),
    (2 * DAY_SECONDS, DAY_SECONDS, "day"),
    (HOUR_SECONDS, HOUR_SECONDS, "hour"),
)
"""For each unit: the least number of seconds for which it is used, its length in seconds, and its CLDR name."""


def format_duration(seconds: int) -> str:
    """Return a duration in the largest unit that is exact: ``30 days``, ``24 hours``, ``2 years``."""
    for least, length, name in UNITS:
        if seconds >= least and seconds % length == 0:
            return format_unit(seconds // length, f"duration-{name}", "long", locale=get_locale())
    return format_unit(seconds // MINUTE_SECONDS, "duration-minute", "long", locale=get_locale())


def format_wait(seconds: int) -> str:
    """Return a time to wait: seconds below a minute, else minutes, rounded up: ``5 seconds``, ``3 minutes``."""
    count, name = (seconds, "second") if seconds < MINUTE_SECONDS else (-(-seconds // MINUTE_SECONDS), "minute")
    return format_unit(count, f"duration-{name}", "long", locale=get_locale())
