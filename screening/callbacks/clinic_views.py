"""The page of the clinic: what visitors read about it, and whether mail, notices and crisis help are in order."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from flask import Blueprint, Flask, current_app, render_template
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from screening import current
from screening.callbacks import clinic_calendar
from screening.callbacks.business_hours import Calendar, NeverOpenError, due_at, is_open, next_change
from screening.callbacks.forms import day_names
from screening.config import ROOT
from screening.i18n.locale import locale_names
from screening.mail import queries
from screening.staff import nav
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import ADMIN, CALLBACKS
from screening.web.crisis import STALE_DAYS, Crisis

clinic_views = Blueprint("clinic", __name__)

NOTICES: dict[str, LazyString] = {
    "privacy_notice": lazy_gettext("Notice of privacy practices"),
    "nondiscrimination_notice": lazy_gettext("Nondiscrimination notice"),
    "language_help_notice": lazy_gettext("Free language help"),
}
"""Fields of the clinic file that link a notice at the foot of every visitor page."""


@dataclass(frozen=True)
class Now:
    """Whether the clinic is open, when that changes, and when a request sent now is due. None: never, or not known."""

    is_open: bool
    changes_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True)
class Mail:
    """The numbers of mails: failed, waiting, and of both those that are stuck."""

    failed: int
    waiting: int
    stuck: int


def init_app(app: Flask) -> None:
    """Add the page to the staff application."""
    app.register_blueprint(clinic_views)
    nav.add(app, "clinic.show", lazy_gettext("Clinic"), CALLBACKS, ADMIN, place=60)


@clinic_views.get("/clinic")
@require_role(CALLBACKS, ADMIN)
def show() -> str:
    """What visitors read about the clinic. For reading: only closed days are entered on the site."""
    clinic, now = current.clinic(), current.now()
    calendar = clinic_calendar.current_calendar(clinic)
    crises: dict[str, Crisis] = current_app.extensions["crisis"]
    return render_template(
        "callbacks/staff/clinic.html",
        clinic=clinic,
        file=_from_root(current.settings()["CLINIC_FILE"]),
        state=state_at(calendar, now),
        days=[(name, clinic.hours[day]) for day, name in day_names().items()],
        holidays=clinic_calendar.upcoming_holidays(clinic, current.today()),
        closed=sorted(calendar.shut - clinic.holiday_dates),
        languages=[name for _, name in locale_names()],
        notices=[(name, getattr(clinic, field), field) for field, name in NOTICES.items()],
        mail=_mail(now),
        crises=[(code, crisis.checked, _is_current(crisis, current.today())) for code, crisis in crises.items()],
        check_days=STALE_DAYS,
        may_close=CALLBACKS in current_account().role_names,
    )


def state_at(calendar: Calendar, now: float) -> Now:
    """Return whether the clinic is open at a moment, and what follows from it."""
    moment = datetime.fromtimestamp(now, UTC)
    try:
        return Now(is_open(calendar, moment), next_change(calendar, moment), due_at(calendar, moment))
    except NeverOpenError:
        return Now(is_open(calendar, moment), None, None)


def _from_root(file: Path) -> Path:
    """Return a path as seen from the project's folder, if it is inside."""
    return file.relative_to(ROOT) if file.is_relative_to(ROOT) else file


def _mail(now: int) -> Mail | None:
    """Return the state of the outbox; None without a mail server."""
    if not current.settings()["MAIL_HOST"]:
        return None
    failed, waiting = queries.counts().values()
    return Mail(failed, waiting, queries.count_stuck(now))


def _is_current(crisis: Crisis, today: date) -> bool:
    return crisis.checked is not None and (today - crisis.checked).days <= STALE_DAYS
