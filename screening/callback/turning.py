"""Turning the call-back key: what is kept goes over to a new pair, then the old private key is destroyed.

Whoever took a request back, or whose request was purged, is still in older backups, logs and copies
of the database: sealed to a key that nobody has any more. The key of the hashes by which requests
are found is turned with it, since a number can be guessed from its hash by whoever has that key.

A turn is a row of steps, each of which can be cut off and done again:

1. The new keys are laid in the key files, and the public half is published.
2. Whatever is sealed to an older key is opened and sealed anew, a few boxes in each transaction. A box
   that was changed meanwhile is left as it is, and looked at again.
3. Once nothing is sealed to the older keys, that is noted. A day later, if it is still so, they are
   destroyed. Until then a visitor's process may yet store what it sealed to the old public key, and a
   daily backup is made that holds only what the new key opens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Table, delete, func, select, update

from screening.callback import desk, sealing
from screening.callback.models import CallbackKey, CallbackNote, CallbackRequest
from screening.callback.retention import KEY_LIVES
from screening.extensions import db
from screening.keyring import (
    CALLBACK,
    SEARCH,
    Keyring,
    UnsealableError,
    changing,
    destroy_keys,
    read_ring,
    turn_key,
)

HOUR = 60 * 60
DAY = 24 * HOUR
WEEK = KEY_LIVES
"""How long a private key lives."""

KEPT_EMPTY = 26 * HOUR
"""How long of that it is kept when nothing is sealed to it any more: in this time falls a daily backup."""

SEALS_FOR = WEEK - KEPT_EMPTY
"""How long a key is sealed to."""

BATCH = 50
"""Boxes sealed anew in one transaction."""

GoOn = Callable[[], bool]
"""Asked between two batches: False tells the turn to end, for the next run to go on."""


@dataclass
class Turned:
    """What a run did: boxes sealed anew, requests hashed anew, boxes that no key opens, private keys destroyed.

    ``waits_until`` (seconds since 1970, UTC): when older keys that are still there may be destroyed.
    """

    resealed: int = 0
    hashed: int = 0
    unreadable: int = 0
    destroyed: int = 0
    waits_until: int | None = None


class Outcome(Enum):
    """What became of a box: sealed anew; changed by somebody at this moment; opened by no key."""

    RESEALED = "resealed"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Kind:
    """A kind of sealed box: its table, the columns of box and key, and the place it is sealed for."""

    table: Table
    box: str
    key: str
    place: Callable[[Row[Any]], str]


BOXES = (
    Kind(CallbackRequest.__table__, "sealed", "sealed_with", lambda row: str(row.id)),
    Kind(CallbackRequest.__table__, "summary", "summary_with", lambda row: sealing.summary_place(row.id)),
    Kind(CallbackNote.__table__, "sealed", "sealed_with", lambda row: sealing.note_place(row.request_id, row.id)),
)
"""All that is sealed to the call-back key."""


def turn(folder: Path, now: float, go_on: GoOn = lambda: True) -> Turned:
    """Begin a turn, or go on with the one under way. ``folder`` holds the key files of this machine.

    May be killed at any time and run beside itself. Needs an application context. Raises SettingsError
    (StaleKeysError where another machine turned the key and its file was not brought here) and SQLAlchemyError.
    """
    return _turn(folder, int(now), lambda: True, go_on)


def turn_when_due(folder: Path, now: float, go_on: GoOn = lambda: True) -> Turned:
    """The same, but begin only when the key was sealed to long enough: for the worker, to be called each hour."""
    return _turn(folder, int(now), lambda: _age(int(now)) >= SEALS_FOR, go_on)


def is_late(now: float) -> bool:
    """Whether a private key is there that should have been destroyed a day ago."""
    first = db.session.scalar(select(func.min(func.coalesce(CallbackKey.published_at, 0))))
    return first is not None and first < now - WEEK - DAY


def _turn(folder: Path, now: int, is_due: Callable[[], bool], go_on: GoOn) -> Turned:
    with changing(folder):
        sealing.publish(Keyring(folder, (CALLBACK,)), now)  # unless it was: a run was killed, a backup restored
        if not _older(folder, CALLBACK) and is_due():
            _begin(folder, now)
        _forget_destroyed(folder)
        older = {purpose: _older(folder, purpose) for purpose in (CALLBACK, SEARCH)}
    done = Turned()
    if not older[CALLBACK]:
        return done
    keyring = Keyring(folder, (CALLBACK, SEARCH))
    if _reseal_all(keyring, older[CALLBACK], done, go_on) and _hash_all(keyring, done, go_on):
        done.waits_until = _empty_since(now) + KEPT_EMPTY
        if now >= done.waits_until:
            with changing(folder):
                _destroy(folder, older)
            done.destroyed, done.waits_until = len(older[CALLBACK]), None
    return done


def _begin(folder: Path, now: int) -> None:
    """Lay new keys and publish; the call-back key last, since by its older keys a turn under way is known."""
    for purpose in (SEARCH, CALLBACK):
        turn_key(folder, purpose, datetime.fromtimestamp(now, UTC).date())
    sealing.publish(Keyring(folder, (CALLBACK,)), now)


def _older(folder: Path, purpose: str) -> list[str]:
    """The keys that stand before the active one; those behind it were laid out to be activated."""
    ring = read_ring(folder, purpose)
    ids = [key.id for key in ring.keys]
    return ids[: ids.index(ring.active)]


def _age(now: int) -> int:
    published = db.session.scalar(select(CallbackKey.published_at).where(CallbackKey.active))
    return now - (published or 0)


def _reseal_all(keyring: Keyring, older: Sequence[str], done: Turned, go_on: GoOn) -> bool:
    """Go over the boxes until none is left that an older key opens; False when told to end before."""
    while True:
        met: Counter[Outcome] = Counter()
        for kind, rows in _batches(older):
            if not go_on():
                return False
            batch = Counter(_reseal(keyring, kind, row) for row in rows)
            if batch[Outcome.RESEALED]:  # no backup holds these boxes yet
                db.session.execute(update(CallbackKey).where(CallbackKey.active.is_(False)).values(empty_since=None))
            db.session.commit()
            done.resealed += batch[Outcome.RESEALED]
            met += batch
        if not met[Outcome.RESEALED] and not met[Outcome.CHANGED]:
            done.unreadable = met[Outcome.UNREADABLE]
            return True


def _batches(older: Sequence[str]) -> Iterator[tuple[Kind, Sequence[Row[Any]]]]:
    """Everything sealed to one of these keys, a few rows at a time."""
    for kind in BOXES:
        columns, last = kind.table.c, ""
        sealed = select(kind.table).where(columns[kind.key].in_(older)).order_by(columns.id).limit(BATCH)
        while rows := db.session.execute(sealed.where(columns.id > last)).all():
            db.session.commit()  # nothing is held while the boxes are opened
            yield kind, rows
            last = rows[-1].id


def _reseal(keyring: Keyring, kind: Kind, row: Row[Any]) -> Outcome:
    """Seal a box anew, unless it is no longer the one that was read. The caller commits."""
    box, key_id = getattr(row, kind.box), getattr(row, kind.key)
    try:
        anew = sealing.reseal(keyring, kind.place(row), box, key_id)
    except UnsealableError:
        return Outcome.UNREADABLE
    columns = kind.table.c
    same = (columns.id == row.id, columns[kind.key] == key_id, columns[kind.box] == box)
    values = {kind.box: anew, kind.key: keyring.active_id(CALLBACK)}
    changed: Any = db.session.execute(update(kind.table).where(*same).values(values))
    return Outcome.RESEALED if changed.rowcount else Outcome.CHANGED


def _hash_all(keyring: Keyring, done: Turned, go_on: GoOn) -> bool:
    """Hash every request with the new search key; False when told to end before."""
    desk.forget_hashes(keyring.active_id(SEARCH))
    while go_on():
        found = desk.index_new(keyring)
        if not found:
            return True
        done.hashed += found
    return False


def _empty_since(now: int) -> int:
    """Since when nothing is sealed to any older key, noted now if it was not before. 0 where none was published."""
    past = CallbackKey.active.is_(False)
    db.session.execute(update(CallbackKey).where(past, CallbackKey.empty_since.is_(None)).values(empty_since=now))
    db.session.commit()
    return db.session.scalar(select(func.max(CallbackKey.empty_since)).where(past)) or 0


def _destroy(folder: Path, older: dict[str, list[str]]) -> None:
    """Destroy these keys; the call-back keys last, so that a run that is killed is gone on with."""
    for purpose in (SEARCH, CALLBACK):
        destroy_keys(folder, purpose, older[purpose])
    _forget_destroyed(folder)


def _forget_destroyed(folder: Path) -> None:
    """Delete the public halves of keys that are gone. Commits."""
    here = [key.id for key in read_ring(folder, CALLBACK).keys]
    db.session.execute(delete(CallbackKey).where(CallbackKey.active.is_(False), CallbackKey.id.not_in(here)))
    db.session.commit()
