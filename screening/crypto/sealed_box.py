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
"""Plaintexts are padded to a multiple of this many bytes, unless a caller chooses its own block."""

ASSOCIATED_DATA = "place"
"""The JSON field that holds the associated data."""


def public_key_of(private: bytes) -> bytes:
    """Return the public key (32 bytes) that belongs to a private key (32 bytes)."""
    return bytes(PrivateKey(private).public_key)


def encrypt(public: bytes, associated_data: str, content: Mapping[str, Any], block: int = PADDING_BLOCK) -> bytes:
    """Return ``content`` (JSON values) encrypted to a public key, bound to ``associated_data``.

    The plaintext is padded to a multiple of ``block`` bytes.
    """
    text = json.dumps({**content, ASSOCIATED_DATA: associated_data}, separators=(",", ":")).encode()
    return SealedBox(PublicKey(public)).encrypt(text.ljust(-len(text) // block * -block))


def decrypt(private: bytes, associated_data: str, ciphertext: bytes) -> dict[str, Any]:
    """Return the decrypted content. Raises DecryptionError: damaged, or bound to other associated data."""
    try:
        content = json.loads(SealedBox(PrivateKey(private)).decrypt(ciphertext))
    except CryptoError as error:
        raise DecryptionError("damaged") from error
    except ValueError as error:
        raise DecryptionError("not JSON") from error
    if not isinstance(content, dict) or content.pop(ASSOCIATED_DATA, None) != associated_data:
        raise DecryptionError("bound to other associated data")
    return content
