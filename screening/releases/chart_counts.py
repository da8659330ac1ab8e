"""Counts for charts, computed when a release is made, with primary and secondary cell suppression.

Cells under k are suppressed (primary), then others (secondary), until of cells with a known sum either none is
suppressed, or at least two with k rows together.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from screening.releases.anonymise import ANY, SUPPRESSED
from screening.releases.row_format import NOT_NOTICED, NOTICED, RowFormat, Rows, count_patterns

CellCounts = dict[str, int | None]
"""Counts by code; None if suppressed."""

UNCLEAR = "open"
"""The code of rows in which a missing answer leaves the count undecided."""


def suppress(
    counts: Mapping[str, int], sums: Iterable[Collection[str]], k: int, totals: Mapping[str, int] | None = None
) -> CellCounts:
    """Return the counts after primary and secondary suppression.

    ``sums``: sets of cells whose sum a reader knows from elsewhere; the set of all cells is always one of them.
    ``totals``: known rows of each cell, so that the rest of them is a count to protect, too.
    """
    protected = [counts, {code: totals[code] - count for code, count in counts.items()}] if totals else [counts]
    hidden = {code for cells in protected for code, count in cells.items() if count < k}
    known = [*(set(cells) for cells in sums), set(counts)]  # smaller sets first: fewer cells are suppressed
    while disclosing := _disclosing(hidden, known, protected, k):
        hidden.add(min(disclosing - hidden, key=lambda code: (counts[code], code)))
    return {code: None if code in hidden else count for code, count in counts.items()}


def _disclosing(
    hidden: set[str], known: Iterable[set[str]], protected: Iterable[Mapping[str, int]], k: int
) -> set[str] | None:
    """Return the first set of cells, not all of them suppressed, whose sum discloses a suppressed count."""
    return next(
        (
            cells
            for cells in known
            if cells - hidden and any(_discloses(cells & hidden, counts, k) for counts in protected)
        ),
        None,
    )


def _discloses(hidden: Collection[str], counts: Mapping[str, int], k: int) -> bool:
    """Return whether the known sum of suppressed cells discloses a count, or bounds each of them under k."""
    return len(hidden) == 1 or (len(hidden) > 1 and sum(counts[code] for code in hidden) < k)


NOTICED_CODES = {NOTICED: True, NOT_NOTICED: False}


def count_tables(full: Rows, signs: Rows, shape: RowFormat, k: int) -> dict[str, Any]:
    """Return the tables of a release for JSON. Its rows are given in both details."""
    frequencies = {sign: Counter(dict.fromkeys(shape.codes(sign), 0)) for sign in shape.signs}
    for answers, number in count_patterns(full).items():
        for counts, code in zip(frequencies.values(), answers, strict=False):
            counts[code] += number
    noticed: Counter[str] = Counter(dict.fromkeys([*map(str, range(len(shape.signs) + 1)), UNCLEAR], 0))
    cycle: Counter[str] = Counter(dict.fromkeys(["both", "pain_only", "mood_only", "neither", UNCLEAR], 0))
    periods: dict[str, Counter[str]] = defaultdict(Counter)
    for period, answers, number in ((group[0], *item) for group, found in signs.items() for item in found.items()):
        seen = {sign: NOTICED_CODES.get(code) for sign, code in zip(shape.signs, answers, strict=True)}
        noticed[UNCLEAR if None in seen.values() else str(sum(map(bool, seen.values())))] += number
        cycle[_cycle(seen[shape.pain], [seen[sign] for sign in shape.mood])] += number
        periods[period].update({"rows": number} | {sign: number for sign, there in seen.items() if there})
    return {
        "rows": sum(counts["rows"] for counts in periods.values()),
        "signs": {sign: _frequencies(sign, counts, shape, k) for sign, counts in frequencies.items()},
        "noticed": suppress(noticed, [], k),
        "cycle": suppress(cycle, [], k),
        "periods": _periods(periods, shape, k),
    }


def _frequencies(sign: str, counts: Counter[str], shape: RowFormat, k: int) -> CellCounts:
    """Count the answers to a sign. The rows of ``signs`` disclose how many noticed it, so that sum is known."""
    noticed = {code for code in counts if shape.noticed(sign, code)}
    return suppress(counts, [noticed, set(counts) - noticed], k)


def _cycle(pain: bool | None, moods: Collection[bool | None]) -> str:
    """Return whether pain and a mood sign were both noticed; ``UNCLEAR`` if a missing answer could change it."""
    mood = True if any(moods) else None if None in moods else False
    if pain is None or mood is None:
        return UNCLEAR
    return {(True, True): "both", (True, False): "pain_only", (False, True): "mood_only"}.get((pain, mood), "neither")


def _periods(periods: Mapping[str, Counter[str]], shape: RowFormat, k: int) -> dict[str, Any]:
    """Count how many noticed each sign in each period; empty if there are fewer than two periods.

    Suppressed rows are a cell that is never shown but must be counted, since the sum over all rows is known. They do
    not state pain, so its sum is known without them.
    """
    shown = sorted(period for period in periods if period not in (ANY, SUPPRESSED))
    if len(shown) < 2:
        return {}
    found: dict[str, Any] = {period: {"rows": periods[period]["rows"], "noticed": {}} for period in shown}
    for sign in shape.signs:
        stated = shown if sign == shape.pain else list(periods)
        counts, totals = ({period: periods[period][of] for period in stated} for of in (sign, "rows"))
        cells = suppress(counts, [], k, totals)
        for period in shown:
            found[period]["noticed"][sign] = cells[period]
    return found
