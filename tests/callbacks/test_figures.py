"""Figures: equal to a plain count, and without a small count that a reader could work out."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from screening.callbacks import figures
from screening.callbacks.business_hours import Calendar
from screening.callbacks.figures import ALL, FIGURES, TOTAL, Course

DENVER = ZoneInfo("America/Denver")
CALENDAR = Calendar(
    ((time(8), time(17)),) * 5 + (None, None), frozenset({date(2026, 11, 26)}), DENVER, ((time(12), time(13)),) * 7
)
K = 11
MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60
OUTCOMES = ("spoke_booked", "spoke", "no_answer", "busy", "stop")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=DENVER).timestamp())


def course(
    asked: str, first: str = "", outcome: str = "spoke", due: str = "2026-12-31 17:00", **more: object
) -> Course:
    values = {"language": "en", "withdrawn": False, "contacts": ((at(first), outcome),) if first else ()} | more
    return Course(asked_at=at(asked), due_at=at(due), **values)


def values_of(one: Course, now: str = "2027-01-01 09:00") -> list[str]:
    return [value for _, _, _, value in figures.counts_of(one, CALENDAR, at(now))]


def test_wait_is_counted_in_open_hours_then_in_open_days():
    waits = {
        ("2026-11-23 09:00", "2026-11-23 11:00"): "soon",
        ("2026-11-23 11:00", "2026-11-23 14:00"): "soon",  # an hour of it is lunch break
        ("2026-11-23 09:00", "2026-11-23 11:01"): "same_day",
        ("2026-11-23 16:00", "2026-11-24 09:00"): "soon",
        ("2026-11-23 09:00", "2026-11-24 09:00"): "next_day",
        ("2026-11-22 12:00", "2026-11-23 10:01"): "next_day",
        ("2026-11-25 16:30", "2026-11-27 09:30"): "soon",  # the holiday is not open time
        ("2026-11-25 09:00", "2026-11-27 16:00"): "next_day",
        ("2026-11-23 09:00", "2026-11-25 09:00"): "later",
    }
    found = {times: values_of(course(*times))[1] for times in waits}
    assert found == waits


def test_first_contact_decides_and_the_last_one_is_the_end():
    both = ((at("2026-11-24 10:00"), "no_answer"), (at("2026-11-26 10:00"), "spoke_booked"))
    one = course("2026-11-23 09:00", due="2026-11-24 17:00", contacts=both)
    assert values_of(one) == ["in_time", "next_day", "spoke_booked"]
    late = course("2026-11-23 09:00", "2026-11-24 17:01", due="2026-11-24 17:00")
    assert values_of(late)[0] == "late"


def test_request_without_a_call_is_late_only_after_its_due_time():
    waiting = course("2026-11-23 09:00", due="2026-11-24 17:00")
    assert values_of(waiting, "2026-11-24 17:00") == ["none", "none", "none"]
    assert values_of(waiting, "2026-11-24 17:01") == ["late", "none", "none"]
    gone = course("2026-11-23 09:00", due="2026-11-24 17:00", withdrawn=True)
    assert values_of(gone) == ["none", "none", "withdrawn"]


def simulated_year(seed: int = 18, each_week: int = 400) -> list[Course]:
    """Return requests of 52 weeks, as a clinic might get them."""
    dice, made = Random(seed), []
    start = at("2025-12-29 00:00")
    for _ in range(52 * each_week):
        asked = start + dice.randrange(52 * 7 * DAY)
        contacts, moment = [], asked
        for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
            moment += int(dice.expovariate(1 / (6 * HOUR))) + MINUTE
            contacts.append((moment, dice.choice(OUTCOMES)))
        made.append(Course(asked, asked + DAY, dice.choice(("en", "en", "es")), dice.random() < 0.1, tuple(contacts)))
    return made


def plainly_counted(courses: list[Course], monday: date, days: int, language: str) -> Counter[tuple[str, str]]:
    """Count in another way than the product: by stepping through the calendar, and with plain conditions."""
    found: Counter[tuple[str, str]] = Counter()
    for one in courses:
        asked = datetime.fromtimestamp(one.asked_at, DENVER)
        if not 0 <= (asked.date() - monday).days < days or language not in ("", one.language):
            continue
        found["", ""] += 1
        if not one.contacts:
            found["answered", "none" if one.withdrawn else "late"] += 1
            found["first", "none"] += 1
            found["ended", "withdrawn" if one.withdrawn else "none"] += 1
            continue
        first = datetime.fromtimestamp(one.contacts[0][0], DENVER)
        found["answered", "in_time" if one.contacts[0][0] <= one.due_at else "late"] += 1
        found["first", _plain_wait(asked, first)] += 1
        found["ended", "withdrawn" if one.withdrawn else one.contacts[-1][1]] += 1
    return found


def _plain_wait(asked: datetime, called: datetime) -> str:
    day, open_days, open_seconds = asked.date(), 0, 0.0
    while day <= called.date():
        if day.weekday() < 5 and day != date(2026, 11, 26):
            open_days += day > asked.date()
            for opens, closes in ((8, 12), (13, 17)):
                begins = max(asked, datetime.combine(day, time(opens), DENVER)).timestamp()
                ends = min(called, datetime.combine(day, time(closes), DENVER)).timestamp()
                open_seconds += max(0.0, ends - begins)
        day += timedelta(days=1)
    if open_seconds <= 2 * HOUR:
        return "soon"
    return ("same_day", "next_day")[open_days] if open_days < 2 else "later"


@given(st.lists(st.sampled_from(figures.WAITS), min_size=1))
def test_median_wait_is_the_one_in_the_middle(waits):
    counts = {**Counter(waits), "none": 7}
    assert figures.median_wait(counts) == sorted(waits, key=figures.WAITS.index)[(len(waits) - 1) // 2]
    for hidden in set(waits):
        assert figures.median_wait({**counts, hidden: None}) is None


def test_median_wait_of_a_period_without_calls_is_none():
    assert figures.median_wait({"none": 12}) is None and figures.median_wait({}) is None


def test_figures_of_a_simulated_year_equal_a_plain_count():
    courses, now = simulated_year(each_week=60), at("2027-06-01 09:00")
    counts: Counter[figures.Count] = Counter()
    for one in courses:
        counts.update(figures.counts_of(one, CALENDAR, now))
    blocks = {figures.block_of(date.fromisoformat(week)) for week, *_ in counts}
    checked = 0
    for block in sorted(blocks):
        for period in figures.publish(block, counts, 1)["periods"]:
            monday, days = date.fromisoformat(period["start"]), 7 * period["weeks"]
            for language in ("", "en", "es"):
                plain = plainly_counted(courses, monday, days, language)
                shown = {(figure, value): n for lang, figure, value, n in period["cells"] if lang == language and n}
                assert shown == dict(plain), (monday, language)
                checked += 1
    assert checked >= 3 * 52


small = st.one_of(st.just(0), st.integers(1, 15), st.integers(0, 60))


@st.composite
def weeks_of_counts(draw: st.DrawFn) -> Counter[figures.Count]:
    """Strategy: the counts of one block, in which the figures of a week and language have the same total."""
    counts: Counter[figures.Count] = Counter()
    for number in range(4):
        week = (figures.FIRST_WEEK + number * figures.WEEK).isoformat()
        for language in ("en", "es"):
            ended = [draw(small) for _ in range(4)]
            total = sum(ended)
            for figure, parts in (
                ("ended", ended),
                ("answered", draw(split(total, 3))),
                ("first", draw(split(total, 4))),
            ):
                counts.update({(week, language, figure, f"v{at}"): part for at, part in enumerate(parts) if part})
    return counts


@st.composite
def split(draw: st.DrawFn, total: int, parts: int) -> list[int]:
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=parts - 1, max_size=parts - 1)))
    return [high - low for low, high in zip([0, *cuts], [*cuts, total], strict=True)]


@given(weeks_of_counts(), st.sampled_from((5, 11)))
def test_hidden_count_cannot_be_worked_out(counts, k):
    """Every equation that a reader knows, solved exactly: no hidden count has only one solution."""
    tables = figures.publish(figures.FIRST_WEEK, counts, k)
    shown: dict[tuple, int | None] = {("week", week): count for week, count in tables["requests"].items()}
    equations = []
    for period in tables["periods"]:
        cells = {tuple(cell): count for *cell, count in period["cells"]}
        shown |= {(period["start"], *cell): count for cell, count in cells.items()}
        name = lambda *cell, start=period["start"]: (start, *cell)  # noqa: E731
        languages = sorted({cell[0] for cell in cells} - {TOTAL})
        for language in {cell[0] for cell in cells}:
            for figure in FIGURES:
                parts = [name(*cell) for cell in cells if cell[:2] == (language, figure)]
                equations.append([*parts, (-1, name(language, TOTAL, TOTAL))])
        for value in {cell[1:] for cell in cells}:
            equations.append([*(name(language, *value) for language in languages), (-1, name(TOTAL, *value))])
        if cells:
            weeks = list(tables["requests"]) if period["weeks"] > 1 else [period["start"]]
            equations.append([*(("week", week) for week in weeks), (-1, name(*ALL))])
    assert all(count is None or count == 0 or count >= k for count in shown.values())
    assert solved(equations, {cell for cell, count in shown.items() if count is None}) == set()


def solved(equations: list[list], unknown: set[tuple]) -> set[tuple]:
    """Return the unknowns that the equations determine: those alone in a row of the reduced matrix."""
    columns, rows = sorted(unknown), []
    for equation in equations:
        terms = Counter[tuple]()
        for term in equation:
            sign, cell = term if term[0] == -1 else (1, term)
            terms[cell] += sign
        rows.append([Fraction(terms[column]) for column in columns])
    reduced: list[list[Fraction]] = []
    for at_column in range(len(columns)):
        pivot = next((row for row in rows if row[at_column]), None)
        if pivot is None:
            continue
        rows = [row for row in rows if row is not pivot]
        pivot = [value / pivot[at_column] for value in pivot]
        clear = lambda row, by=pivot, at=at_column: [a - row[at] * b for a, b in zip(row, by, strict=True)]  # noqa: E731
        rows, reduced = [clear(row) for row in rows], [*(clear(row) for row in reduced), pivot]
    alone = [[at for at, value in enumerate(row) if value] for row in reduced]
    return {columns[places[0]] for places in alone if len(places) == 1}


def test_solver_of_this_test_finds_a_count_that_totals_reveal():
    equations = [[("a",), ("b",), (-1, ("all",))]]
    assert solved(equations, {("a",)}) == {("a",)} and solved(equations, {("a",), ("b",)}) == set()


def test_weeks_without_a_small_count_are_published_by_week():
    big = Counter({("2024-01-08", "en", figure, "x"): 40 for figure in FIGURES})
    assert [period["weeks"] for period in figures.publish(figures.FIRST_WEEK, big, K)["periods"]] == [1, 1, 1, 1]
    big["2024-01-08", "es", "ended", "y"] = big["2024-01-08", "es", "answered", "y"] = big[
        "2024-01-08", "es", "first", "y"
    ] = 3
    assert [period["weeks"] for period in figures.publish(figures.FIRST_WEEK, big, K)["periods"]] == [4]


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_block_begins_on_a_monday_and_holds_its_week(day):
    monday = day - timedelta(days=day.weekday())
    block = figures.block_of(monday)
    assert block.weekday() == 0 and timedelta(0) <= monday - block < 4 * figures.WEEK
    assert figures.week_of(datetime.combine(day, time(23, 59), DENVER).timestamp(), CALENDAR) == monday
