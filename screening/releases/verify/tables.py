"""Checks of ``tables.json``: no small count, none that can be computed from others, none that differs from the rows."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from screening.releases.verify.rows import Figures
from screening.releases.verify.spec import (
    ANY,
    DECLINED,
    IN_SIGNS,
    NOT_ANSWERED,
    NOT_NOTICED,
    NOTICED,
    POINTS,
    SUPPRESSED,
    Finding,
    ReleaseSpec,
    number,
    shown,
)

KEYS = ("rows", "signs", "noticed", "cycle", "periods")
CODES = (*POINTS, DECLINED, NOT_ANSWERED, SUPPRESSED)
CYCLE = ("both", "pain_only", "mood_only", "neither", "open")
Counts = dict[str, Any]


def findings(tables: Any, figures: Figures, expected: ReleaseSpec) -> Iterator[Finding]:
    """Yield disclosed and wrong counts."""
    if not isinstance(tables, dict):
        yield Finding("tables.json", "not an object")
        return
    for key in set(tables) ^ set(KEYS):
        yield Finding("tables.json", f"{shown(key)} is {'missing' if key in KEYS else 'no table of a release'}")
    if tables.get("rows") != figures.rows:
        yield Finding("tables.json rows", f"the rows say {figures.rows}")
    for where, counts, keys, rows in partitions(tables, figures, expected):
        for what in faults(counts, keys, rows, expected.k):
            yield Finding(f"tables.json {where}", what)
    yield from recounted(tables, figures)


def partitions(
    tables: Counts, figures: Figures, expected: ReleaseSpec
) -> Iterator[tuple[str, Any, tuple[str, ...], int | None]]:
    """Yield each table: place, counts, allowed keys and, if its counts add up to all rows, their number."""
    noticed = (*(str(n) for n in range(len(expected.signs) + 1)), "open")
    yield "noticed", tables.get("noticed"), noticed, figures.rows
    yield "cycle", tables.get("cycle"), CYCLE, figures.rows
    yield from ((f"signs.{shown(sign)}", counts, CODES, figures.rows) for sign, counts in inside(tables, "signs"))
    for sign in set(dict(inside(tables, "signs"))) ^ set(expected.signs):
        yield f"signs.{shown(sign)}", None, CODES, None
    periods = figures.codes(0) - {ANY}
    for period, table in inside(tables, "periods"):
        right = isinstance(table, dict) and set(table) == {"rows", "noticed"} and period in periods
        yield f"periods.{shown(period)}", table["noticed"] if right else None, expected.signs, None
        yield f"periods.{shown(period)}.rows", {"rows": table["rows"]} if right else None, ("rows",), None


def inside(tables: Counts, key: str) -> list[tuple[str, Any]]:
    """Return the tables nested under a key."""
    table = tables.get(key)
    return list(table.items()) if isinstance(table, dict) else []


def faults(counts: Any, keys: tuple[str, ...], rows: int | None, k: int) -> Iterator[str]:
    """Yield the faults of one table; ``rows`` is the sum of its counts."""
    if not isinstance(counts, dict) or not all(value is None or type(value) is int for value in counts.values()):
        yield "not a table of counts"
        return
    if not set(counts) <= set(keys):
        yield "a key that no table has"
    seen = [value for value in counts.values() if value is not None]
    small = sum(1 for value in seen if value < 0 or 0 < value < k)
    if small:
        yield f"{number(small, 'count', 'counts')} under {k} shown"
    if rows is None:
        return
    hidden = len(counts) - len(seen)
    if hidden == 1:
        yield "the only hidden count can be computed"
    if sum(seen) > rows or (not hidden and sum(seen) != rows):
        yield "the counts do not add up to the rows"


def recounted(tables: Counts, figures: Figures) -> Iterator[Finding]:
    """Yield counts that differ from the rows; rows of detail ``signs`` verify sums of the frequencies."""
    signs = figures.layout.expected.signs
    totals: dict[str, Counter[str]] = {sign: Counter() for sign in signs}
    noticed: Counter[str] = Counter()
    for pattern, rows in figures.sign_patterns().items():
        answered = all(code in (NOTICED, NOT_NOTICED) for code in pattern)
        noticed[str(pattern.count(NOTICED)) if answered else "open"] += rows
    for pattern, rows in figures.patterns.items():
        for sign, code in zip(signs, pattern, strict=False):
            totals[sign][code] += rows
    generalized_as = IN_SIGNS if figures.layout.detail == "signs" else {}
    counted = [(f"signs.{sign}", table, totals.get(sign), generalized_as) for sign, table in inside(tables, "signs")]
    for where, table, right, names in [*counted, ("noticed", tables.get("noticed"), noticed, {})]:
        if isinstance(table, dict) and right is not None and (wrong := differing(table, right, names)):
            yield Finding(f"tables.json {where}", f"{number(wrong, 'count is', 'counts are')} wrong")


def differing(counts: Counts, right: Counter[str], names: Mapping[str, str]) -> int:
    """Return the number of wrong counts; codes with one name in the rows are added up, if none is hidden."""
    sums: Counter[str] = Counter()
    hidden = set()
    for code, value in counts.items():
        name = names.get(code, code)
        sums[name] += value if type(value) is int else 0
        if value is None:
            hidden.add(name)
    return sum(1 for name, total in sums.items() if name not in hidden and total != right[name])


def parse_tables(raw: bytes) -> Any:
    """Return the tables, None when they are not JSON."""
    try:
        return json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
