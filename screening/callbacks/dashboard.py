"""Queries of the dashboard: today's requests by urgency, and the printed call list.

Each query is served by an index, and reads one row more than is shown.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, literal, or_, select

from screening.callbacks import staff_service
from screening.callbacks.business_hours import Calendar, matches_preference
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import REACHED, WAITING, CallbackRequest
from screening.callbacks.staff_service import COUNT_LIMIT, Row
from screening.crypto.keyring import CALLBACK, Keyring
from screening.extensions import db

MAX_ROWS = 10
"""Requests in a section of the dashboard."""

MAX_PRINTED = 100
"""Requests on a call list: more than a day's calls."""

_URGENT = (CallbackRequest.rank, CallbackRequest.due_at, CallbackRequest.asked_at, CallbackRequest.id)


@dataclass(frozen=True)
class Section:
    """A section of the dashboard. ``count`` stops at ``COUNT_LIMIT``; ``rows`` holds at most ``MAX_ROWS``.

    ``elsewhere``: how many of the count stand in the section "call first" instead.
    """

    name: str
    count: int
    rows: tuple[Row, ...]
    elsewhere: int = 0


def sections(keyring: Keyring, calendar: Calendar, me: str, now: int) -> tuple[Section, ...]:
    """Return the sections call first, overdue, due today, reached and mine, each request in the first that applies.

    Of the rows of "due today", those that prefer the present time come first, those that prefer another come last.
    The count of "overdue" is that of the queue, with those to call first. Raises SQLAlchemyError.
    """
    keyring.refresh(CALLBACK)
    tonight, due, others = _midnight(now, calendar.zone), CallbackRequest.due_at, CallbackRequest.rank > 0
    first = _section(keyring, "first", CallbackRequest.rank == 0)
    overdue = _section(keyring, "overdue", CallbackRequest.rank == 1, due < now)
    urgent = _count(CallbackRequest.state_group == WAITING, CallbackRequest.rank == 0, due < now) if first.count else 0
    today = _section(keyring, "today", CallbackRequest.rank == 1, due >= now, due < tonight)
    by_time = sorted(today.rows, key=lambda row: _fit(calendar, now, row.details))
    return (
        first,
        replace(overdue, count=min(overdue.count + urgent, COUNT_LIMIT), elsewhere=urgent),
        replace(today, rows=tuple(by_time)),
        _section(keyring, "reached", group=REACHED),
        _section(keyring, "mine", CallbackRequest.owner == me, others, due >= tonight),
    )


def call_list(keyring: Keyring, zone: ZoneInfo, now: int) -> tuple[list[Row], bool]:
    """Return the requests to call today, and whether there are more than fit on the list.

    Ordered by due time only: the order by urgency would disclose health information on paper.
    """
    keyring.refresh(CALLBACK)
    tonight = _midnight(now, zone)
    untried = CallbackRequest.attempts == 0
    may_call = or_(untried, CallbackRequest.next_at.is_(None), CallbackRequest.next_at < tonight)
    first = _open(WAITING, CallbackRequest.rank == 0, may_call).limit(MAX_PRINTED + 1)
    others = _open(WAITING, CallbackRequest.rank == 1, CallbackRequest.due_at < tonight, may_call)
    found = [request for query in (first, others.limit(MAX_PRINTED + 1)) for request in db.session.scalars(query)]
    listed = sorted(found[:MAX_PRINTED], key=lambda request: (request.due_at, request.id))
    rows = [Row(request, staff_service.decrypt(keyring, request)) for request in listed]
    return [row for row in rows if row.details and by_phone(row.details)], len(found) > MAX_PRINTED


def by_phone(details: ContactDetails) -> bool:
    """Return whether the patient is to be called rather than written to."""
    return bool(details.call) and (details.reach_by == "phone" or details.minor)


def _open(group: str, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(CallbackRequest).where(CallbackRequest.state_group == group, *conditions).order_by(*_URGENT)


def _section(keyring: Keyring, name: str, *conditions: ColumnElement[bool], group: str = WAITING) -> Section:
    found = list(db.session.scalars(_open(group, *conditions).limit(MAX_ROWS + 1)))
    count = len(found) if len(found) <= MAX_ROWS else _count(CallbackRequest.state_group == group, *conditions)
    return Section(
        name, count, tuple(Row(request, staff_service.decrypt(keyring, request)) for request in found[:MAX_ROWS])
    )


def _count(*conditions: ColumnElement[bool]) -> int:
    some = select(literal(1)).select_from(CallbackRequest).where(*conditions).limit(COUNT_LIMIT)
    return db.session.scalar(select(func.count()).select_from(some.subquery())) or 0


def _fit(calendar: Calendar, now: int, details: ContactDetails | None) -> int:
    if details is None or not details.preferred_times:
        return 1
    return 0 if matches_preference(calendar, _moment(now), details.preferred_times) else 2


def _midnight(now: int, zone: ZoneInfo) -> int:
    """Return when the day ends at the clinic, in seconds since 1970."""
    tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    return int(datetime.combine(tomorrow, time(0), zone).timestamp())


def _moment(now: int) -> datetime:
    return datetime.fromtimestamp(now, UTC)
