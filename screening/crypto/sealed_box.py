"""Encryption to a public key with libsodium's sealed box (X25519, XSalsa20-Poly1305). Pure.

The associated data is encrypted with the content and compared on decryption, so a ciphertext moved to another record
is refused. Plaintexts are padded.
"""

import json
from collections.abc import Mapping
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from screening.crypto import DecryptionError

PADDING_BLOCK = 1024
"""Plaintexts are padded to a multiple of this many bytes."""

ASSOCIATED_DATA = "place"
"""The JSON field that holds the associated data."""


def public_key_of(private: bytes) -> bytes:
    """Return the public key (32 bytes) that belongs to a private key (32 bytes)."""
    return bytes(PrivateKey(private).public_key)


def encrypt(public: bytes, associated_data: str, content: Mapping[str, Any]) -> bytes:
    """Return ``content`` (JSON values) encrypted to a public key, bound to ``associated_data``."""
    text = json.dumps({**content, ASSOCIATED_DATA: associated_data}, separators=(",", ":")).encode()
    return SealedBox(PublicKey(public)).encrypt(text.ljust(-len(text) // PADDING_BLOCK * -PADDING_BLOCK))


def decrypt(private: bytes, associated_data: str, ciphertext: bytes) -> dict[str, Any]:
    """Return the decrypted content. Raises DecryptionError: damaged, or bound to other associated data."""
    try:
        text = SealedBox(PrivateKey(private)).decrypt(ciphertext)
    except CryptoError as error:
        raise DecryptionError("damaged") from error
    content: dict[str, Any] = json.loads(text)
    if content.pop(ASSOCIATED_DATA, None) != associated_data:
        raise DecryptionError("bound to other associated data")
    return content
