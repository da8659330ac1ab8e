"""The measured attack equals a second, plain implementation, and figures known by hand."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from screening.releases import attack

QI = ("2026", "any", "any")


def table(answers: list[tuple[str, ...]], columns: int) -> list[str]:
    """Return the lines of a data file."""
    names = [f"c{number}" for number in range(3 + columns)]
    return [",".join(row) + "\r\n" for row in (names, *sorted(answers))]


def plain(lines: list[str]) -> dict[str, int]:
    """Count every set of four answers over all rows, as simply as possible."""
    _, *rows = [line.rstrip("\r\n").split(",") for line in lines]
    columns = range(3, len(lines[0].split(",")))
    alone = [
        sum(n == 1 for n in Counter((*row[:3], *(row[column] for column in four)) for row in rows).values())
        for four in combinations(columns, min(4, len(columns)))
    ]
    percent = [
        int(100 * part / (len(rows) * times) + 0.5) for part, times in ((sum(alone), len(alone)), (max(alone), 1))
    ]
    return {"mean_percent": percent[0], "worst_percent": percent[1]}


@st.composite
def tables(draw: st.DrawFn) -> list[str]:
    columns = draw(st.integers(2, 8))
    codes = [st.sampled_from(["2025", "2026", "masked"]), st.sampled_from("ab"), st.just("any")]
    codes += [st.sampled_from(["0", "1", "declined", "not_answered"])] * columns
    return table(draw(st.lists(st.tuples(*codes), min_size=1, max_size=60)), columns)


@given(tables())
def test_attack_equals_a_plain_count_of_all_sets(lines):
    assert attack.measure(lines) == plain(lines)


def test_row_that_differs_in_one_answer_is_alone_by_hand():
    """Two of four rows are alone where the fifth answer is known, which it is in four of the five sets."""
    same, other, third = ("0",) * 5, ("0",) * 4 + ("1",), ("0",) * 4 + ("declined",)
    lines = table([(*QI, *answers) for answers in (same, same, other, third)], 5)
    assert attack.measure(lines) == {"mean_percent": 40, "worst_percent": 50}


def test_masked_rows_are_a_group_of_their_own():
    answers = ("0",) * 4
    rows = [(*QI, *answers), (*QI, *answers), ("masked",) * 3 + answers]
    assert attack.measure(table(rows, 4)) == {"mean_percent": 33, "worst_percent": 33}


def test_attack_of_no_rows_is_zero():
    assert attack.measure(table([], 7)) == {"mean_percent": 0, "worst_percent": 0} == attack.measure([])
