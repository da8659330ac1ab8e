"""Requests are sealed to a public key: a node that serves only visitors can write them and not read them.

A sealed box of libsodium (X25519, XSalsa20-Poly1305, the sender unknown). What is inside names the
place it belongs to, so a box that was moved to another request is refused. Boxes are padded, so
their size hardly tells how much somebody wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from sqlalchemy import select, update

from screening.callback.models import CallbackKey
from screening.extensions import db
from screening.keyring import CALLBACK, Keyring, UnsealableError

LABEL = "sealed box"
BLOCK = 1024
"""Texts are padded to a multiple of this many bytes."""


class NoKeyError(RuntimeError):
    """No public key is published yet, so nothing can be sealed: ``flask keys publish`` mends it."""


def publish(keyring: Keyring) -> str:
    """Let new requests be sealed to the active key of this machine's ring; its id. Commits."""
    key_id = keyring.active_id(CALLBACK)
    public = bytes(_private(keyring, key_id).public_key)
    db.session.execute(update(CallbackKey).where(CallbackKey.id != key_id).values(active=False))
    db.session.merge(CallbackKey(id=key_id, public=public, active=True))
    db.session.commit()
    return key_id


def summary_place(request_id: str) -> str:
    """The place of a request's shared summary, which is sealed apart from the rest."""
    return f"{request_id} summary"


def seal(place: str, content: Mapping[str, Any]) -> tuple[bytes, str]:
    """Seal what belongs to a place (an id): the box, and the id of the key it is sealed to. Raises NoKeyError."""
    key = db.session.scalars(select(CallbackKey).where(CallbackKey.active)).first()
    if key is None:
        raise NoKeyError("no call-back key is published")
    text = json.dumps({**content, "place": place}, separators=(",", ":")).encode()
    return SealedBox(PublicKey(key.public)).encrypt(text.ljust(-len(text) // BLOCK * -BLOCK)), key.id


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


def _private(keyring: Keyring, key_id: str) -> PrivateKey:
    return PrivateKey(keyring.derive(CALLBACK, LABEL, key_id))
