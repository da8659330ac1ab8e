"""Recomputes primary and secondary cell suppression: no count too few hidden, and none too many."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from screening.releases.verify.spec import number

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Cells:
    """The cells of one table, counted from the rows.

    ``rows``: the rows of which each cell counts some, where a reader knows them; then the rest is protected, too.
    ``known``: sets of cells whose sum a reader knows. ``exact``: whether the rows state each count, not only such sums.
    """

    counts: Counts
    rows: Counts | None = None
    known: tuple[frozenset[str], ...] = ()
    exact: bool = True

    @property
    def protected(self) -> list[Counts]:
        """The counts that must not be disclosed."""
        rest = {code: self.rows[code] - count for code, count in self.counts.items()} if self.rows else None
        return [self.counts] if rest is None else [self.counts, rest]

    def small(self, k: int) -> set[str]:
        """Return the cells that must be hidden."""
        return {code for counts in self.protected for code, count in counts.items() if count < k}


def faults(shown: Mapping[str, Any], cells: Cells, k: int) -> Iterator[str]:
    """Yield the faults of a table; ``shown`` maps its cells to the count shown, None if hidden."""
    small = cells.small(k) if cells.exact else set()
    hidden = {code for code, value in shown.items() if value is None}
    stated = sum(1 for code, value in shown.items() if value is not None and (value < k or code in small))
    if stated:
        yield f"{number(stated, 'count', 'counts')} under {k} shown"
    sets = [*cells.known, frozenset(cells.counts)]
    if any(len(part & hidden) == 1 and part - hidden for part in sets):
        yield "the only hidden count can be computed"
    elif given_away(hidden, sets, cells.protected, k):
        yield f"hidden counts add up to fewer than {k}"
    elif cells.exact:
        spare = needless(hidden, small, sets, cells.protected, k)
        if spare:
            yield f"{number(spare, 'count is', 'counts are')} hidden without need"


def needless(hidden: set[str], small: set[str], sets: list[frozenset[str]], protected: Iterable[Counts], k: int) -> int:
    """Return how many hidden counts could be shown; at most one for each known sum protects small ones."""
    extra = sorted(hidden - small)
    for needed in range(min(len(extra), len(sets) + 1)):
        for some in combinations(extra, needed):
            if not given_away(small.union(some), sets, protected, k):
                return len(extra) - needed
    return 0


def given_away(hidden: set[str], sets: Iterable[frozenset[str]], protected: Iterable[Counts], k: int) -> bool:
    """Return whether a known sum discloses a hidden count, or bounds each of several under k."""
    parts = [part & hidden for part in sets if not part <= hidden]
    return any(
        len(part) == 1 or any(sum(counts[code] for code in part) < k for counts in protected) for part in parts if part
    )
