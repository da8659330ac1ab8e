"""Times of day as the United States write them: ``5:00 PM``, in Spanish ``5:00 p. m.``, without a line break inside."""

from datetime import datetime, time
from typing import Literal

from babel import Locale
from babel.dates import format_time
from flask_babel import get_locale


def format_clock(moment: datetime | time, length: Literal["short", "medium"] = "short") -> str:
    """Return a time of day, ``medium`` with seconds: the pattern of the region with the day periods of the language.

    CLDR gives ``p. m.`` for Spanish, with a space as the Real Academia asks, and ``p.m.`` for Spanish in the US.
    """
    regional = get_locale()
    pattern = regional.time_formats[length].pattern
    return format_time(moment, pattern, locale=Locale(regional.language))


def with_period(text: str) -> str:
    """Return a text with a period at its end: its own, as in ``p. m.``, or one more."""
    return text if text.endswith(".") else f"{text}."
