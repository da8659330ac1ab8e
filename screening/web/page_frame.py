"""What every page's frame needs: the clinic, crisis help, the languages, the state of the draft."""

import logging
from datetime import time
from functools import cached_property

from babel.dates import format_time, get_day_names
from flask import Flask, current_app
from flask_babel import get_locale, gettext
from markupsafe import Markup

from screening import current, draft
from screening.clinic import Clinic
from screening.draft import current_answers, current_draft
from screening.i18n import locale
from screening.questionnaires.scoring import Help, help_level
from screening.web.crisis import Crisis

log = logging.getLogger(__name__)


class PageFrame:
    """One request's view of the site, for templates. Nothing here raises when the draft is broken."""

    @property
    def clinic(self) -> Clinic:
        """Whose site it is."""
        return current.clinic()

    @cached_property
    def locale(self) -> str:
        """The page's language."""
        return locale.current_locale()

    @property
    def crisis(self) -> Crisis:
        """Crisis help in the page's language."""
        crisis: Crisis = current_app.extensions["crisis"][self.locale]
        return crisis

    @property
    def other_languages(self) -> list[tuple[str, str]]:
        """The languages to switch to: code and own name."""
        return locale.other_locales()

    @cached_property
    def urgent(self) -> bool:
        """Whether an answer that calls for urgent help stands in the draft."""
        try:
            return help_level(current.questionnaire(), current_answers()) is Help.URGENT
        except Exception as error:  # the frame of an error page must not fail
            log.error("help level cannot be read: %s", type(error).__name__)
            return False

    @cached_property
    def clears_in(self) -> int | None:
        """Seconds until the answers are forgotten; None when there are none."""
        try:
            return draft.seconds_left() if current_draft().answers else None
        except Exception as error:  # as above
            log.error("draft cannot be read: %s", type(error).__name__)
            return None

    @property
    def longer(self) -> int:
        """Seconds a draft lasts once more time was asked for."""
        return draft.EXTENDED_SECONDS

    def frame(self, part: str) -> Markup:
        """A part of the page's frame, which is the same for everyone who reads this language."""
        frames: dict[tuple[str, str], Markup] = current_app.extensions["frames"]
        if (self.locale, part) not in frames:
            frames[self.locale, part] = getattr(current_app.jinja_env.globals["ui"], part)(self)
        return frames[self.locale, part]

    @property
    def opening_hours(self) -> str:
        """The clinic's hours as one phrase in the page's language."""
        return "; ".join(_hours(first, last, h.opens, h.closes) for first, last, h in self.clinic.week)


def init_app(app: Flask) -> None:
    """Give every template of an application its ``site``."""
    app.extensions["frames"] = {}
    app.context_processor(lambda: {"site": PageFrame()})


def _hours(first: int, last: int, opens: time, closes: time) -> str:
    names = get_day_names("wide", locale=get_locale())
    times = {
        "opens": format_time(opens, "short", locale=get_locale()),
        "closes": format_time(closes, "short", locale=get_locale()),
    }
    if first == last:
        return str(gettext("%(day)s, %(opens)s to %(closes)s", day=names[first], **times))
    return str(gettext("%(first)s to %(last)s, %(opens)s to %(closes)s", first=names[first], last=names[last], **times))
