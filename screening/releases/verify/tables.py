"""Checks of ``tables.json``: the counts of the rows, and suppressed as they must be."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from screening.releases.verify.rows import Figures
from screening.releases.verify.spec import ANY, NOT_NOTICED, NOTICED, SUPPRESSED, Finding, ReleaseSpec, number, shown
from screening.releases.verify.suppression import Cells, faults

KEYS = ("rows", "signs", "noticed", "cycle", "periods")
CYCLE = {(True, True): "both", (True, False): "pain_only", (False, True): "mood_only", (False, False): "neither"}
UNCLEAR = "open"
Counts = dict[str, Any]


def findings(tables: Any, figures: Figures, expected: ReleaseSpec) -> Iterator[Finding]:
    """Yield disclosed, wrong and needlessly hidden counts."""
    if not isinstance(tables, dict):
        yield Finding("tables.json", "not an object")
        return
    for key in set(tables) ^ set(KEYS):
        yield Finding("tables.json", f"{shown(key)} is {'missing' if key in KEYS else 'no table of a release'}")
    if tables.get("rows") != figures.rows:
        yield Finding("tables.json rows", f"the rows say {figures.rows}")
    for where, counts, cells in partitions(tables, figures, expected):
        for what in table_faults(counts, cells, expected.k):
            yield Finding(f"tables.json {where}", what)


def partitions(tables: Counts, figures: Figures, expected: ReleaseSpec) -> Iterator[tuple[str, Any, Cells]]:
    """Yield each table: its place, its counts, and the cells that the rows require."""
    noticed, cycle = by_signs(figures, expected)
    yield "noticed", tables.get("noticed"), Cells(noticed)
    yield "cycle", tables.get("cycle"), Cells(cycle)
    signs = inside(tables, "signs")
    for sign in sorted(signs.keys() | set(expected.signs)):
        yield f"signs.{shown(sign)}", signs.get(sign), sign_cells(sign, signs.get(sign), figures)
    periods = inside(tables, "periods")
    stated = figures.codes(0) - {ANY}
    stated = stated if len(stated) > 1 else set()
    for period in sorted(periods.keys() | stated):
        table = inside(periods, period)
        right = set(table) == {"rows", "noticed"} and set(inside(table, "noticed")) == set(expected.signs)
        rows = {"rows": table["rows"]} if right and period in stated else None
        yield f"periods.{shown(period)}", rows, Cells({"rows": figures.periods.get(period, Counter())["rows"]})
    for sign in expected.signs if stated else ():
        column = {period: inside(inside(periods, period), "noticed").get(sign) for period in stated}
        yield f"periods, {shown(sign)}", *period_cells(sign, column, figures, expected)


def by_signs(figures: Figures, expected: ReleaseSpec) -> tuple[Counter[str], Counter[str]]:
    """Return the rows by the number of signs noticed, and by whether pain and a mood sign were."""
    noticed = Counter(dict.fromkeys([*(str(n) for n in range(len(expected.signs) + 1)), UNCLEAR], 0))
    cycle = Counter(dict.fromkeys([*CYCLE.values(), UNCLEAR], 0))
    for pattern, rows in figures.sign_patterns().items():
        missing = any(code not in (NOTICED, NOT_NOTICED) for code in pattern)
        noticed[UNCLEAR if missing else str(pattern.count(NOTICED))] += rows
        answers = dict(zip(expected.signs, pattern, strict=True))
        moods = [answers[sign] for sign in expected.mood]
        unclear = answers[expected.pain] not in (NOTICED, NOT_NOTICED)
        unclear |= NOTICED not in moods and any(code != NOT_NOTICED for code in moods)
        cycle[UNCLEAR if unclear else CYCLE[answers[expected.pain] == NOTICED, NOTICED in moods]] += rows
    return noticed, cycle


def sign_cells(sign: str, table: Any, figures: Figures) -> Cells:
    """Return the cells of the answers to a sign; rows of detail ``signs`` state only sums of the frequencies."""
    expected = figures.layout.expected
    if sign not in expected.signs:
        return Cells({})
    right: Counter[str] = Counter(dict.fromkeys(expected.codes[sign], 0))
    names, place = expected.in_signs[sign], expected.signs.index(sign)
    for pattern, rows in figures.patterns.items():
        right[pattern[place]] += rows
    noticed = frozenset(code for code, name in names.items() if name == NOTICED)
    exact = figures.layout.detail == "full"
    counts = right if exact else estimated(right, names, table if isinstance(table, dict) else {})
    return Cells(counts, known=(noticed, frozenset(counts) - noticed), exact=exact)


def estimated(right: Counter[str], names: Mapping[str, str], table: Counts) -> dict[str, int]:
    """Return counts with the right sum for each code of detail ``signs``, as near to the table as possible."""
    counts = {code: rows for code, rows in right.items() if code not in names.values()}
    for name in dict.fromkeys(names.values()):
        members = sorted((code for code in names if names[code] == name), key=lambda code: table.get(code) is not None)
        given = {code: table[code] if type(table.get(code)) is int else 0 for code in members}
        counts |= given | {members[0]: given[members[0]] + right[name] - sum(given.values())}
    return counts


def period_cells(sign: str, column: Counts, figures: Figures, expected: ReleaseSpec) -> tuple[Counts, Cells]:
    """Return a sign's counts by period and the cells required. Suppressed rows are a cell, except of pain."""
    counted = [period for period in figures.periods if period != SUPPRESSED or sign != expected.pain]
    cells = Cells(
        {period: figures.periods[period][sign] for period in counted},
        {period: figures.periods[period]["rows"] for period in counted},
    )
    if SUPPRESSED in counted:
        column = column | {SUPPRESSED: None if SUPPRESSED in cells.small(expected.k) else cells.counts[SUPPRESSED]}
    return column, cells


def inside(tables: Counts, key: str) -> Counts:
    """Return the table nested under a key; an empty one if there is none."""
    table = tables.get(key)
    return table if isinstance(table, dict) else {}


def table_faults(counts: Any, cells: Cells, k: int) -> Iterator[str]:
    """Yield the faults of one table."""
    if not isinstance(counts, dict) or not all(value is None or type(value) is int for value in counts.values()):
        yield "not a table of counts"
        return
    if set(counts) != set(cells.counts):
        yield "not the cells that the rows have"
        return
    wrong = sum(1 for code, value in counts.items() if value not in (None, cells.counts[code]))
    if wrong:
        yield f"{number(wrong, 'count is', 'counts are')} wrong"
    yield from faults(counts, cells, k)


def parse_tables(raw: bytes) -> Any:
    """Return the tables, None when they are not JSON."""
    try:
        return json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
