"""What every release promises of its rows, judged from the rows alone."""

from __future__ import annotations

from collections.abc import Iterator

from screening.responses.verify.contract import (
    ANY,
    MOST_MASKED,
    MOST_NEARLY_EVERY_DAY,
    NEARLY_EVERY_DAY,
    NOT_NOTICED,
    NOTICED,
    POINTS,
    Expected,
    Finding,
    number,
)
from screening.responses.verify.rows import Figures, Group


def findings(name: str, figures: Figures, expected: Expected) -> Iterator[Finding]:
    """The promises that the rows break."""
    if not figures.rows:
        yield Finding(name, "there are no rows")
        return
    yield from crowd(name, figures, expected.k)
    yield from sensitive(name, figures, expected.sensitive)
    yield from masked(name, figures, expected.k)
    yield from one_level(name, figures, expected)


def crowd(name: str, figures: Figures, k: int) -> Iterator[Finding]:
    """Each combination of period, age band and pain duration occurs in k rows, also with "was pain named" added."""
    small = [group.rows for group in figures.groups.values() if group.rows < k]
    if small:
        yield Finding(name, f"{number(len(small), 'group has', 'groups have')} fewer than {k} rows, least {min(small)}")
        return
    parts = [rows for group in figures.groups.values() for rows in group.named.values() if rows < k]
    if parts:
        told = f"{number(len(parts), 'group has', 'groups have')} fewer than {k} rows, least {min(parts)}"
        yield Finding(name, f"by whether pain was named, {told}")


def sensitive(name: str, figures: Figures, question: str) -> Iterator[Finding]:
    """In each group some noticed the sensitive sign and some did not, and half at most nearly every day."""
    uniform = sum(1 for group in figures.groups.values() if not both(group))
    if uniform:
        groups = number(uniform, "group", "groups")
        yield Finding(name, f"in {groups} nobody noticed {question}, or everybody who answered")
    heavy = sum(1 for group in figures.groups.values() if share(group, NEARLY_EVERY_DAY) > MOST_NEARLY_EVERY_DAY)
    if heavy:
        groups = number(heavy, "group", "groups")
        yield Finding(name, f"in {groups} more than half told {question} nearly every day")


def both(group: Group) -> bool:
    """Whether some rows noticed the sensitive sign and some did not."""
    noticed = any(group.sensitive[code] for code in (*POINTS[1:], NOTICED))
    return noticed and any(group.sensitive[code] for code in (POINTS[0], NOT_NOTICED))


def share(group: Group, *codes: str) -> float:
    """The share of the codes among the rows that answered the sensitive question, 0 to 1."""
    answered = sum(group.sensitive[code] for code in (*POINTS, NOTICED, NOT_NOTICED))
    return sum(group.sensitive[code] for code in codes) / answered if answered else 0.0


def values(group: Group) -> int:
    """How many different answers to the sensitive question the group gives."""
    return sum(1 for code in (*POINTS, NOTICED, NOT_NOTICED) if group.sensitive[code])


def masked(name: str, figures: Figures, k: int) -> Iterator[Finding]:
    """Masked rows: none, or at least k and at most 5 % of the rows."""
    rows = figures.masked
    if 0 < rows < k:
        yield Finding(name, f"{number(rows, 'masked row', 'masked rows')}, fewer than {k}")
    if rows > MOST_MASKED * figures.rows:
        yield Finding(name, f"{rows} of {figures.rows} rows are masked, more than {MOST_MASKED:.0%}")


def one_level(name: str, figures: Figures, expected: Expected) -> Iterator[Finding]:
    """All rows tell a detail equally coarsely."""
    for place, column in ((1, "age_band"), (2, "pain_duration")):
        told = figures.told(place)
        levels = expected.levels(column).values()
        if told <= frozenset().union(*levels) and not any(told <= codes for codes in levels):
            yield Finding(f"{name} column {column}", "codes of several levels are mixed")
    periods = figures.told(0)
    if ANY in periods and len(periods) > 1:
        yield Finding(f"{name} column period", "periods of several levels are mixed")
