"""Counts for charts, computed when a release is made, with cell suppression.

Cells under k are suppressed, and others with them: of cells with a known sum either none is suppressed, or at least
two that hold k rows together.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from screening.releases.anonymise import ANY, SUPPRESSED
from screening.releases.hierarchies import QUASI_IDENTIFIERS
from screening.releases.row_format import Row, RowFormat

CellCounts = dict[str, int | None]
"""Counts by code; None where a count is hidden."""

UNCLEAR = "open"
"""Where an answer that is not told leaves a count open."""


def suppress(
    counts: Mapping[str, int], sums: Iterable[Collection[str]], k: int, also: Collection[str] = ()
) -> CellCounts:
    """The counts with those under ``k`` hidden, and as many more as it takes that none can be worked out.

    ``sums``: the sets of cells whose sum a reader knows from elsewhere; that of all cells is always one.
    ``also``: cells to hide in any case.
    """
    hidden = {code for code, count in counts.items() if count < k} | set(also)
    known = [*(set(cells) for cells in sums), set(counts)]  # the smaller sets first: they hide less
    while True:
        generalized = next((cells for cells in known if _tells(cells & hidden, counts, k) and cells - hidden), None)
        if generalized is None:
            return {code: None if code in hidden else count for code, count in counts.items()}
        hidden.add(min(generalized - hidden, key=lambda code: (counts[code], code)))


def _tells(hidden: Collection[str], counts: Mapping[str, int], k: int) -> bool:
    """Whether the sum of some hidden cells says too much of each."""
    return len(hidden) == 1 or (len(hidden) > 1 and sum(counts[code] for code in hidden) < k)


def count_tables(rows: Iterable[tuple[Row, int]], shape: RowFormat, k: int) -> dict[str, Any]:
    """Every table of a release, as JSON takes it. ``rows``: how often each row in full occurs."""
    frequencies = {sign: Counter(dict.fromkeys(shape.codes(sign), 0)) for sign in shape.signs}
    noticed: Counter[str] = Counter(dict.fromkeys([*map(str, range(len(shape.signs) + 1)), UNCLEAR], 0))
    cycle: Counter[str] = Counter(dict.fromkeys(["both", "pain_only", "mood_only", "neither", UNCLEAR], 0))
    periods: dict[str, Counter[str]] = defaultdict(Counter)
    for row, number in rows:
        answers = dict(zip(shape.signs, row[len(QUASI_IDENTIFIERS) :], strict=False))
        seen = {sign: shape.noticed(sign, code) for sign, code in answers.items()}
        for sign, code in answers.items():
            frequencies[sign][code] += number
        noticed[UNCLEAR if None in seen.values() else str(sum(map(bool, seen.values())))] += number
        cycle[_cycle(seen[shape.pain], [seen[sign] for sign in shape.mood])] += number
        periods[row[0]].update({"rows": number} | {sign: number for sign, there in seen.items() if there})
    return {
        "rows": sum(counts["rows"] for counts in periods.values()),
        "signs": {sign: _frequencies(sign, counts, shape, k) for sign, counts in frequencies.items()},
        "noticed": suppress(noticed, [], k),
        "cycle": suppress(cycle, [], k),
        "periods": _periods(periods, shape.signs, k),
    }


def _frequencies(sign: str, counts: Counter[str], shape: RowFormat, k: int) -> CellCounts:
    """How often each frequency was answered; who has the rows of ``signs`` knows how many noticed the sign at all."""
    noticed = {code for code in counts if shape.noticed(sign, code)}
    return suppress(counts, [noticed, set(counts) - noticed], k)


def _cycle(pain: bool | None, moods: Collection[bool | None]) -> str:
    """Whether pain and a mood sign were both there; open where what is not told could change it."""
    mood = True if any(moods) else None if None in moods else False
    if pain is None or mood is None:
        return UNCLEAR
    return {(True, True): "both", (True, False): "pain_only", (False, True): "mood_only"}.get((pain, mood), "neither")


def _periods(periods: Mapping[str, Counter[str]], signs: Collection[str], k: int) -> dict[str, Any]:
    """How many noticed each sign, period by period; nothing where no two periods are told.

    Masked rows are a cell as well, which is never shown: the sum of all is known.
    """
    generalized = sorted(period for period in periods if period not in (ANY, SUPPRESSED))
    if len(generalized) < 2:
        return {}
    found: dict[str, Any] = {period: {"rows": periods[period]["rows"], "noticed": {}} for period in generalized}
    for sign in signs:
        counts = {period: periods[period][sign] for period in periods}
        others_few = {period for period in generalized if periods[period]["rows"] - counts[period] < k}
        cells = suppress(counts, [], k, others_few)
        for period in generalized:
            found[period]["noticed"][sign] = cells[period]
    return found
