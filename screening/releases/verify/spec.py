"""The specification of a release: columns, codes and bounds; and the class of findings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

QUASI_IDENTIFIERS = ("period", "age_band", "pain_duration")
IMPLIED = ("questionnaire", "version")
"""Unspecified columns; if present, they count as quasi-identifiers, too."""

SUPPRESSED, ANY = "masked", "any"
DECLINED, NOT_ANSWERED, NOT_SHOWN = "declined", "not_answered", "not_shown"
NOTICED, NOT_NOTICED = "noticed", "not_noticed"
POINTS = ("0", "1", "2", "3")
NEARLY_EVERY_DAY = POINTS[-1]
IN_SIGNS = {"0": NOT_NOTICED, "1": NOTICED, "2": NOTICED, "3": NOTICED}
"""Codes of detail ``full`` converted to detail ``signs``; all other codes are equal in both."""

SIGN_CODES = {
    "full": frozenset((*POINTS, DECLINED, NOT_ANSWERED)),
    "signs": frozenset((NOTICED, NOT_NOTICED, DECLINED, NOT_ANSWERED)),
}
AVERAGE_CODES = frozenset((*(str(n) for n in range(11)), DECLINED, NOT_SHOWN, NOT_ANSWERED, SUPPRESSED))

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
    omitted). ``sensitive`` and ``pain`` are two of the ``signs``.
    """

    signs: tuple[str, ...]
    age_bands: Mapping[str, frozenset[str]]
    pain_durations: Mapping[str, frozenset[str]]
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
