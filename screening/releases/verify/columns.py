"""The header line: which columns there are, and which codes each may hold."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from screening.releases.verify import pii_patterns
from screening.releases.verify.spec import (
    ANY,
    AVERAGE_CODES,
    IMPLIED,
    QUASI_IDENTIFIERS,
    SIGN_CODES,
    SUPPRESSED,
    ReleaseSpec,
    shown,
)

PERIODS = {"month": r"\d{4}-(?:0[1-9]|1[0-2])", "quarter": r"\d{4}-Q[1-4]", "year": r"\d{4}", ANY: ANY}
NOT_STATED = rf"{PERIODS['year']}|{ANY}"
"""What a period may be where no manifest tells its level: no finer than a year."""


@dataclass(frozen=True)
class Columns:
    """The columns of the rows at hand, and the levels their manifest claims (none when there is no manifest)."""

    names: tuple[str, ...]
    levels: Mapping[str, str]
    expected: ReleaseSpec

    @property
    def detail(self) -> str:
        """``full`` where frequencies and average pain are told, else ``signs``."""
        return "full" if self.expected.pain_average in self.names else "signs"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns a release of this detail has."""
        return self.expected.columns(self.detail)

    @property
    def keys(self) -> list[int]:
        """Where the quasi-identifiers stand, planted ones too."""
        return [self.names.index(name) for name in (*QUASI_IDENTIFIERS, *IMPLIED) if name in self.names]

    @property
    def answers(self) -> list[int]:
        """Where the answers stand."""
        return [self.names.index(name) for name in self.columns[len(QUASI_IDENTIFIERS) :]]

    def missing(self) -> list[str]:
        """Columns that a release has and these rows have not."""
        return [name for name in self.columns if name not in self.names]

    def findings(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the header: where, and what."""
        for place, name in enumerate(self.names, 1):
            if name not in self.columns:
                yield f"column {place}, {shown(name)}", "no release has this column"
            elif name in self.names[: place - 1]:
                yield f"column {place}, {shown(name)}", "this column is there twice"
        for name in self.missing():
            yield f"column {name}", "is missing"
        known = [name for name in self.names if name in self.columns]
        if not self.missing() and known != list(self.columns) and len(known) == len(self.columns):
            yield "header", "the columns stand in another order than agreed"

    def fault(self, column: str, cell: str) -> str | None:
        """What is wrong with a cell of the column, without its words; None when it is as agreed."""
        if column == "period":
            pattern = PERIODS.get(self.levels.get(column, ""), NOT_STATED)
            right, fault = (
                cell == SUPPRESSED or re.fullmatch(pattern, cell) is not None,
                "not a period of the level told",
            )
        elif column in self.columns:
            right, fault = cell in self.codes(column), "not a code of this column"
        else:
            right, fault = True, ""
        leaks = [] if right and column in self.columns else list(pii_patterns.of_cell(cell))
        if right and not leaks:
            return None
        return " and ".join(part for part in (fault, *(f"looks like {leak}" for leak in leaks)) if part)

    def codes(self, column: str) -> frozenset[str]:
        """The codes a column may hold at the level its manifest claims, else at any level."""
        if column in QUASI_IDENTIFIERS:
            levels = self.expected.levels(column)
            generalized = levels.get(self.levels.get(column, ""))
            return (frozenset().union(*levels.values()) if generalized is None else generalized) | {SUPPRESSED}
        if column == self.expected.pain_average:
            return AVERAGE_CODES
        return SIGN_CODES[self.detail] | ({SUPPRESSED} if column == self.expected.pain else frozenset())
