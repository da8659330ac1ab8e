"""What a release is promised to be: the columns, the codes and the bounds, and how a breach is told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

QUASI_IDENTIFIERS = ("period", "age_band", "pain_duration")
IMPLIED = ("questionnaire", "version")
"""Columns no release has. Where somebody put them in, they count as quasi-identifiers too."""

SUPPRESSED, ANY = "masked", "any"
DECLINED, NOT_ANSWERED, NOT_SHOWN = "declined", "not_answered", "not_shown"
NOTICED, NOT_NOTICED = "noticed", "not_noticed"
POINTS = ("0", "1", "2", "3")
NEARLY_EVERY_DAY = POINTS[-1]
IN_SIGNS = {"0": NOT_NOTICED, "1": NOTICED, "2": NOTICED, "3": NOTICED}
"""How an answer in full reads where only the sign is told; every other code stays."""

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
    """The file cannot be read to its end; the text says why in one line."""


@dataclass(frozen=True)
class Finding:
    """One breach of what a release promises: where it is and what it is, never the cell's own words."""

    where: str
    what: str

    def __str__(self) -> str:
        return " ".join(f"{self.where}: {self.what}".split())


@dataclass(frozen=True)
class ReleaseSpec:
    """What the verifier is told of the questionnaire and the ladders; all else it takes from the file.

    ``age_bands`` and ``pain_durations`` map each level's name to the codes it may show (``as_asked`` first;
    ``any`` need not be named). ``sensitive`` and ``pain`` are two of the ``signs``.
    """

    signs: tuple[str, ...]
    age_bands: Mapping[str, frozenset[str]]
    pain_durations: Mapping[str, frozenset[str]]
    k: int = 11
    sensitive: str = "hopelessness"
    pain: str = "pain"
    pain_average: str = "pain_average"

    def columns(self, detail: str) -> tuple[str, ...]:
        """The columns of a release's rows in their order."""
        last = (self.pain_average,) if detail == "full" else ()
        return (*QUASI_IDENTIFIERS, *self.signs, *last)

    def levels(self, column: str) -> dict[str, frozenset[str]]:
        """The codes of each level of an age band or pain duration, ``any`` among them."""
        hierarchy = self.age_bands if column == "age_band" else self.pain_durations
        return {**hierarchy, ANY: frozenset((ANY,))}


DATA_FILE = re.compile(r"(?:R-[0-9]{4,9}-)?(signs|full)\.csv")


def detail_of(entry: str) -> str | None:
    """The detail that a data file has by its name; None for a file that is none."""
    named = DATA_FILE.fullmatch(entry)
    return named[1] if named else None


def shown(name: str) -> str:
    """A column's, key's or entry's name when it is plain enough to print; somebody may have put a person there."""
    plain = re.fullmatch(r"[A-Za-z_\[][A-Za-z0-9_./\[\] -]{0,59}", name) and not re.search(r"[0-9]{5}", name)
    return name if plain else "(a name not shown)"


def number(things: int, one: str, many: str) -> str:
    """``1 cell``, ``12 cells``."""
    return f"{things} {one if things == 1 else many}"
