"""Patterns of personal data in texts: dates, times, e-mail addresses, phone numbers, ids; and formulas.

Dates follow Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): nothing finer than the year.
"""

import re
from collections.abc import Iterable, Iterator

MONTHS = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|ene|abr|ago|dic)[a-z]{0,7}"

MONTH_NAMES = (
    ("January", "enero"),
    ("February", "febrero"),
    ("March", "marzo"),
    ("April", "abril"),
    ("May", "mayo"),
    ("June", "junio"),
    ("July", "julio"),
    ("August", "agosto"),
    ("September", "septiembre"),
    ("October", "octubre"),
    ("November", "noviembre"),
    ("December", "diciembre"),
)

CODE_PATTERNS = {
    "an e-mail address": r"[^\s@,;:<>()\"']{1,64}@[\w-]+\.\w",
    "a date or time finer than a year": "|".join(
        (
            r"(?<!\d)(?:19|20)\d\d[-/.](?:\d\d?|q[1-4]|w\d\d)(?!\d|\.\d)",
            r"(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)",
            r"(?<![\d.])\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d\d)(?!\d|\.\d)",
            r"(?<![\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?!\d)",
            r"(?<!\d)1[0-9]\d{8}(?:\d{3})?(?!\d)",
            rf"\b{MONTHS}\.?\s+(?:de\s+)?(?:\d{{1,2}},?\s+)?(?:19|20)\d\d\b",
        )
    ),
    "a phone number": "|".join(
        (
            r"(?<![\d.])(?:\+\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\s?\d{3}[ .-]\d{4}(?!\d)",
            r"\+\d[\d .-]{7,}\d",
            r"(?<![\d.])\d{10,11}(?!\d)",
        )
    ),
    "an id": r"(?<![0-9a-z])(?:(?=[a-f]*\d)[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
}
PII_PATTERNS = {what: re.compile(pattern, re.IGNORECASE) for what, pattern in CODE_PATTERNS.items()}
FORMULA = re.compile(r"^[=+\-@\t\r]")
NUMBER = re.compile(r"^[+-]?\d+(?:\.\d+)?$")


def spelled(periods: Iterable[str]) -> Iterator[str]:
    """Yield each month among the periods, such as ``2026-11``, in words, as a codebook does."""
    for year, _, month in (period.partition("-") for period in periods):
        if month.isdecimal():
            english, spanish = MONTH_NAMES[int(month) - 1]
            yield from (f"{english} {year}", f"{spanish} de {year}")


def pattern_of(text: str, known: Iterable[str] = ()) -> Iterator[str]:
    """Yield each kind of personal data in a text once; ``known`` texts, such as stated periods, are allowed."""
    for word in known:
        text = re.sub(rf"(?<![\w./-]){re.escape(word)}(?![\w:-]|[./]\w)", " ", text)
    for what, pattern in PII_PATTERNS.items():
        if pattern.search(text):
            yield what


def formula(cell: str) -> bool:
    """Return whether a spreadsheet would run the cell as a formula (OWASP: CSV injection); a number is none."""
    return FORMULA.match(cell) is not None and NUMBER.match(cell) is None


def of_cell(cell: str, known: Iterable[str] = ()) -> Iterator[str]:
    """Yield what ``pattern_of`` does, and formulas, for a cell of a table."""
    yield from pattern_of(cell, known)
    if formula(cell):
        yield "a formula"
