"""Template filters for times, days and preferred times, in the page's language and the clinic's time zone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from flask import Flask
from flask_babel import get_locale, gettext, lazy_gettext, ngettext

from screening.callbacks.business_hours import PartOfDay
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.forms import day_names
from screening.callbacks.retention import KEY_LIVES
from screening.callbacks.workflow import Progress, State
from screening.clinic import Clinic
from screening.durations import DAY_SECONDS, format_duration
from screening.i18n.clock import format_clock

STATE_LABELS: dict[State, tuple[str, Callable[[int], str]]] = {
    State.NEW: ("new", lambda attempts: gettext("New")),
    State.CLAIMED: ("new", lambda attempts: gettext("Taken")),
    State.ATTEMPTED: ("tried", lambda attempts: ngettext("Tried once", "Tried %(num)s times", attempts)),
    State.REACHED: ("booked", lambda attempts: gettext("Reached")),
    State.CLOSED: ("done", lambda attempts: gettext("Closed")),
    State.WITHDRAWN: ("done", lambda attempts: gettext("Canceled")),
}
"""By state: its tag (CSS class ``app-tag--<tag>``), and a function of the number of attempts that returns its label."""

NEAR_DAYS = 6

PART_NAMES = {
    PartOfDay.MORNING: lazy_gettext("mornings"),
    PartOfDay.MIDDAY: lazy_gettext("12 to 3"),
    PartOfDay.AFTERNOON: lazy_gettext("after 3"),
}

PART_PHRASES = {
    PartOfDay.MORNING: lazy_gettext("in the morning"),
    PartOfDay.MIDDAY: lazy_gettext("between 12 and 3"),
    PartOfDay.AFTERNOON: lazy_gettext("after 3"),
}


def init_app(app: Flask, clinic: Clinic, settings: Mapping[str, Any], clock: Callable[[], float]) -> None:
    """Add these filters to an application's templates."""
    zone, retention = clinic.time_zone, settings["CLOSED_REQUEST_RETENTION_DAYS"] * DAY_SECONDS
    app.add_template_filter(partial(by_when, zone=zone), "by_when")
    app.add_template_filter(lambda moment: day_and_time(moment, zone, clock()), "day_and_time")
    app.add_template_filter(format_clock, "clock")
    app.add_template_filter(lambda moment: short_time(moment, zone, clock()), "short_time")
    for template_filter in (language_name, preferred_times, short_preference, state_label):
        app.add_template_filter(template_filter)
    app.add_template_global(lambda: format_duration(retention), "closed_request_retention")
    app.add_template_global(lambda: format_duration(KEY_LIVES), "backup_key_lifetime")


def state_label(progress: Progress) -> tuple[str, str]:
    """Return the tag and the label of a request's state."""
    tag, text = STATE_LABELS[progress.state]
    return tag, text(progress.attempts)


def clinic_time(moment: datetime | float, zone: ZoneInfo) -> datetime:
    """Return a time (aware, or seconds since 1970) in the clinic's time zone."""
    moment = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return moment.astimezone(zone)


def by_when(moment: datetime | float, zone: ZoneInfo, whole: Callable[[str], str] = str) -> str:
    """Return a due time as a phrase. The hour chooses the plural form: "de la 1:00", "de las 2:00" in Spanish.

    ``whole`` returns the markup of a time or a day that no line break divides.
    """
    local = clinic_time(moment, zone)
    day = format_date(local, gettext("EEEE, MMMM d"), locale=get_locale())
    hour, clock = local.hour % 12 or 12, whole(format_clock(local))
    return str(ngettext("by %(time)s on %(day)s", "by %(time)s on %(day)s", hour, time=clock, day=whole(day)))


def day_and_time(moment: datetime | float, zone: ZoneInfo, now: float) -> str:
    """Return the abbreviated day and the time; with the year if it is not the current one."""
    local = clinic_time(moment, zone)
    day = format_skeleton("MMMEd", local, locale=get_locale())
    if local.year != clinic_time(now, zone).year:
        day = format_date(local, "medium", locale=get_locale())
    return f"{day}, {format_clock(local)}"


def short_time(moment: datetime | float, zone: ZoneInfo, now: float) -> str:
    """Return the time with the abbreviated weekday; of a day more than six days away, with the date instead."""
    local, today = clinic_time(moment, zone), clinic_time(now, zone).date()
    near = abs((local.date() - today).days) <= NEAR_DAYS
    day = format_skeleton("E" if near else "MMMd", local, locale=get_locale())
    return "\N{NO-BREAK SPACE}".join((*f"{day}{'' if near else ','}".split(" "), format_clock(local)))


def language_name(code: str) -> str:
    """Return the name of a language, in the page's language."""
    return (Locale.parse(code).get_display_name(get_locale()) or code).capitalize()


def preferred_times(details: ContactDetails) -> str:
    """Return the preferred days and parts of the day as one phrase: "On Tuesday in the morning"."""
    days = [gettext("on %(day)s", day=day_names()[day]) for day in details.days] or [gettext("any day")]
    parts = [str(PART_PHRASES[PartOfDay(part)]) for part in details.parts] or [gettext("at any time")]
    phrase = (", " if len(days) > 1 else " ").join(
        format_list(each, "or", locale=get_locale()) for each in (days, parts)
    )
    return phrase[0].upper() + phrase[1:]


def short_preference(details: ContactDetails) -> str:
    """Return how and when a patient prefers to be reached, for a line of a list: "Phone · Tue mornings"."""
    way = gettext("Phone") if details.reach_by == "phone" or details.minor else gettext("Email")
    names = get_locale().days["format"]["abbreviated"]
    days = ", ".join(names[day] for day in details.days)
    parts = ", ".join(str(PART_NAMES[PartOfDay(part)]) for part in details.parts)
    when = " ".join(filter(None, (days, parts))) or gettext("any time")
    return f"{way} · {when}"
