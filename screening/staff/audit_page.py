"""Who did what: the audit events as an admin reads them, fifty a page, newest first.

Other wings add what their events mean to ``WORDS``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, render_template, request, url_for
from flask_babel import format_datetime, lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy import select

from screening.audit import COMMAND, STRANGER, VISITOR, AuditEvent
from screening.extensions import db
from screening.staff.forms import AuditForm
from screening.staff.guard import needs
from screening.staff.models import Account
from screening.staff.roles import ADMIN
from screening.web.offers import offered

audit_page = Blueprint("audit", __name__)

A_PAGE = 50

WORDS: dict[str, LazyString] = {
    "account.added": lazy_gettext("Account added"),
    "account.disabled": lazy_gettext("Account disabled"),
    "account.enabled": lazy_gettext("Account enabled"),
    "account.locked": lazy_gettext("Account has to wait"),
    "account.password_changed": lazy_gettext("Password changed"),
    "account.recovery_codes_made": lazy_gettext("New recovery codes made"),
    "account.reset": lazy_gettext("Account reset"),
    "account.roles": lazy_gettext("Roles changed"),
    "account.second_factor_set": lazy_gettext("App for codes set up"),
    "account.sign_in_refused": lazy_gettext("Wrong password or code"),
    "account.signed_in": lazy_gettext("Signed in"),
    "account.signed_out": lazy_gettext("Signed out"),
    "demo.filled": lazy_gettext("Database filled with made-up data"),
    "mail.retried": lazy_gettext("Mail tried again"),
    "page.refused": lazy_gettext("Page refused: not among the account’s roles"),
}
"""What each action is called on the page. An action that is missing is shown by its own name."""

NOBODYS: dict[str, LazyString] = {
    VISITOR: lazy_gettext("A patient"),
    STRANGER: lazy_gettext("Not known"),
    COMMAND: lazy_gettext("A command on the server"),
}
"""Who did it, where it was no account."""


@dataclass(frozen=True)
class Line:
    """One event as it is shown. ``subject`` is a name where the id is an account's."""

    when: str
    who: str
    action: str
    subject: str
    detail: str


@dataclass(frozen=True)
class Wanted:
    """Which events to show: None or empty where it does not matter. Days are whole, in the clinic's time."""

    who: str = ""
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None
    before: int | None = None
    """The event that the page before ended with."""


def find(wanted: Wanted, zone: ZoneInfo) -> list[AuditEvent]:
    """The newest events that are wanted, one more than a page holds if there are more."""
    query = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(A_PAGE + 1)
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


@audit_page.get("/audit")
@needs(ADMIN)
def show() -> str:
    """The events, as the filter says."""
    named = db.session.execute(select(Account.id, Account.name).order_by(Account.name))
    accounts: dict[str, str] = {row.id: row.name for row in named}
    form = AuditForm(request.args)
    form.who.choices = offered({"": lazy_gettext("Anyone"), **accounts, **NOBODYS})
    by_words = sorted(WORDS.items(), key=lambda item: str(item[1]))
    form.action.choices = offered({"": lazy_gettext("Anything"), **dict(by_words)})
    events: list[AuditEvent] = []
    if form.validate():
        events = find(_wanted(form), _zone())
    older = None
    if len(events) > A_PAGE:
        kept: dict[str, Any] = {name: value for name, value in request.args.items() if name in form and value}
        older = url_for("audit.show", **kept, before=events[A_PAGE - 1].id)
    lines = _lines(events[:A_PAGE], accounts)
    return render_template("staff/audit.html", form=form, lines=lines, older=older)


def _wanted(form: AuditForm) -> Wanted:
    before = request.args.get("before", "")
    return Wanted(
        who=form.who.data,
        action=form.action.data,
        subject=form.subject.data.strip(),
        since=form.since.data,
        until=form.until.data,
        before=int(before) if before.isascii() and before.isdecimal() and len(before) < 10 else None,
    )


def _lines(events: Iterable[AuditEvent], accounts: dict[str, str]) -> list[Line]:
    zone = _zone()
    return [
        Line(
            when=format_datetime(datetime.fromtimestamp(event.at, zone), "medium", rebase=False),
            who=accounts.get(event.actor) or str(NOBODYS.get(event.actor, event.actor)),
            action=str(WORDS.get(event.action, event.action)),
            subject=accounts.get(event.subject, event.subject),
            detail=", ".join(f"{name}: {value}" for name, value in event.detail.items()),
        )
        for event in events
    ]


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _zone() -> ZoneInfo:
    zone: ZoneInfo = current_app.extensions["clinic"].time_zone
    return zone
