"""The only way to assert that a secret is absent from logs, headers, cookies, files and dumps."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

MIN_LETTERS = 12
"""Minimum length of a secret. Shorter ones occur by chance in random hexadecimal or base64, or in harmless words."""

PHONE_DIGITS = range(10, 16)
"""Number of digits of a phone number with its area code; E.164 allows at most 15."""


def assert_absent(secrets: Iterable[str], *haystacks: str | bytes | Path) -> None:
    """Fail if a secret occurs in a text, in bytes, or in a file (all files of a folder), in any spelling.

    The comparison ignores case. Phone numbers are matched whole, in every usual notation. Raises ValueError for a
    secret of fewer than 12 letters and digits that is no phone number.
    """
    spellings = {secret: [_folded(spelling) for spelling in spellings_of(secret)] for secret in secrets}
    if not spellings or not haystacks:
        raise ValueError("nothing to seek, or nothing to look through")
    for number, (source, content) in enumerate(_contents(haystacks), 1):
        for secret, written in spellings.items():
            found = [spelling for spelling in written if spelling in content]
            assert not found, f"{secret!r} stands in {source or f'haystack {number}'}, written {found[0]!r}"


def spellings_of(secret: str) -> list[str]:
    """Return every spelling to search for. Raises ValueError if random text could contain the secret."""
    digits = re.sub(r"\D", "", secret)
    if len(digits) in PHONE_DIGITS and re.fullmatch(r"[\d\s().+-]+", secret):
        return _phone_spellings(digits)
    if sum(letter.isalnum() for letter in secret) < MIN_LETTERS:
        raise ValueError(f"{secret!r} is too short to be sought: random text may hold it; take {MIN_LETTERS} letters")
    return list(dict.fromkeys((secret, quote(secret), quote_plus(secret), secret.encode("unicode_escape").decode())))


def _phone_spellings(digits: str) -> list[str]:
    area, prefix, line = digits[-10:-7], digits[-7:-4], digits[-4:]
    separators = ("", " ", "-", ".", "%20", "+", "\u00a0", "&nbsp;")
    written = [f"{area}{separator}{prefix}{separator}{line}" for separator in separators]
    written += [f"({area}){separator}{prefix}-{line}" for separator in separators]
    return [*written, quote(f"({area}) {prefix}-{line}"), quote_plus(f"({area}) {prefix}-{line}")]


def _contents(haystacks: Iterable[str | bytes | Path]) -> Iterable[tuple[str, bytes]]:
    for haystack in haystacks:
        if isinstance(haystack, Path):
            files = [file for file in haystack.rglob("*") if file.is_file()] if haystack.is_dir() else [haystack]
            yield from ((str(file), _folded(file.read_bytes())) for file in files)
        else:
            yield "", _folded(haystack)


def _folded(content: str | bytes) -> bytes:
    return content.encode(errors="surrogateescape").lower() if isinstance(content, str) else content.lower()
