"""Queries of the dashboard: today's requests by urgency, the next request, and the printed call list.

Each query is served by an index, and reads one row more than is shown.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, literal, select

from screening import audit
from screening.callbacks import staff_service
from screening.callbacks.business_hours import Calendar, matches_preference
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import WAITING, CallbackRequest
from screening.callbacks.staff_service import COUNT_LIMIT, Row
from screening.crypto.keyring import CALLBACK, Keyring
from screening.extensions import db

MAX_ROWS = 10
"""Requests in a section of the dashboard."""

MAX_PRINTED = 100
"""Requests on a call list: more than a day's calls."""

RECENT_SECONDS = 30 * 60
"""Seconds for which "next request" skips requests that the same account has viewed."""

_URGENT = (CallbackRequest.rank, CallbackRequest.due_at, CallbackRequest.id)


@dataclass(frozen=True)
class Section:
    """A section of the dashboard. ``count`` stops at ``COUNT_LIMIT``; ``rows`` holds at most ``MAX_ROWS``."""

    name: str
    count: int
    rows: tuple[Row, ...]


def sections(keyring: Keyring, calendar: Calendar, me: str, now: int) -> tuple[Section, ...]:
    """Return the sections call first, overdue, due today and mine, each request in the first that applies.

    Of the rows of "due today", those that prefer the present time come first, those that prefer another come last.
    Raises SQLAlchemyError.
    """
    keyring.refresh(CALLBACK)
    tonight, due, others = _midnight(now, calendar.zone), CallbackRequest.due_at, CallbackRequest.rank > 0
    found = {
        "first": _section(keyring, "first", CallbackRequest.rank == 0),
        "overdue": _section(keyring, "overdue", CallbackRequest.rank == 1, due < now),
        "today": _section(keyring, "today", CallbackRequest.rank == 1, due >= now, due < tonight),
        "mine": _section(keyring, "mine", CallbackRequest.owner == me, others, due >= tonight),
    }
    today = found["today"]
    by_time = sorted(today.rows, key=lambda row: _fit(calendar, now, row.details))
    return found["first"], found["overdue"], Section("today", today.count, tuple(by_time)), found["mine"]


def preferred_now(calendar: Calendar, now: int, details: ContactDetails | None) -> bool:
    """Return whether the patient prefers to be called at this weekday and time of day."""
    return (
        details is not None
        and bool(details.preferred_times)
        and matches_preference(calendar, _moment(now), details.preferred_times)
    )


def following(me: str, now: int, shown: str) -> str | None:
    """Return the id of the most urgent waiting request that is unclaimed or mine, other than ``shown``; None if none.

    Requests that I viewed in the last half hour come last: otherwise two that cannot be called at present would
    alternate. Raises SQLAlchemyError.
    """
    lately = select(audit.AuditEvent.subject).where(
        audit.AuditEvent.at > now - RECENT_SECONDS,
        audit.AuditEvent.actor == me,
        audit.AuditEvent.action == "request.viewed",
    )
    another = CallbackRequest.id != shown
    return _most_urgent(me, another, CallbackRequest.id.not_in(lately)) or _most_urgent(me, another)


def call_list(keyring: Keyring, zone: ZoneInfo, now: int) -> tuple[list[Row], bool]:
    """Return the requests to call today, and whether there are more than fit on the list.

    Ordered by due time only: the order by urgency would disclose health information on paper.
    """
    keyring.refresh(CALLBACK)
    first = _waiting(CallbackRequest.rank == 0).limit(MAX_PRINTED + 1)
    others = _waiting(CallbackRequest.rank == 1, CallbackRequest.due_at < _midnight(now, zone)).limit(MAX_PRINTED + 1)
    found = [request for query in (first, others) for request in db.session.scalars(query)]
    listed = sorted(found[:MAX_PRINTED], key=lambda request: (request.due_at, request.id))
    rows = [Row(request, staff_service.decrypt(keyring, request)) for request in listed]
    return [row for row in rows if row.details and by_phone(row.details)], len(found) > MAX_PRINTED


def by_phone(details: ContactDetails) -> bool:
    """Return whether the patient is to be called rather than written to."""
    return bool(details.call) and (details.reach_by == "phone" or details.minor)


def _waiting(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(CallbackRequest).where(CallbackRequest.state_group == WAITING, *conditions).order_by(*_URGENT)


def _section(keyring: Keyring, name: str, *conditions: ColumnElement[bool]) -> Section:
    found = list(db.session.scalars(_waiting(*conditions).limit(MAX_ROWS + 1)))
    count = len(found)
    if count > MAX_ROWS:
        some = select(literal(1)).where(CallbackRequest.state_group == WAITING, *conditions).limit(COUNT_LIMIT)
        count = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
    return Section(
        name, count, tuple(Row(request, staff_service.decrypt(keyring, request)) for request in found[:MAX_ROWS])
    )


def _most_urgent(me: str, *conditions: ColumnElement[bool]) -> str | None:
    """Return the id of the most urgent request, by a query each for unclaimed and own: no index serves both at once."""
    owned = (CallbackRequest.owner.is_(None), CallbackRequest.owner == me)
    columns = select(*_URGENT).where(CallbackRequest.state_group == WAITING, *conditions).order_by(*_URGENT).limit(1)
    found = [tuple(row) for one in owned for row in db.session.execute(columns.where(one))]
    return str(min(found)[-1]) if found else None


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
