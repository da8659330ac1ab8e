"""The patient's reference: 13 random symbols of 31 (64 bits) and a check symbol.

31 is prime, so a weighted sum detects every single wrong symbol and every transposition.
"""

import hashlib
import re

from screening.web.typed_text import identifier

SYMBOLS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Digits and letters without 0 and O, 1, I and L, which are easily mistaken for each other."""

LENGTH = 13
GROUPS = (4, 5, 5)

SEPARATORS = r"[\s._-]*"
_GROUPS = SEPARATORS.join(f"[{SYMBOLS}]{{{size}}}" for size in GROUPS)
_ANY_GROUPS = SEPARATORS.join([f"[{SYMBOLS}]"] * (LENGTH + 1))
IN_GROUPS, IN_ANY_GROUPS = (re.compile(rf"(?<![A-Z0-9])(?=({form})(?![A-Z0-9]))") for form in (_GROUPS, _ANY_GROUPS))
"""A reference between other words. The lookahead lets matches overlap: a word before it may consist of symbols."""


class BadReferenceError(ValueError):
    """Not a reference: wrong length, unknown symbols, or a wrong check symbol."""


def derive(secret: str) -> str:
    """Return the reference of a secret of at least 64 random bits: a one-way function of it."""
    number = int.from_bytes(hashlib.sha256(b"reference\0" + secret.encode()).digest())
    digits = []
    for _ in range(LENGTH):
        number, digit = divmod(number, len(SYMBOLS))
        digits.append(digit)
    digits.append(-_weighted_sum(digits) * pow(LENGTH + 1, -1, len(SYMBOLS)) % len(SYMBOLS))
    return _grouped("".join(SYMBOLS[digit] for digit in digits))


def parse(text: str) -> str:
    """Return the reference in a text that may have other words, in canonical form. Raises BadReferenceError."""
    typed = identifier(text).upper()
    for pattern in (IN_GROUPS, IN_ANY_GROUPS):
        for found in pattern.finditer(typed):
            symbols = re.sub(SEPARATORS, "", found[1])
            if not _weighted_sum([SYMBOLS.index(symbol) for symbol in symbols]):
                return _grouped(symbols)
    raise BadReferenceError("no reference, or mistyped")


def fingerprint(reference: str) -> str:
    """Return the hash of a reference that is stored, to look it up by."""
    return hashlib.sha256(b"fingerprint\0" + reference.encode()).hexdigest()


def _weighted_sum(digits: list[int]) -> int:
    return sum(weight * digit for weight, digit in enumerate(digits, 1)) % len(SYMBOLS)


def _grouped(symbols: str) -> str:
    groups, start = [], 0
    for size in GROUPS:
        groups.append(symbols[start : start + size])
        start += size
    return "-".join(groups)
