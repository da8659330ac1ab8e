"""Batches held apart from the pool: one of conspicuous size may consist of made-up responses.

Someone who forges responses knows their own rows, so a real one among them stands alone: k counts rows, not people. A
flood is therefore held apart, and counts in no release, until a releaser accepts or discards it. Forging slowly, below
the limit, goes unnoticed.
"""

from collections.abc import Sequence
from statistics import median

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from screening.audit import AuditEvent
from screening.database.secure_delete import scrub
from screening.database.timeouts import without_timeouts
from screening.extensions import db
from screening.responses.models import HeldResponse, ShuffledBatch, ShuffledResponse

ACCEPTED, HELD, DISCARDED = "accepted", "held", "discarded"
"""The states of a batch; only responses of an accepted one are in the pool."""

LIMIT = 5
"""A batch is conspicuous with more than this many times the usual size, and at least this many times k."""

COMPARED = 28
"""The usual size is the median of this many accepted batches, the last ones."""

FEWEST = 7
"""With fewer accepted batches there is no usual size yet, and k alone decides."""

POOL_COLUMNS = [column.name for column in ShuffledResponse.__table__.columns]


def is_conspicuous(size: int, k: int, past: Sequence[int]) -> bool:
    """Return whether a batch of this size is to be held apart. ``past``: sizes of the accepted batches before it."""
    return size >= LIMIT * k and (len(past) < FEWEST or size > LIMIT * median(past))


def past_sizes(connection: Connection) -> list[int]:
    """Return the sizes of the last accepted batches, at most ``COMPARED``."""
    newest_first = (ShuffledBatch.shuffled_at.desc(), ShuffledBatch.batch)
    accepted = select(ShuffledBatch.rows).where(ShuffledBatch.state == ACCEPTED).order_by(*newest_first)
    return list(connection.execute(accepted.limit(COMPARED)).scalars())


def list_held() -> list[ShuffledBatch]:
    """Return the batches that wait for a decision, the oldest first."""
    oldest_first = (ShuffledBatch.shuffled_at, ShuffledBatch.batch)
    return list(db.session.scalars(select(ShuffledBatch).where(ShuffledBatch.state == HELD).order_by(*oldest_first)))


def accept(batch: str, now: int, actor: str) -> bool:
    """Move the responses of a held batch to the pool; return False if the batch is not held any more."""
    return _decide(batch, ACCEPTED, now, actor)


def discard(batch: str, now: int, actor: str) -> bool:
    """Delete the responses of a held batch; return False if the batch is not held any more."""
    return _decide(batch, DISCARDED, now, actor)


def _decide(batch: str, state: str, now: int, actor: str) -> bool:
    """Change the state of a held batch, with its responses and an audit event, in one transaction."""
    main = db.engines[None]
    with main.begin() as connection:
        without_timeouts(connection)
        is_held = (ShuffledBatch.batch == batch) & (ShuffledBatch.state == HELD)
        changed = update(ShuffledBatch).where(is_held).values(state=state).returning(ShuffledBatch.rows)
        rows = connection.execute(changed).scalar()
        if rows is None:
            return False
        if state == ACCEPTED:
            columns = [getattr(HeldResponse, name) for name in POOL_COLUMNS]
            held = select(*columns).where(HeldResponse.batch == batch).order_by(HeldResponse.id)
            connection.execute(insert(ShuffledResponse).from_select(POOL_COLUMNS, held))
        connection.execute(delete(HeldResponse).where(HeldResponse.batch == batch))
        event = {
            "at": now,
            "actor": actor,
            "action": f"responses.{state}",
            "subject": batch,
            "detail": {"rows": str(rows)},
        }
        connection.execute(insert(AuditEvent).values(event))
    scrub(main, HeldResponse.__tablename__)
    return True
