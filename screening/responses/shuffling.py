"""Shuffling: pending responses are moved in batches of at least k, in random order, under new ids.

Storage order, ids and transactions then reveal nothing about the order of visitors. Each step is one idempotent
transaction in one database, so an interrupted run is completed by the next.
"""

import secrets
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from screening.database.secure_delete import scrub
from screening.extensions import db
from screening.responses.models import PENDING_BIND, PendingResponse, ShuffledBatch, ShuffledResponse

SHUFFLED_COLUMNS = [column.name for column in ShuffledResponse.__table__.columns if column.name != "id"]


@dataclass(frozen=True)
class ShuffleResult:
    """Responses moved, responses still pending, and whether freed pages were scrubbed (``scrubbed``)."""

    moved: int
    pending: int
    scrubbed: bool


def shuffle(k: int) -> ShuffleResult:
    """Move all pending responses, or none if there are fewer than ``k``; complete interrupted runs first.

    Needs an application context. Raises SQLAlchemyError when a database is unavailable; nothing is lost then.
    """
    main, pending = db.engines[None], db.engines[PENDING_BIND]
    moved = 0
    for batch in _interrupted(pending):
        moved += _move(main, pending, batch)
    _clear(main, pending)
    batch = secrets.token_hex(16)
    if _claim(pending, batch, k):
        moved += _move(main, pending, batch)
        _clear(main, pending)
    scrubbed = all(
        [scrub(pending, PendingResponse.__tablename__, whole_file=True), scrub(main, ShuffledResponse.__tablename__)]
    )
    return ShuffleResult(moved, _count(pending), scrubbed)


def _interrupted(pending: Engine) -> list[str]:
    """Return the batches that were claimed and not cleared."""
    with pending.connect() as connection:
        found = connection.execute(select(PendingResponse.batch).where(PendingResponse.batch.is_not(None)).distinct())
        return [batch for batch in found.scalars() if batch is not None]


def _claim(pending: Engine, batch: str, k: int) -> bool:
    """Assign all pending responses to a batch, if there are at least ``k``; return whether they were assigned."""
    unclaimed = PendingResponse.batch.is_(None)
    with pending.begin() as connection:
        claimed = connection.execute(update(PendingResponse).where(unclaimed).values(batch=batch)).rowcount
        if claimed < k:
            connection.rollback()
        return claimed >= k


def _move(main: Engine, pending: Engine, batch: str) -> int:
    """Store a batch's responses in random order, and the batch itself in the same transaction; return how many."""
    columns = [getattr(PendingResponse, name) for name in SHUFFLED_COLUMNS]
    with pending.connect() as connection:
        found = connection.execute(select(*columns).where(PendingResponse.batch == batch)).mappings()
        rows: list[dict[str, Any]] = [{"id": secrets.token_hex(16), **row} for row in found]
    if not rows:
        return 0
    SystemRandom().shuffle(rows)
    try:
        with main.begin() as connection:
            connection.execute(insert(ShuffledBatch).values(batch=batch))
            connection.execute(insert(ShuffledResponse), rows)
    except IntegrityError:  # stored by an interrupted or a concurrent run
        return 0
    return len(rows)


def _clear(main: Engine, pending: Engine) -> None:
    """Delete the pending responses of stored batches."""
    with main.connect() as connection:
        stored = list(connection.execute(select(ShuffledBatch.batch)).scalars())
    with pending.begin() as connection:
        connection.execute(delete(PendingResponse).where(PendingResponse.batch.in_(stored)))


def _count(pending: Engine) -> int:
    with pending.connect() as connection:
        return connection.execute(select(func.count()).select_from(PendingResponse)).scalar_one()
