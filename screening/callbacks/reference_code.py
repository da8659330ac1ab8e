"""The patient's reference: 13 random symbols of 31 (64 bits) and a check symbol.

31 is prime, so a weighted sum detects every single wrong symbol and every transposition.
"""

import hashlib
import re

SYMBOLS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""No 0 and O, no 1, I and L."""

LENGTH = 13
GROUPS = (4, 5, 5)


class BadReferenceError(ValueError):
    """This cannot be a reference: a symbol is missing, too many, or mistaken for another."""


def derive(secret: str) -> str:
    """The reference that goes with a secret of at least 64 random bits: always the same, and it tells nothing of it."""
    number = int.from_bytes(hashlib.sha256(b"reference\0" + secret.encode()).digest())
    places = []
    for _ in range(LENGTH):
        number, place = divmod(number, len(SYMBOLS))
        places.append(place)
    places.append(-_weighted(places) * pow(LENGTH + 1, -1, len(SYMBOLS)) % len(SYMBOLS))
    return _grouped("".join(SYMBOLS[place] for place in places))


def parse(text: str) -> str:
    """A reference as somebody typed it, in its proper form. Raises BadReferenceError."""
    symbols = re.sub(r"[\s.‐–—-]+", "", text).upper()
    if len(symbols) != LENGTH + 1 or not set(symbols) <= set(SYMBOLS):
        raise BadReferenceError("not a reference")
    if _weighted([SYMBOLS.index(symbol) for symbol in symbols]):
        raise BadReferenceError("mistyped")
    return _grouped(symbols)


def fingerprint(reference: str) -> str:
    """What is stored of a reference: enough to find it by, not to read it."""
    return hashlib.sha256(b"fingerprint\0" + reference.encode()).hexdigest()


def _weighted(places: list[int]) -> int:
    return sum(weight * place for weight, place in enumerate(places, 1)) % len(SYMBOLS)


def _grouped(symbols: str) -> str:
    groups, start = [], 0
    for size in GROUPS:
        groups.append(symbols[start : start + size])
        start += size
    return "-".join(groups)
