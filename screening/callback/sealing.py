"""Requests are sealed to a public key: a node that serves only visitors can write them and not read them.

A sealed box of libsodium (X25519, XSalsa20-Poly1305, the sender unknown). What is inside names the
place it belongs to, so a box that was moved to another request is refused. Boxes are padded, so
their size hardly tells how much somebody wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from sqlalchemy import select, update

from screening.callback.models import CallbackKey
from screening.config import SettingsError
from screening.extensions import db
from screening.keyring import CALLBACK, Keyring, UnsealableError

LABEL = "sealed box"
BLOCK = 1024
"""Texts are padded to a multiple of this many bytes."""


class NoKeyError(RuntimeError):
    """No public key is published yet, so nothing can be sealed: ``flask keys publish`` mends it."""


class StaleKeysError(SettingsError):
    """This machine's key file is from before the published key was made: sealing to its key could lose requests."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"callback.toml here is older than the published key {key_id}: copy it from the machine that turned the key"
        )


def publish(keyring: Keyring, now: float) -> str:
    """Let new requests be sealed to the active key of this machine's ring; its id. Commits.

    Publishing the same key again changes nothing. Raises StaleKeysError.
    """
    key_id = keyring.active_id(CALLBACK)
    published = db.session.scalars(select(CallbackKey).where(CallbackKey.active)).first()
    if published is not None and published.id == key_id:
        return key_id
    if published is not None and _is_stale(keyring, published):
        raise StaleKeysError(published.id)
    public = bytes(_private(keyring, key_id).public_key)
    db.session.execute(update(CallbackKey).where(CallbackKey.id != key_id).values(active=False))
    db.session.merge(CallbackKey(id=key_id, public=public, active=True, published_at=int(now), empty_since=None))
    db.session.commit()
    return key_id


def _is_stale(keyring: Keyring, published: CallbackKey) -> bool:
    """Whether the published key is unknown here and was published after this ring's own was made.

    An unknown key that is older came with a database that was restored; publishing the own key mends that.
    """
    if published.id in keyring.derive_all(CALLBACK, LABEL) or published.published_at is None:
        return False
    return keyring.made(CALLBACK) < datetime.fromtimestamp(published.published_at, UTC).date()


def summary_place(request_id: str) -> str:
    """The place of a request's shared summary, which is sealed apart from the rest."""
    return f"{request_id} summary"


def note_place(request_id: str, note_id: str) -> str:
    """The place of a note."""
    return f"{request_id} {note_id}"


def seal(place: str, content: Mapping[str, Any]) -> tuple[bytes, str]:
    """Seal what belongs to a place (an id): the box, and the id of the key it is sealed to. Raises NoKeyError."""
    key = db.session.scalars(select(CallbackKey).where(CallbackKey.active)).first()
    if key is None:
        raise NoKeyError("no call-back key is published")
    return _boxed(PublicKey(key.public), place, content), key.id


def reseal(keyring: Keyring, place: str, box: bytes, key_id: str) -> bytes:
    """What was sealed for a place, sealed anew to the active key of this machine's ring. Raises UnsealableError."""
    content = unseal(keyring, place, box, key_id)
    return _boxed(_private(keyring, keyring.active_id(CALLBACK)).public_key, place, content)


def unseal(keyring: Keyring, place: str, box: bytes | None, key_id: str | None) -> dict[str, Any]:
    """Open what was sealed for a place. Raises UnsealableError: key gone, damaged, or sealed for another."""
    if box is None or key_id is None:
        raise UnsealableError("erased")
    try:
        text = SealedBox(_private(keyring, key_id)).decrypt(box)
    except CryptoError as error:
        raise UnsealableError("damaged") from error
    content: dict[str, Any] = json.loads(text)
    if content.pop("place", None) != place:
        raise UnsealableError("sealed for another place")
    return content


def _boxed(key: PublicKey, place: str, content: Mapping[str, Any]) -> bytes:
    text = json.dumps({**content, "place": place}, separators=(",", ":")).encode()
    return SealedBox(key).encrypt(text.ljust(-len(text) // BLOCK * -BLOCK))


def _private(keyring: Keyring, key_id: str) -> PrivateKey:
    return PrivateKey(keyring.derive(CALLBACK, LABEL, key_id))
