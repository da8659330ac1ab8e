"""Cleaning of text that people type or paste. Pure: the standard library only.

White space never disappears between two words, and what cannot be seen never stays.
"""

import re
import unicodedata

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point without the joiners, and the blank Braille pattern."""

JOINED = "[\u0600-\u1fff\u2070-\U0010ffff]"
"""Scripts and emoji that joiners belong to; no Latin, Greek or Cyrillic letters."""

STRAY_JOINERS = re.compile(f"(?<!{JOINED})[\u200c\u200d]|[\u200c\u200d](?!{JOINED})")
JOINERS = re.compile("[\u200c\u200d]")
DASHES = re.compile("[\u058a\u05be\u1806\u2010-\u2015\u2043\u2212]|(?<=[0-9])\u30fc(?=[0-9])")
"""Typographic dashes, and the long vowel mark of Japanese where it stands between digits; elsewhere it is a letter."""

VISIBLE = frozenset("LNPS")
"""Major categories of Unicode with a shape of their own: letters, numbers, punctuation, symbols."""


def single_line(text: str | None) -> str:
    """Return the words of a text with single spaces between them. Empty if no character is visible."""
    return _visible(" ".join(_clean(text or "").split()))


def lines(text: str | None) -> str:
    """Return a text with line feeds between its lines, trimmed. Empty if no character is visible."""
    return _visible("\n".join(_clean(line).rstrip() for line in (text or "").splitlines()).strip("\n "))


def identifier(text: str | None) -> str:
    """Return one line in which full-width forms and typographic dashes are ASCII (NFKC), without any joiner.

    For phone numbers, email addresses, references and codes. Names keep their characters: see ``single_line``.
    """
    return single_line(DASHES.sub("-", unicodedata.normalize("NFKC", JOINERS.sub("", text or ""))))


def ascii_digits(text: str) -> str:
    """Return a text with the decimal digits of every script as 0 to 9."""
    return "".join(str(unicodedata.decimal(c, c)) for c in text)


def _clean(text: str) -> str:
    """Return a text with spaces for all white space, without controls, surrogates and invisible characters."""
    spaced = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs")
    )
    return STRAY_JOINERS.sub("", INVISIBLE.sub("", spaced))


def _visible(text: str) -> str:
    return text if any(unicodedata.category(c)[0] in VISIBLE for c in text) else ""
