"""Rotation of the call-back key: live requests are re-encrypted, then the old private key is destroyed.

A withdrawn or purged request in an old backup is unreadable from then on. The search key rotates with it, because a
phone number can be guessed from its hash. Each step can be interrupted and repeated:

1. Write new keys to the key files and publish the public key.
2. Re-encrypt in batches, a transaction each; a row that changed meanwhile is read again.
3. Destroy older keys that no row used for a day: a visitor process may still store what it encrypted to the old key,
   and a daily backup must hold what the new key decrypts.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Table, delete, func, select, update

from screening.callbacks import contact_index, public_key
from screening.callbacks.models import CallbackKey, CallbackNote, CallbackRequest
from screening.callbacks.retention import KEY_LIVES
from screening.crypto import DecryptionError
from screening.crypto.key_files import destroy_keys, locked, read_ring, rotate_key
from screening.crypto.keyring import CALLBACK, SEARCH, Keyring
from screening.durations import DAY_SECONDS, HOUR_SECONDS
from screening.extensions import db

ROTATION_SECONDS = KEY_LIVES
"""How long a private key lives."""

EMPTY_KEY_SECONDS = 26 * HOUR_SECONDS
"""How long of that it is kept when nothing is sealed to it any more: in this time falls a daily backup."""

ENCRYPTION_PERIOD_SECONDS = ROTATION_SECONDS - EMPTY_KEY_SECONDS
"""How long a key is sealed to."""

BATCH = 50
"""Boxes sealed anew in one transaction."""

Continue = Callable[[], bool]
"""Asked between two batches: False tells the turn to end, for the next run to go on."""


@dataclass
class Rotation:
    """What a run did: boxes sealed anew, requests hashed anew, boxes that no key opens, private keys destroyed.

    ``waits_until`` (seconds since 1970, UTC): when older keys that are still there may be destroyed.
    """

    resealed: int = 0
    hashed: int = 0
    unreadable: int = 0
    destroyed: int = 0
    waits_until: int | None = None


class ReencryptResult(Enum):
    """What became of a box: sealed anew; changed by somebody at this moment; opened by no key."""

    REENCRYPTED = "reencrypted"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class EncryptedColumn:
    """A kind of sealed box: its table, the columns of box and key, and the place it is sealed for."""

    table: Table
    box: str
    key: str
    place: Callable[[Row[Any]], str]


ENCRYPTED_COLUMNS = (
    EncryptedColumn(CallbackRequest.__table__, "ciphertext", "key_id", lambda row: str(row.id)),
    EncryptedColumn(
        CallbackRequest.__table__, "summary", "summary_key_id", lambda row: public_key.summary_associated_data(row.id)
    ),
    EncryptedColumn(
        CallbackNote.__table__,
        "ciphertext",
        "key_id",
        lambda row: public_key.note_associated_data(row.request_id, row.id),
    ),
)
"""All that is sealed to the call-back key."""


def rotate(folder: Path, now: float, go_on: Continue = lambda: True) -> Rotation:
    """Begin a turn, or go on with the one under way. ``folder`` holds the key files of this machine.

    May be killed at any time and run beside itself. Needs an application context. Raises SettingsError
    (StaleKeysError where another machine turned the key and its file was not brought here) and SQLAlchemyError.
    """
    return _turn(folder, int(now), lambda: True, go_on)


def rotate_when_due(folder: Path, now: float, go_on: Continue = lambda: True) -> Rotation:
    """The same, but begin only when the key was sealed to long enough: for the worker, to be called each hour."""
    return _turn(folder, int(now), lambda: _age(int(now)) >= ENCRYPTION_PERIOD_SECONDS, go_on)


def is_overdue(now: float) -> bool:
    """Whether a private key is there that should have been destroyed a day ago."""
    first = db.session.scalar(select(func.min(func.coalesce(CallbackKey.published_at, 0))))
    return first is not None and first < now - ROTATION_SECONDS - DAY_SECONDS


def _turn(folder: Path, now: int, is_due: Callable[[], bool], go_on: Continue) -> Rotation:
    with locked(folder):
        public_key.publish(Keyring(folder, (CALLBACK,)), now)  # unless it was: a run was killed, a backup restored
        if not _older(folder, CALLBACK) and is_due():
            _begin(folder, now)
        _forget_destroyed(folder)
        older = {purpose: _older(folder, purpose) for purpose in (CALLBACK, SEARCH)}
    done = Rotation()
    if not older[CALLBACK]:
        return done
    keyring = Keyring(folder, (CALLBACK, SEARCH))
    if _reseal_all(keyring, older[CALLBACK], done, go_on) and _hash_all(keyring, done, go_on):
        done.waits_until = _empty_since(now) + EMPTY_KEY_SECONDS
        if now >= done.waits_until:
            with locked(folder):
                _destroy(folder, older)
            done.destroyed, done.waits_until = len(older[CALLBACK]), None
    return done


def _begin(folder: Path, now: int) -> None:
    """Lay new keys and publish; the call-back key last, since by its older keys a turn under way is known."""
    for purpose in (SEARCH, CALLBACK):
        rotate_key(folder, purpose, datetime.fromtimestamp(now, UTC).date())
    public_key.publish(Keyring(folder, (CALLBACK,)), now)


def _older(folder: Path, purpose: str) -> list[str]:
    """The keys that stand before the active one; those behind it were laid out to be activated."""
    ring = read_ring(folder, purpose)
    ids = [key.id for key in ring.keys]
    return ids[: ids.index(ring.active)]


def _age(now: int) -> int:
    published = db.session.scalar(select(CallbackKey.published_at).where(CallbackKey.active))
    return now - (published or 0)


def _reseal_all(keyring: Keyring, older: Sequence[str], done: Rotation, go_on: Continue) -> bool:
    """Go over the boxes until none is left that an older key opens; False when told to end before."""
    while True:
        met: Counter[ReencryptResult] = Counter()
        for kind, rows in _batches(older):
            if not go_on():
                return False
            batch = Counter(_reseal(keyring, kind, row) for row in rows)
            if batch[ReencryptResult.REENCRYPTED]:  # no backup holds these boxes yet
                db.session.execute(update(CallbackKey).where(CallbackKey.active.is_(False)).values(empty_since=None))
            db.session.commit()
            done.resealed += batch[ReencryptResult.REENCRYPTED]
            met += batch
        if not met[ReencryptResult.REENCRYPTED] and not met[ReencryptResult.CHANGED]:
            done.unreadable = met[ReencryptResult.UNREADABLE]
            return True


def _batches(older: Sequence[str]) -> Iterator[tuple[EncryptedColumn, Sequence[Row[Any]]]]:
    """Everything sealed to one of these keys, a few rows at a time."""
    for kind in ENCRYPTED_COLUMNS:
        columns, last = kind.table.c, ""
        sealed = select(kind.table).where(columns[kind.key].in_(older)).order_by(columns.id).limit(BATCH)
        while rows := db.session.execute(sealed.where(columns.id > last)).all():
            db.session.commit()  # nothing is held while the boxes are opened
            yield kind, rows
            last = rows[-1].id


def _reseal(keyring: Keyring, kind: EncryptedColumn, row: Row[Any]) -> ReencryptResult:
    """Seal a box anew, unless it is no longer the one that was read. The caller commits."""
    box, key_id = getattr(row, kind.box), getattr(row, kind.key)
    try:
        anew = public_key.reencrypt(keyring, kind.place(row), box, key_id)
    except DecryptionError:
        return ReencryptResult.UNREADABLE
    columns = kind.table.c
    same = (columns.id == row.id, columns[kind.key] == key_id, columns[kind.box] == box)
    values = {kind.box: anew, kind.key: keyring.active_id(CALLBACK)}
    changed: Any = db.session.execute(update(kind.table).where(*same).values(values))
    return ReencryptResult.REENCRYPTED if changed.rowcount else ReencryptResult.CHANGED


def _hash_all(keyring: Keyring, done: Rotation, go_on: Continue) -> bool:
    """Hash every request with the new search key; False when told to end before."""
    contact_index.delete_contact_hashes(keyring.active_id(SEARCH))
    while go_on():
        found = contact_index.index_contacts(keyring)
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
