"""The specification of a release: columns, codes and bounds; and the class of findings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

QUASI_IDENTIFIERS = ("period", "age_band", "pain_duration")
IMPLIED = ("questionnaire", "version")
"""Unspecified columns; if present, they count as quasi-identifiers, too."""

SUPPRESSED, ANY = "masked", "any"
NOT_ANSWERED, NOT_SHOWN = "not_answered", "not_shown"
NOTICED, NOT_NOTICED = "noticed", "not_noticed"

MIN_K = 5
MAX_SUPPRESSED_SHARE = 0.05
MAX_SENSITIVE_SHARE = 0.5
MIN_SENSITIVE_VALUES = 2


class UnreadableError(Exception):
    """The file cannot be read completely; the message says why in one line."""


@dataclass(frozen=True)
class Finding:
    """One violation of the specification: its place and kind, never the text of a cell."""

    where: str
    what: str

    def __str__(self) -> str:
        return " ".join(f"{self.where}: {self.what}".split())


@dataclass(frozen=True)
class ReleaseSpec:
    """The verifier's input on questionnaire and hierarchies; all else comes from the file.

    ``age_bands`` and ``pain_durations`` map each level's id to its codes (``as_asked`` first; ``any`` may be
    omitted). ``codes`` maps each sign and the average pain to its answers: code and points (None if it has none).
    ``sensitive``, ``pain`` and ``mood`` are ``signs``; ``pain_named``: the answers to pain that ask for its duration.
    """

    signs: tuple[str, ...]
    age_bands: Mapping[str, frozenset[str]]
    pain_durations: Mapping[str, frozenset[str]]
    codes: Mapping[str, Mapping[str, int | None]]
    mood: tuple[str, ...]
    pain_named: frozenset[str]
    k: int = 11
    sensitive: str = "hopelessness"
    pain: str = "pain"
    pain_average: str = "pain_average"

    def columns(self, detail: str) -> tuple[str, ...]:
        """Return the columns of a detail in order."""
        last = (self.pain_average,) if detail == "full" else ()
        return (*QUASI_IDENTIFIERS, *self.signs, *last)

    def levels(self, column: str) -> dict[str, frozenset[str]]:
        """Return the codes of each level of age band or pain duration, including ``any``."""
        hierarchy = self.age_bands if column == "age_band" else self.pain_durations
        return {**hierarchy, ANY: frozenset((ANY,))}

    @cached_property
    def in_signs(self) -> dict[str, dict[str, str]]:
        """For each sign: the codes of detail ``full`` converted to detail ``signs``; all others are equal in both."""
        return {
            sign: {
                c: NOTICED if worth > 0 else NOT_NOTICED for c, worth in self.codes[sign].items() if worth is not None
            }
            for sign in self.signs
        }

    def answers(self, column: str, detail: str) -> frozenset[str]:
        """Return the valid codes of a sign or of the average pain."""
        if column == self.pain_average:
            return frozenset((*self.codes[column], NOT_ANSWERED, NOT_SHOWN, SUPPRESSED))
        names = self.in_signs[column] if detail == "signs" else {}
        codes = {names.get(code, code) for code in self.codes[column]} | {NOT_ANSWERED}
        return frozenset(codes | ({SUPPRESSED} if column == self.pain else set()))

    @cached_property
    def answered(self) -> dict[str, bool]:
        """The answers to the sensitive question in either detail, by whether the sign was noticed."""
        names = self.in_signs[self.sensitive]
        return {code: name == NOTICED for code, name in names.items()} | {NOTICED: True, NOT_NOTICED: False}

    @cached_property
    def strongest(self) -> str:
        """The answer to the sensitive question with the most points."""
        points = {code: worth for code, worth in self.codes[self.sensitive].items() if worth is not None}
        return max(points, key=lambda code: points[code])


DATA_FILE = re.compile(r"(?:R-[0-9]{4,9}-)?(signs|full)\.csv")


def detail_of(entry: str) -> str | None:
    """Return the detail of a data file by its name; None for other files."""
    named = DATA_FILE.fullmatch(entry)
    return named[1] if named else None


def shown(name: str) -> str:
    """Return a column's, key's or entry's name if it is safe to print, since it may contain personal data."""
    plain = re.fullmatch(r"[A-Za-z_\[][A-Za-z0-9_./\[\] -]{0,59}", name) and not re.search(r"[0-9]{5}", name)
    return name if plain else "(a name not shown)"


def number(things: int, one: str, many: str) -> str:
    """Format a number with its noun: ``1 cell``, ``12 cells``."""
    return f"{things} {one if things == 1 else many}"
