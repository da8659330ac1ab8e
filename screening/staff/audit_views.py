"""The audit page: events with a filter, ``PAGE_SIZE`` a page, the newest first.

Packages add the labels of their actions to ``display_names.ACTION_LABELS``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request, url_for
from flask_babel import format_date, lazy_gettext
from sqlalchemy import select

from screening import current
from screening.audit import AuditEvent
from screening.extensions import db
from screening.i18n.clock import format_clock
from screening.staff import display_names
from screening.staff.access import require_role
from screening.staff.forms import AuditForm
from screening.staff.models import Account
from screening.staff.roles import ADMIN
from screening.web.form_fields import select_choices

audit_views = Blueprint("audit", __name__)

PAGE_SIZE = 50


@dataclass(frozen=True)
class Line:
    """One event for display. ``subject`` is a name if it is an account, else an id, shortened if it is random."""

    when: str
    who: str
    action: str
    subject: str
    subject_id: str
    detail: str


@dataclass(frozen=True)
class AuditFilter:
    """Which events to show; None and empty mean any. Days are those of the clinic's time zone, ``until`` included."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None
    before: int | None = None
    """Id of the last event of the previous page."""


def find_events(wanted: AuditFilter, zone: ZoneInfo) -> list[AuditEvent]:
    """Return the newest events that match the filter: a page, and one more if there are more."""
    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(PAGE_SIZE + 1)
    for column, value in ((AuditEvent.actor, wanted.who), (AuditEvent.action, wanted.action)):
        if value:
            query = query.where(column == value)
    if wanted.subject:
        query = query.where(AuditEvent.subject == wanted.subject)
    if wanted.since:
        query = query.where(AuditEvent.at >= _midnight(wanted.since, zone))
    if wanted.until and wanted.until < date.max:
        query = query.where(AuditEvent.at < _midnight(wanted.until + timedelta(days=1), zone))
    if wanted.before is not None:
        query = query.where(AuditEvent.id < wanted.before)
    return list(db.session.scalars(query))


@audit_views.get("/audit")
@require_role(ADMIN)
def show() -> str:
    """The events that match the query's filter."""
    named = db.session.execute(select(Account.id, Account.name).order_by(Account.name))
    accounts: dict[str, str] = {row.id: row.name for row in named}
    form = AuditForm(request.args)
    form.who.choices = select_choices({"": lazy_gettext("Anyone"), **accounts, **display_names.OTHER_ACTORS})
    by_words = sorted(display_names.ACTION_LABELS.items(), key=lambda item: str(item[1]))
    form.action.choices = select_choices({"": lazy_gettext("Anything"), **dict(by_words)})
    events: list[AuditEvent] = []
    if form.validate():
        events = find_events(_wanted(form), _zone())
    older = None
    if len(events) > PAGE_SIZE:
        query: dict[str, Any] = {name: value for name, value in request.args.items() if name in form and value}
        older = url_for("audit.show", **query, before=events[PAGE_SIZE - 1].id)
    lines = _lines(events[:PAGE_SIZE], accounts)
    return render_template("staff/audit.html", form=form, lines=lines, older=older)


def _wanted(form: AuditForm) -> AuditFilter:
    before = request.args.get("before", "")
    return AuditFilter(
        who=form.who.data,
        action=form.action.data,
        subject=form.subject.data,
        since=form.since.data,
        until=form.until.data,
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 10 else None,
    )


def _lines(events: Iterable[AuditEvent], accounts: dict[str, str]) -> list[Line]:
    zone = _zone()
    return [
        Line(
            when=_moment(datetime.fromtimestamp(event.at, zone)),
            who=accounts.get(event.actor) or str(display_names.OTHER_ACTORS.get(event.actor, event.actor)),
            action=str(display_names.ACTION_LABELS.get(event.action, event.action)),
            subject=accounts.get(event.subject) or display_names.shorten_id(event.subject),
            subject_id=event.subject,
            detail=display_names.detail_text(event.detail, accounts),
        )
        for event in events
    ]


def _moment(at: datetime) -> str:
    return f"{format_date(at, 'medium', rebase=False)}, {format_clock(at, 'medium')}"


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _zone() -> ZoneInfo:
    zone: ZoneInfo = current.clinic().time_zone
    return zone
