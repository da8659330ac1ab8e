"""Times, days and wishes in the words of the page's language, always in the clinic's own time."""

from __future__ import annotations

from datetime import UTC, datetime

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from flask import Flask, current_app
from flask_babel import get_locale, gettext

from screening.callback.details import Details
from screening.callback.forms import PARTS, day_names
from screening.callback.promise import Part
from screening.callback.retention import KEY_LIVES
from screening.web.spans import DAY, span


def init_app(app: Flask) -> None:
    """Give the templates of an application these filters."""
    for word in (clocktime, weekday, dayandtime, language_name, good_time):
        app.add_template_filter(word)
    app.add_template_global(closed_kept)
    app.add_template_global(backups_open)


def closed_kept() -> str:
    """How long a closed request is kept: ``30 days``."""
    days: int = current_app.config["SETTINGS"]["KEEP_CLOSED_DAYS"]
    return span(days * DAY)


def backups_open() -> str:
    """For how long at most an old copy of the database still tells what was erased since: ``7 days``."""
    return span(KEY_LIVES)


def clinic_time(moment: datetime | float) -> datetime:
    """A moment (aware, or seconds since 1970) on the clinic's clock."""
    moment = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return moment.astimezone(current_app.extensions["clinic"].time_zone)


def clocktime(moment: datetime | float) -> str:
    """The time of day."""
    return format_time(clinic_time(moment), "short", locale=get_locale())


def weekday(moment: datetime | float) -> str:
    """The day with its name, without the year."""
    return format_date(clinic_time(moment), gettext("EEEE, MMMM d"), locale=get_locale())


def dayandtime(moment: datetime | float) -> str:
    """The day, short, and the time."""
    local = clinic_time(moment)
    day = format_skeleton("MMMEd", local, locale=get_locale())
    if local.year != clinic_time(current_app.extensions["clock"]()).year:
        day = format_date(local, "medium", locale=get_locale())
    return f"{day}, {format_time(local, 'short', locale=get_locale())}"


def language_name(code: str) -> str:
    """The name of a language, in the page's language."""
    return (Locale.parse(code).get_display_name(get_locale()) or code).capitalize()


def good_time(details: Details) -> str:
    """The days and parts of the day that were chosen."""
    days = ", ".join(day_names()[day] for day in details.days) or gettext("Any day")
    parts = ", ".join(str(PARTS[Part(part)]) for part in details.parts) or gettext("any time")
    return f"{days}; {parts}"
