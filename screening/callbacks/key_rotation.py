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
"""Maximum lifetime of a private key in seconds."""

EMPTY_KEY_SECONDS = 26 * HOUR_SECONDS
"""Seconds that a private key is kept after the last row was re-encrypted: long enough for a daily backup."""

ENCRYPTION_PERIOD_SECONDS = ROTATION_SECONDS - EMPTY_KEY_SECONDS
"""Seconds for which rows are encrypted to a key before the next rotation begins."""

BATCH = 50
"""Rows re-encrypted in one transaction."""

Continue = Callable[[], bool]
"""Called between two batches: False ends the run, and the next one continues the rotation."""


@dataclass
class Rotation:
    """Result of a run: ciphertexts re-encrypted, requests indexed, ciphertexts unreadable, private keys destroyed.

    ``waits_until``: when the remaining older keys may be destroyed, in seconds since 1970, UTC.
    """

    reencrypted: int = 0
    hashed: int = 0
    unreadable: int = 0
    destroyed: int = 0
    waits_until: int | None = None


class ReencryptResult(Enum):
    """Result for one ciphertext: re-encrypted, changed by another transaction meanwhile, or not decryptable."""

    REENCRYPTED = "reencrypted"
    CHANGED = "changed"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class EncryptedColumn:
    """An encrypted column: its table, the columns of ciphertext and key id, and the associated data of a row."""

    table: Table
    ciphertext: str
    key_id: str
    associated_data: Callable[[Row[Any]], str]


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
"""Every column that is encrypted to the call-back key."""


def rotate(folder: Path, now: float, go_on: Continue = lambda: True) -> Rotation:
    """Begin a rotation, or continue the current one. ``folder`` holds this machine's key files.

    Safe to interrupt and to run concurrently. Needs an application context. Raises SQLAlchemyError and SettingsError
    (StaleKeysError if another machine rotated the key and its key file was not copied to this one).
    """
    return _rotate(folder, int(now), lambda: True, go_on)


def rotate_when_due(folder: Path, now: float, go_on: Continue = lambda: True) -> Rotation:
    """Continue a rotation, or begin one if the key is older than ``ENCRYPTION_PERIOD_SECONDS``. An hourly job."""
    return _rotate(folder, int(now), lambda: _age(int(now)) >= ENCRYPTION_PERIOD_SECONDS, go_on)


def is_overdue(now: float) -> bool:
    """Return whether a private key exists that should have been destroyed more than a day ago.

    A key that no row uses and that is about to be destroyed is not overdue, so a late rotation settles it.
    """
    in_time = CallbackKey.empty_since >= now - EMPTY_KEY_SECONDS - 2 * HOUR_SECONDS  # the worker looks hourly
    pending = func.coalesce(in_time, False)
    first = db.session.scalar(select(func.min(func.coalesce(CallbackKey.published_at, 0))).where(~pending))
    return first is not None and first < now - ROTATION_SECONDS - DAY_SECONDS


def _rotate(folder: Path, now: int, is_due: Callable[[], bool], go_on: Continue) -> Rotation:
    with locked(folder):
        # a run that was interrupted, or a restored backup, leaves this ring's key unpublished
        public_key.publish(Keyring(folder, (CALLBACK,)), now)
        if not _older(folder, CALLBACK) and is_due():
            _begin(folder, now)
        _delete_destroyed(folder)
        older = {purpose: _older(folder, purpose) for purpose in (CALLBACK, SEARCH)}
    done = Rotation()
    if not older[CALLBACK]:
        return done
    keyring = Keyring(folder, (CALLBACK, SEARCH))
    if _reencrypt_all(keyring, older[CALLBACK], done, go_on) and _index_all(keyring, done, go_on):
        done.waits_until = _empty_since(now) + EMPTY_KEY_SECONDS
        if now >= done.waits_until:
            with locked(folder):
                _destroy(folder, older)
            done.destroyed, done.waits_until = len(older[CALLBACK]), None
    return done


def _begin(folder: Path, now: int) -> None:
    """Make new keys and publish; the call-back key last, because an older one marks a rotation as in progress."""
    for purpose in (SEARCH, CALLBACK):
        rotate_key(folder, purpose, datetime.fromtimestamp(now, UTC).date())
    public_key.publish(Keyring(folder, (CALLBACK,)), now)


def _older(folder: Path, purpose: str) -> list[str]:
    """Return the ids of the keys before the active one in the key file; those after it are not active yet."""
    ring = read_ring(folder, purpose)
    ids = [key.id for key in ring.keys]
    return ids[: ids.index(ring.active)]


def _age(now: int) -> int:
    published = db.session.scalar(select(CallbackKey.published_at).where(CallbackKey.active))
    return now - (published or 0)


def _reencrypt_all(keyring: Keyring, older: Sequence[str], done: Rotation, go_on: Continue) -> bool:
    """Re-encrypt until no row is left that an older key decrypts; return False if ``go_on`` ended it before."""
    while True:
        results: Counter[ReencryptResult] = Counter()
        for column, rows in _batches(older):
            if not go_on():
                return False
            batch = Counter(_reencrypt(keyring, column, row) for row in rows)
            if batch[ReencryptResult.REENCRYPTED]:  # no backup holds these ciphertexts yet
                db.session.execute(update(CallbackKey).where(CallbackKey.active.is_(False)).values(empty_since=None))
            db.session.commit()
            done.reencrypted += batch[ReencryptResult.REENCRYPTED]
            results += batch
        if not results[ReencryptResult.REENCRYPTED] and not results[ReencryptResult.CHANGED]:
            done.unreadable = results[ReencryptResult.UNREADABLE]
            return True


def _batches(older: Sequence[str]) -> Iterator[tuple[EncryptedColumn, Sequence[Row[Any]]]]:
    """Yield the rows encrypted to one of these keys, ``BATCH`` at a time, with their column."""
    for column in ENCRYPTED_COLUMNS:
        columns, last = column.table.c, ""
        encrypted = select(column.table).where(columns[column.key_id].in_(older)).order_by(columns.id).limit(BATCH)
        while rows := db.session.execute(encrypted.where(columns.id > last)).all():
            db.session.commit()  # no transaction is open during decryption
            yield column, rows
            last = rows[-1].id


def _reencrypt(keyring: Keyring, column: EncryptedColumn, row: Row[Any]) -> ReencryptResult:
    """Re-encrypt one ciphertext, unless it changed since it was read. The caller commits."""
    old, key_id = getattr(row, column.ciphertext), getattr(row, column.key_id)
    try:
        new = public_key.reencrypt(keyring, column.associated_data(row), old, key_id)
    except DecryptionError:
        return ReencryptResult.UNREADABLE
    columns = column.table.c
    same = (columns.id == row.id, columns[column.key_id] == key_id, columns[column.ciphertext] == old)
    values = {column.ciphertext: new, column.key_id: keyring.active_id(CALLBACK)}
    changed: Any = db.session.execute(update(column.table).where(*same).values(values))
    return ReencryptResult.REENCRYPTED if changed.rowcount else ReencryptResult.CHANGED


def _index_all(keyring: Keyring, done: Rotation, go_on: Continue) -> bool:
    """Index every request with the new search key; return False if ``go_on`` ended it before."""
    contact_index.delete_contact_hashes(keyring.active_id(SEARCH))
    while go_on():
        found = contact_index.index_contacts(keyring)
        if not found:
            return True
        done.hashed += found
    return False


def _empty_since(now: int) -> int:
    """Return since when no row uses an older key, and store ``now`` if that is not set. 0 if none was published."""
    past = CallbackKey.active.is_(False)
    db.session.execute(update(CallbackKey).where(past, CallbackKey.empty_since.is_(None)).values(empty_since=now))
    db.session.commit()
    return db.session.scalar(select(func.max(CallbackKey.empty_since)).where(past)) or 0


def _destroy(folder: Path, older: dict[str, list[str]]) -> None:
    """Destroy these keys; the call-back keys last, so that an interrupted run is continued."""
    for purpose in (SEARCH, CALLBACK):
        destroy_keys(folder, purpose, older[purpose])
    _delete_destroyed(folder)


def _delete_destroyed(folder: Path) -> None:
    """Delete the public keys whose private keys are destroyed. Commits."""
    here = [key.id for key in read_ring(folder, CALLBACK).keys]
    db.session.execute(delete(CallbackKey).where(CallbackKey.active.is_(False), CallbackKey.id.not_in(here)))
    db.session.commit()
