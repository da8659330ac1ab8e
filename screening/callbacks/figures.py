"""Weekly counts of requests, published so that no single person can be recognized. Pure.

Four weeks form a block. If no count of a block needs to be hidden, it is published by week, else as one, with primary
and secondary suppression; never as both, since the difference would disclose what is hidden.
"""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, TypeVar

from screening.callbacks.business_hours import Calendar, business_days_overdue, open_seconds

FIRST_WEEK = date(2024, 1, 1)
"""The Monday from which blocks are counted."""

WEEKS = 4
WEEK = timedelta(days=7)

SOON_SECONDS = 2 * 60 * 60
"""Open seconds within which a first call counts as soon."""

ANSWERED, FIRST, ENDED = "answered", "first", "ended"
FIGURES = (ANSWERED, FIRST, ENDED)
"""The figures; each request has one value of each."""

WAITS = ("soon", "same_day", "next_day", "later")
"""The values of ``FIRST`` of those who were called, from the shortest wait to the longest."""

TOTAL = ""
"""The code of all languages together, and of all values."""

Count = tuple[str, str, str, str]
"""What is counted: Monday of the week (ISO), language, figure, value."""

Cell = tuple[str, str, str]
"""A published count: language, figure, value."""

ALL: Cell = (TOTAL, TOTAL, TOTAL)

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Course:
    """What became of one request. ``contacts``: time and outcome of calls and e-mails, in order."""

    asked_at: int
    due_at: int
    language: str
    withdrawn: bool
    contacts: tuple[tuple[int, str], ...]


def week_of(at: float, calendar: Calendar) -> date:
    """Return the Monday of a moment's week at the clinic."""
    day = datetime.fromtimestamp(at, calendar.zone).date()
    return day - timedelta(days=day.weekday())


def block_of(week: date) -> date:
    """Return the first Monday of a week's block."""
    return week - (week - FIRST_WEEK) % (WEEKS * WEEK)


def counts_of(course: Course, calendar: Calendar, now: float) -> list[Count]:
    """Return the counts to which a request adds one: one of each figure."""
    first = course.contacts[0][0] if course.contacts else None
    if first is not None:
        answered = "in_time" if first <= course.due_at else "late"
    else:
        answered = "none" if course.withdrawn or now <= course.due_at else "late"
    ended = "withdrawn" if course.withdrawn else course.contacts[-1][1] if course.contacts else "none"
    values = {ANSWERED: answered, FIRST: _wait(course, first, calendar), ENDED: ended}
    week = week_of(course.asked_at, calendar).isoformat()
    return [(week, course.language, figure, value) for figure, value in values.items()]


def publish(block: date, counts: Mapping[Count, int], k: int) -> dict[str, Any]:
    """Return a block's tables for JSON: requests by week, and the cells of each period. None: hidden."""
    mondays = [block + number * WEEK for number in range(WEEKS)]
    weeks = {monday.isoformat(): _cells(counts, [monday]) for monday in mondays}
    totals = {week: cells.get(ALL, 0) for week, cells in weeks.items()}
    requests = suppress({**totals, TOTAL: sum(totals.values())}, [(TOTAL, [*totals])], k)
    periods = [(week, 1, suppress_cells(cells, k)) for week, cells in weeks.items()]
    if any(None in cells.values() for _, _, cells in periods):
        periods = [(block.isoformat(), WEEKS, suppress_cells(_cells(counts, mondays), k))]
    return {
        "requests": {week: requests[week] for week in totals},
        "periods": [
            {"start": start, "weeks": length, "cells": [[*cell, count] for cell, count in sorted(cells.items())]}
            for start, length, cells in periods
        ],
    }


def median_wait(counts: Mapping[str, int | None]) -> str | None:
    """Return the value in the middle of a period's published waits; None if one is hidden, or no patient was called.

    It follows from the published counts. A median in minutes would be the wait of a single person.
    """
    called = [count for count in (counts.get(value, 0) for value in WAITS) if count is not None]
    if len(called) < len(WAITS) or not sum(called):
        return None
    return next(value for value, up_to in zip(WAITS, accumulate(called), strict=True) if 2 * up_to >= sum(called))


def suppress_cells(cells: Mapping[Cell, int], k: int) -> dict[Cell, int | None]:
    """Return a period's cells after suppression, by the sums that a reader knows."""
    languages = sorted({language for language, _, _ in cells} - {TOTAL})
    values = sorted({cell[1:] for cell in cells})
    lines = [((TOTAL, *value), [(language, *value) for language in languages]) for value in values]
    for language in [*languages, TOTAL]:
        for figure in FIGURES:
            parts = [(language, *value) for value in values if value[0] == figure]
            lines.append(((language, TOTAL, TOTAL), parts))
    return suppress(cells, lines, k)


def suppress(cells: Mapping[Key, int], lines: Iterable[tuple[Key, list[Key]]], k: int) -> dict[Key, int | None]:
    """Return cells after primary and secondary suppression: None if hidden. Zeros are shown.

    ``lines``: a total, and the cells that add up to it. Of a line, total included, no cell or several are hidden, and
    hidden cells of a total that is shown are at least k together.
    """
    hidden, known = {cell for cell, count in cells.items() if 0 < count < k}, list(lines)
    while True:
        found = next((line for line in known if _discloses(*line, cells, hidden, k)), None)
        if found is None:
            return {cell: None if cell in hidden else count for cell, count in cells.items()}
        total, parts = found
        spare = [cell for cell in parts if cell not in hidden and cells[cell]]
        hidden.add(min(spare, key=lambda cell: (cells[cell], cell)) if spare else total)


def _discloses(total: Key, parts: list[Key], cells: Mapping[Key, int], hidden: set[Key], k: int) -> bool:
    inside = [cell for cell in parts if cell in hidden]
    if total in hidden:
        return not inside
    return len(inside) == 1 or (bool(inside) and sum(cells[cell] for cell in inside) < k)


def _wait(course: Course, first: int | None, calendar: Calendar) -> str:
    """Return how long the first call took: open time, then days on which the clinic opened meanwhile."""
    if first is None:
        return "none"
    asked, called = (datetime.fromtimestamp(moment, UTC) for moment in (course.asked_at, first))
    if open_seconds(calendar, asked, called) <= SOON_SECONDS:
        return "soon"
    return {0: "same_day", 1: "next_day"}.get(business_days_overdue(calendar, asked, called), "later")


def _cells(counts: Mapping[Count, int], mondays: Collection[date]) -> Counter[Cell]:
    """Return the counts of some weeks with their totals, with a zero for each value that occurs in a language."""
    weeks, found = {monday.isoformat() for monday in mondays}, Counter[Cell]()
    for (week, language, figure, value), count in counts.items():
        if week in weeks:
            found[language, figure, value] += count
            found[TOTAL, figure, value] += count
            if figure == FIGURES[0]:
                found[language, TOTAL, TOTAL] += count
                found[ALL] += count
    languages, values = {language for language, _, _ in found}, {cell[1:] for cell in found}
    return Counter({(language, *value): found[language, *value] for language in languages for value in values})
