"""The measured attack: how many rows stand alone for whoever knows period, age group, length of pain and four answers.

Computed from the lines of a data file alone; imports nothing of the package, so that it shares no code with the
anonymizer.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import groupby
from math import comb

KNOWN = 3
"""Columns that the attacker always knows: the first ones, the quasi-identifiers."""

ANSWERS = 4
"""Further columns whose codes the attacker knows."""

CODE_BITS = 16
"""Bits of a code in an encoded row."""


def measure(lines: Iterable[str]) -> dict[str, int]:
    """Return the mean and the worst share of rows that stand alone, over all sets of four answers, in whole percent.

    ``lines``: a data file, the header first, rows of equal quasi-identifiers next to each other, as in every release.
    Every code is a value that the attacker knows, whether an answer or not. Rows whose quasi-identifiers are masked are
    a group like any other: a combination in no row tells that its people are among them. A row of a wrong
    length, which the verifier reports, is counted by the cells it has.
    """
    source = (line.rstrip("\r\n") for line in lines)
    columns = max(next(source, "").count(",") + 1 - KNOWN, 0)
    codes: list[dict[str, int]] = [{} for _ in range(columns)]
    alone: Counter[int] = Counter()
    rows = 0
    different = ((line.split(",", KNOWN), sum(1 for _ in same)) for line, same in groupby(source))
    for _, group in groupby(different, key=lambda row: row[0][:KNOWN]):
        once: set[int] = set()
        often: set[int] = set()
        for parts, number in group:
            key, answers = 0, "".join(parts[KNOWN:]).split(",")[:columns]
            for place, code in enumerate(answers):
                key |= codes[place].setdefault(code, len(codes[place])) << (place * CODE_BITS)
            rows += number
            (once if number == 1 else often).add(key)
        varied = sorted(range(columns), key=lambda column: -len(codes[column]))
        _count(alone, once, often, tuple(varied), 0)
    sets = comb(columns, min(ANSWERS, columns))
    return {
        "mean_percent": _percent(alone.total(), rows * sets),
        "worst_percent": _percent(max(alone.values(), default=0), rows),
    }


def _count(alone: Counter[int], once: Collection[int], often: Collection[int], known: tuple[int, ...], at: int) -> None:
    """Add the rows that stand alone for each set of ``ANSWERS`` of the ``known`` columns, leaving out one at a time.

    ``once`` are the encoded rows that occur once, ``often`` the others. Columns before position ``at`` stay, so that
    every set is reached once. Fewer columns have fewer different rows: the most varied column is left out first.
    """
    if not once:
        return
    if len(known) <= ANSWERS:
        alone[sum(1 << column for column in known)] += len(once)
        return
    for position in range(at, ANSWERS + 1):
        left = known[:position] + known[position + 1 :]
        mask = sum(((1 << CODE_BITS) - 1) << (column * CODE_BITS) for column in left)
        seen = Counter(map(mask.__and__, once))
        repeated = set(map(mask.__and__, often)).union(key for key, number in seen.items() if number > 1)
        _count(alone, seen.keys() - repeated, repeated, left, position)


def _percent(part: int, whole: int) -> int:
    """Return a share in whole percent, half a percent rounded up; 0 of nothing."""
    return (200 * part + whole) // (2 * whole) if whole else 0
