"""The frame of every page: clinic, crisis help, languages, and when the draft expires."""

import logging
from dataclasses import dataclass

from babel.dates import get_day_names
from flask import Flask, current_app
from flask_babel import get_locale, gettext

from screening import current
from screening.clinic import Clinic, Hours
from screening.draft import Draft, current_draft
from screening.i18n import locale
from screening.i18n.clock import format_clock, with_period
from screening.questionnaires.scoring import Help, help_level
from screening.walk import Walk, current_walk
from screening.web.crisis import Crisis

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PageFrame:
    """The values of a page's frame. ``urgent``: an answer in the draft calls for urgent help.

    ``clears_in``: seconds until the answers expire; None when there are none.
    """

    clinic: Clinic
    crisis: Crisis
    locale: str
    other_languages: tuple[tuple[str, str], ...]
    urgent: bool = False
    clears_in: int | None = None


def frame_of(walk: Walk | None) -> PageFrame:
    """Return the frame of a page of this walk; without a walk, a frame that depends on no answers."""
    language = locale.current_locale() if walk is None else walk.locale
    languages = locale.other_languages(current_app.extensions["locales"], language)
    urgent, clears_in = False, None
    if walk is not None and walk.draft.get("answers"):
        urgent = help_level(walk.questionnaire, walk.answers) is Help.URGENT
        clears_in = walk.draft.seconds_left(walk.now)
    crisis: Crisis = current_app.extensions["crisis"][language]
    return PageFrame(current.clinic(), crisis, language, languages, urgent, clears_in)


def init_app(app: Flask) -> None:
    """Add the variable ``site`` to every template of an application, and the filters for opening hours."""
    app.context_processor(lambda: {"site": _current_frame()})
    app.add_template_filter(opening_hours)
    app.add_template_filter(with_period)


def _current_frame() -> PageFrame:
    """Return the frame of the current request. A damaged draft raises nothing: error pages have a frame, too."""
    try:
        return frame_of(current_walk() if isinstance(current_draft(), Draft) else None)
    except Exception as error:
        log.error("the draft cannot be read: %s", type(error).__name__)
        return frame_of(None)


def opening_hours(clinic: Clinic) -> str:
    """Return the clinic's hours as one phrase in the page's language."""
    return "; ".join(_hours(first, last, hours) for first, last, hours in clinic.week)


def _hours(first: int, last: int, hours: Hours) -> str:
    names = get_day_names("wide", locale=get_locale())
    ranges = [{"opens": format_clock(opens), "closes": format_clock(closes)} for opens, closes in hours.ranges]
    times, after_break = ranges[0], ranges[1:]
    if first == last:
        phrase = gettext("%(day)s, %(opens)s to %(closes)s", day=names[first], **times)
    else:
        days = {"first": names[first], "last": names[last]}
        phrase = gettext("%(first)s to %(last)s, %(opens)s to %(closes)s", **days, **times)
    for times in after_break:
        phrase = gettext("%(hours)s and %(opens)s to %(closes)s", hours=phrase, **times)
    return str(phrase)
