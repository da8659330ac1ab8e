"""Checks of the header line, and of cells by their column."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from screening.releases.verify import pii_patterns
from screening.releases.verify.spec import ANY, IMPLIED, QUASI_IDENTIFIERS, SUPPRESSED, ReleaseSpec, shown

PERIODS = {"month": r"\d{4}-(?:0[1-9]|1[0-2])", "quarter": r"\d{4}-Q[1-4]", "year": r"\d{4}", ANY: ANY}
NOT_STATED = rf"{PERIODS['year']}|{ANY}"
"""Valid periods without a manifest: no finer than a year."""


@dataclass(frozen=True)
class Columns:
    """The columns of a data file, and the levels its manifest states (none without a manifest)."""

    names: tuple[str, ...]
    levels: Mapping[str, str]
    expected: ReleaseSpec

    @property
    def detail(self) -> str:
        """``full`` with frequencies and average pain, else ``signs``."""
        return "full" if self.expected.pain_average in self.names else "signs"

    @property
    def columns(self) -> tuple[str, ...]:
        """The specified columns of this detail."""
        return self.expected.columns(self.detail)

    @property
    def keys(self) -> list[int]:
        """The positions of the quasi-identifiers, unspecified ones included."""
        return [self.names.index(name) for name in (*QUASI_IDENTIFIERS, *IMPLIED) if name in self.names]

    @property
    def answers(self) -> list[int]:
        """The positions of the answers."""
        return [self.names.index(name) for name in self.columns[len(QUASI_IDENTIFIERS) :]]

    def missing(self) -> list[str]:
        """Return the specified columns that are missing."""
        return [name for name in self.columns if name not in self.names]

    def findings(self) -> Iterator[tuple[str, str]]:
        """Yield place and kind of each fault of the header."""
        for place, name in enumerate(self.names, 1):
            if name not in self.columns:
                yield f"column {place}, {shown(name)}", "no release has this column"
            elif name in self.names[: place - 1]:
                yield f"column {place}, {shown(name)}", "this column occurs twice"
        for name in self.missing():
            yield f"column {name}", "is missing"
        known = [name for name in self.names if name in self.columns]
        if not self.missing() and known != list(self.columns) and len(known) == len(self.columns):
            yield "header", "the columns stand in another order than specified"

    def fault(self, column: str, cell: str) -> str | None:
        """Return what is wrong with a cell, without its text; None when it is valid."""
        if column == "period":
            pattern = PERIODS.get(self.levels.get(column, ""), NOT_STATED)
            right, fault = (
                cell == SUPPRESSED or re.fullmatch(pattern, cell) is not None,
                "not a period of the stated level",
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
        """Return the valid codes of a column at the level its manifest states, without one at any level."""
        if column in QUASI_IDENTIFIERS:
            levels = self.expected.levels(column)
            stated = levels.get(self.levels.get(column, ""))
            return (frozenset().union(*levels.values()) if stated is None else stated) | {SUPPRESSED}
        return self.expected.answers(column, self.detail)
