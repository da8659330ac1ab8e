"""The next request to work on: the most urgent one that is ready, which a lease keeps from others for ten minutes.

Ready is what was never tried, and what may be called again. Of two that ask at once, each gets another request: the
lease is one conditional UPDATE. It does not change the request's owner or version, and lapses without an outcome.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update

from screening.callbacks.models import REACHED, WAITING, CallbackRequest
from screening.extensions import db

LEASE_SECONDS = 10 * 60

CANDIDATES = 5
"""Requests read at once: as many colleagues may lease one between the query and the lease."""

MAX_TRIES = 20


def lease_next(me: str, now: int) -> str | None:
    """Lease the most urgent request that is ready, and unclaimed or mine; return its id, None if there is none.

    Call first, then by due time (of a patient who was reached, the agreed time), then who asked first. Commits.
    """
    for _ in range(MAX_TRIES):
        found = _ready(me, now)
        for id_ in found:
            unleased = (CallbackRequest.id == id_, _owned(me), _unleased(now))
            table = CallbackRequest.__table__
            leased: Any = db.session.execute(
                update(table).where(*unleased).values(lease_owner=me, lease_until=now + LEASE_SECONDS)
            )
            db.session.commit()
            if leased.rowcount:
                return id_
        if not found:
            return None
    return None


def next_ready_at(me: str) -> int | None:
    """Return when the next request is ready that is unclaimed or mine; None if there is no open one."""
    due_first = and_(CallbackRequest.attempts == 0, CallbackRequest.due_at < CallbackRequest.next_at)
    waits = case((due_first, CallbackRequest.due_at), else_=func.coalesce(CallbackRequest.next_at, 0))
    leased = func.coalesce(CallbackRequest.lease_until, 0)
    open_ = CallbackRequest.state_group.in_((WAITING, REACHED))
    found: int | None = db.session.scalar(
        select(func.min(case((leased > waits, leased), else_=waits))).where(open_, _owned(me))
    )
    return found


def _ready(me: str, now: int) -> list[str]:
    """Return the ids of the most urgent ready requests. A query each for unclaimed and own: no index serves both."""
    tried_or_due = or_(
        CallbackRequest.next_at.is_(None),
        CallbackRequest.next_at <= now,
        and_(CallbackRequest.attempts == 0, CallbackRequest.due_at <= now),
    )
    found: list[tuple[Any, ...]] = []
    agreed = func.coalesce(CallbackRequest.next_at, CallbackRequest.due_at)
    for group, due in ((WAITING, CallbackRequest.due_at), (REACHED, agreed)):
        order = (CallbackRequest.rank, due, CallbackRequest.asked_at, CallbackRequest.id)
        for owner in (CallbackRequest.owner.is_(None), CallbackRequest.owner == me):
            ready = (CallbackRequest.state_group == group, owner, tried_or_due, _unleased(now))
            found += map(tuple, db.session.execute(select(*order).where(*ready).order_by(*order).limit(CANDIDATES)))
    return [row[-1] for row in sorted(found)[:CANDIDATES]]


def _owned(me: str) -> ColumnElement[bool]:
    return or_(CallbackRequest.owner.is_(None), CallbackRequest.owner == me)


def _unleased(now: int) -> ColumnElement[bool]:
    return or_(CallbackRequest.lease_until.is_(None), CallbackRequest.lease_until <= now)
