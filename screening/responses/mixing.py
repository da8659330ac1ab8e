"""Copies leave the inbox many at a time, shuffled and under fresh ids.

After that the order in which rows lie, their ids and their transaction say nothing of the order in
which visitors came. The answers themselves are the same: who knows them still knows them.

Each step is one transaction in one database, and each can be repeated, so a mixing that was killed
is finished by the next one. The two databases need no transaction in common, which SQLite could not
give in its write-ahead mode.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from random import SystemRandom
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from screening.erasing import wipe
from screening.extensions import db
from screening.responses.models import INBOX, InboxCopy, MixedCopy, Moved

KEPT = [column.name for column in MixedCopy.__table__.columns if column.name != "id"]


@dataclass(frozen=True)
class Mixed:
    """What a mixing did: copies moved, copies still waiting, and whether their old pages are wiped."""

    moved: int
    waiting: int
    wiped: bool


def mix(k: int) -> Mixed:
    """Move every waiting copy, or none when fewer than ``k`` wait. Finishes what an earlier run began.

    Needs an application context. Raises SQLAlchemyError when a database is away; then nothing is lost.
    """
    main, inbox = db.engines[None], db.engines[INBOX]
    moved = 0
    for batch in _begun(inbox):
        moved += _move(main, inbox, batch)
    _clear(main, inbox)
    batch = secrets.token_hex(16)
    if _claim(inbox, batch, k):
        moved += _move(main, inbox, batch)
        _clear(main, inbox)
    wiped = all([wipe(inbox, InboxCopy.__tablename__, whole_file=True), wipe(main, MixedCopy.__tablename__)])
    return Mixed(moved, _count(inbox), wiped)


def _begun(inbox: Engine) -> list[str]:
    """The batches that were claimed and not yet cleared."""
    with inbox.connect() as connection:
        found = connection.execute(select(InboxCopy.batch).where(InboxCopy.batch.is_not(None)).distinct())
        return [batch for batch in found.scalars() if batch is not None]


def _claim(inbox: Engine, batch: str, k: int) -> bool:
    """Take every waiting copy out of its visitor's reach; none, when there are fewer than ``k``."""
    waiting = InboxCopy.batch.is_(None)
    with inbox.begin() as connection:
        claimed = connection.execute(update(InboxCopy).where(waiting).values(batch=batch)).rowcount
        if claimed < k:
            connection.rollback()
        return claimed >= k


def _move(main: Engine, inbox: Engine, batch: str) -> int:
    """Store a batch's copies, shuffled, and note in the same transaction that they are stored."""
    columns = [getattr(InboxCopy, name) for name in KEPT]
    with inbox.connect() as connection:
        found = connection.execute(select(*columns).where(InboxCopy.batch == batch)).mappings()
        rows: list[dict[str, Any]] = [{"id": secrets.token_hex(16), **row} for row in found]
    if not rows:
        return 0
    SystemRandom().shuffle(rows)
    try:
        with main.begin() as connection:
            connection.execute(insert(Moved).values(batch=batch))
            connection.execute(insert(MixedCopy), rows)
    except IntegrityError:  # stored before, by a run that was killed or one beside us
        return 0
    return len(rows)


def _clear(main: Engine, inbox: Engine) -> None:
    """Delete the originals of what is stored."""
    with main.connect() as connection:
        stored = list(connection.execute(select(Moved.batch)).scalars())
    with inbox.begin() as connection:
        connection.execute(delete(InboxCopy).where(InboxCopy.batch.in_(stored)))


def _count(inbox: Engine) -> int:
    with inbox.connect() as connection:
        return connection.execute(select(func.count()).select_from(InboxCopy)).scalar_one()
