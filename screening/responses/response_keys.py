"""The keys of pending responses: a new pair each day, whose private half only the worker reads.

Generations are ripe a day after their key was replaced, so each response waits one to two days. The private key of a
ripe generation is destroyed when no response needs it any more. The key file belongs to one database: of its keys
before the active one, those without a row in ``pending_key`` are destroyed.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import ColumnElement, delete, exists, select, update
from sqlalchemy.engine import Connection

from screening.crypto import sealed_box
from screening.crypto.key_files import destroy_keys, locked, read_ring, rotate_key
from screening.crypto.keyring import RESPONSES, Keyring
from screening.database.upsert import upsert
from screening.durations import DAY_SECONDS
from screening.extensions import db
from screening.responses.models import PENDING_BIND, PendingKey, PendingResponse

KEY_LABEL = "sealed box"

ACTIVE_SECONDS = DAY_SECONDS
"""Seconds for which responses are encrypted to a key before the worker replaces it."""

RIPE_SECONDS = DAY_SECONDS
"""Seconds after a key was replaced at which its responses are ripe to be shuffled."""

ACTIVE = PendingKey.replaced_at.is_(None)


def publish(keyring: Keyring, now: int) -> str:
    """Publish the active key of this ring, so that new responses are encrypted to it; return its id.

    Also store which published keys this ring holds. Idempotent. Raises StaleKeysError.
    """
    _note_held(keyring)
    key_id = keyring.active_id(RESPONSES)
    with db.engines[PENDING_BIND].begin() as connection:
        published = connection.execute(select(PendingKey.id, PendingKey.published_at).where(ACTIVE)).first()
        if published and published.id == key_id:
            return key_id
        if published:
            keyring.refuse_stale(RESPONSES, published.id, published.published_at)
        connection.execute(update(PendingKey).where(ACTIVE).values(replaced_at=now))
        values = {"published_at": now, "replaced_at": None, "held": True}
        public = sealed_box.public_key_of(keyring.derive(RESPONSES, KEY_LABEL, key_id))
        connection.execute(upsert(connection.dialect, PendingKey, {"id": key_id}, {"public": public, **values}))
    return key_id


def active_key(connection: Connection) -> tuple[str, bytes] | None:
    """Return id and public key that responses are encrypted to; None if none is published."""
    found = connection.execute(select(PendingKey.id, PendingKey.public).where(ACTIVE)).first()
    return (found.id, found.public) if found else None


def rotate_when_due(folder: Path, now: int) -> None:
    """Make and publish a new key if the active one is a day old. Idempotent. Raises SettingsError."""
    with locked(folder):
        publish(Keyring(folder, (RESPONSES,)), now)  # a run that was interrupted leaves a new key unpublished
        with db.engines[PENDING_BIND].connect() as connection:
            since = connection.execute(select(PendingKey.published_at).where(ACTIVE)).scalar_one()
        if not 0 <= now - since < ACTIVE_SECONDS:
            rotate_key(folder, RESPONSES, datetime.fromtimestamp(now, UTC).date())
            publish(Keyring(folder, (RESPONSES,)), now)


def ripe_keys(keyring: Keyring, now: int) -> list[str]:
    """Return the ids of the keys whose responses may be shuffled, and which this ring holds."""
    with db.engines[PENDING_BIND].connect() as connection:
        ripe = select(PendingKey.id).where(_is_ripe(now), PendingKey.id.in_(_ids(keyring)))
        return list(connection.execute(ripe).scalars())


def retired_keys(now: int) -> list[str]:
    """Return the ids of the ripe keys that no response is encrypted to."""
    with db.engines[PENDING_BIND].connect() as connection:
        return list(connection.execute(select(PendingKey.id).where(_is_ripe(now), _is_unused())).scalars())


def destroy_retired_keys(folder: Path, now: int) -> None:
    """Delete the public keys that no response is encrypted to, then destroy their private keys."""
    with locked(folder):
        with db.engines[PENDING_BIND].begin() as connection:
            connection.execute(delete(PendingKey).where(_is_ripe(now), _is_unused()))
            needed = set(connection.execute(select(PendingKey.id)).scalars())
        ring = read_ring(folder, RESPONSES)
        ids = [key.id for key in ring.keys]
        if retired := set(ids[: ids.index(ring.active)]) - needed:
            destroy_keys(folder, RESPONSES, retired)


def discard_unreadable(folder: Path) -> int:
    """Delete the responses that no key of this ring decrypts, and their replaced public keys; return how many."""
    missing = PendingKey.id.not_in(_ids(Keyring(folder, (RESPONSES,))))
    of_missing = PendingResponse.key_id.in_(select(PendingKey.id).where(missing))
    with db.engines[PENDING_BIND].begin() as connection:
        deleted = connection.execute(delete(PendingResponse).where(of_missing)).rowcount
        connection.execute(delete(PendingKey).where(missing))
    return deleted


def _note_held(keyring: Keyring) -> None:
    """Store for each published key whether this ring holds it; the doctor reports those that it does not."""
    held = PendingKey.id.in_(_ids(keyring))
    with db.engines[PENDING_BIND].begin() as connection:
        connection.execute(update(PendingKey).where(PendingKey.held != held).values(held=held))


def _ids(keyring: Keyring) -> Iterable[str]:
    return keyring.derive_all(RESPONSES, KEY_LABEL)


def _is_ripe(now: int) -> ColumnElement[bool]:
    return PendingKey.replaced_at <= now - RIPE_SECONDS


def _is_unused() -> ColumnElement[bool]:
    return ~exists().where(PendingResponse.key_id == PendingKey.id)
