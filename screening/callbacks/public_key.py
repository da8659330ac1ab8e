"""The public key that requests are encrypted to. A node that serves only visitors can write requests, not read them."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update

from screening.callbacks.models import CallbackKey
from screening.crypto import DecryptionError, sealed_box
from screening.crypto.keyring import CALLBACK, Keyring
from screening.database.upsert import upsert
from screening.extensions import db

KEY_LABEL = "sealed box"


class NoKeyError(RuntimeError):
    """No public key is published, so nothing can be encrypted. ``flask keys publish`` publishes one."""


def publish(keyring: Keyring, now: float) -> str:
    """Publish the active key of this machine's ring, so that new requests are encrypted to it; return its id.

    Idempotent. Commits. Raises StaleKeysError.
    """
    key_id = keyring.active_id(CALLBACK)
    published = db.session.scalars(select(CallbackKey).where(CallbackKey.active)).first()
    if published is not None and published.id == key_id:
        return key_id
    if published is not None:
        keyring.refuse_stale(CALLBACK, published.id, published.published_at)
    public = _public(keyring, key_id)
    db.session.execute(update(CallbackKey).where(CallbackKey.id != key_id).values(active=False))
    values = {"public": public, "active": True, "published_at": int(now), "empty_since": None}
    db.session.execute(upsert(db.session.get_bind().dialect, CallbackKey, {"id": key_id}, values))
    db.session.commit()
    return key_id


def summary_associated_data(request_id: str) -> str:
    """Return the associated data of a request's shared summary, which is encrypted separately."""
    return f"{request_id} summary"


def note_associated_data(request_id: str, note_id: str) -> str:
    """Return the associated data of a note."""
    return f"{request_id} {note_id}"


def encrypt(associated_data: str, content: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return ``content`` encrypted to the published key, and that key's id. Raises NoKeyError."""
    key = db.session.scalars(select(CallbackKey).where(CallbackKey.active)).first()
    if key is None:
        raise NoKeyError("no call-back key is published")
    return sealed_box.encrypt(key.public, associated_data, content), key.id


def reencrypt(keyring: Keyring, associated_data: str, ciphertext: bytes, key_id: str) -> bytes:
    """Return a ciphertext encrypted anew to the active key of this machine's ring. Raises DecryptionError."""
    content = decrypt(keyring, associated_data, ciphertext, key_id)
    return sealed_box.encrypt(_public(keyring, keyring.active_id(CALLBACK)), associated_data, content)


def decrypt(keyring: Keyring, associated_data: str, ciphertext: bytes | None, key_id: str | None) -> dict[str, Any]:
    """Return the decrypted content. Raises DecryptionError: erased, key missing, damaged, or other associated data."""
    if ciphertext is None or key_id is None:
        raise DecryptionError("erased")
    return sealed_box.decrypt(keyring.derive(CALLBACK, KEY_LABEL, key_id), associated_data, ciphertext)


def _public(keyring: Keyring, key_id: str) -> bytes:
    return sealed_box.public_key_of(keyring.derive(CALLBACK, KEY_LABEL, key_id))
