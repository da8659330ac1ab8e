"""Two words by which a patient knows that the clinic calls: derived from the reference, in the request's language.

The reference is the key: only the patient holds it, and the database stores a hash of it. The words are stored twice:
in the encrypted request, for staff, and encrypted with the reference, for the patient's page, which a machine without
private keys shows. So both stay the same after a key rotation, and after a change of the list.
"""

import hmac
import tomllib
from collections.abc import Mapping
from pathlib import Path

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

FILE = Path(__file__).with_suffix(".toml")

WORDS: Mapping[str, tuple[str, ...]] = {
    language: tuple(words.split()) for language, words in tomllib.loads(FILE.read_text(encoding="utf-8")).items()
}
"""The words by language. Others than these languages have the English ones."""

SEALED_BYTES = 64
"""The length to which words are padded before encryption."""


def call_words(reference: str, language: str) -> str:
    """Return the two different words of a request, such as ``maple lantern``."""
    words = WORDS.get(language, WORDS["en"])
    number = int.from_bytes(hmac.digest(reference.encode(), b"call words", "sha256"))
    number, first = divmod(number, len(words))
    second = (first + 1 + number % (len(words) - 1)) % len(words)
    return f"{words[first]} {words[second]}"


def seal(words: str, reference: str) -> bytes:
    """Return the words encrypted with their request's reference."""
    return bytes(_box(reference).encrypt(words.encode().ljust(SEALED_BYTES)))


def unseal(sealed: bytes, reference: str) -> str:
    """Return the words from ``seal``; empty if they are damaged."""
    try:
        return _box(reference).decrypt(sealed).decode().rstrip()
    except CryptoError:
        return ""


def _box(reference: str) -> SecretBox:
    return SecretBox(hmac.digest(reference.encode(), b"key of call words", "sha256"))
