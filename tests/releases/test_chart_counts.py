"""Chart counts: no count under k is shown or derivable from those shown."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.releases import chart_counts, service
from screening.releases.row_format import RowFormat
from tests.support.clock import NOVEMBER
from tests.support.release_factory import full_row, lines, tables
from tests.support.sample_responses import generate, store

K = 11
some_counts = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 60), min_size=2)


def derive(cells: chart_counts.CellCounts, sums: list[tuple[set[str], int]]) -> dict[str, int]:
    """Return every hidden count that follows from the shown counts and the known sums."""
    known = {code: count for code, count in cells.items() if count is not None}
    found: dict[str, int] = {}
    while True:
        more = {}
        for members, total in sums:
            missing = [code for code in members if code not in known]
            rest = total - sum(known[code] for code in members if code in known)
            if len(missing) == 1 or (missing and rest == 0):
                more.update(dict.fromkeys(missing, 0) | ({missing[0]: rest} if len(missing) == 1 else {}))
        if not more:
            return found
        found |= more
        known |= more


@given(some_counts, st.sets(st.sampled_from("abcdefgh")))
def test_no_count_under_k_is_shown_or_derivable(counts, some):
    part = some & set(counts)
    sums = [(set(counts), sum(counts.values())), (part, sum(counts[c] for c in part))]
    cells = chart_counts.suppress(counts, [part], K)
    assert all(count is None or (count >= K and count == counts[code]) for code, count in cells.items())
    derived = derive(cells, sums)
    hidden = {code for code, count in cells.items() if count is None}
    if len(hidden) > 1 and sum(counts[code] for code in hidden) >= K:
        assert not {code for code, count in derived.items() if count < K} or part <= hidden


@given(some_counts)
def test_suppressed_cells_are_at_least_two_and_sum_to_k(counts):
    cells = chart_counts.suppress(counts, [], K)
    hidden = [counts[code] for code, count in cells.items() if count is None]
    assert not hidden or len(hidden) == len(cells) or (len(hidden) >= 2 and sum(hidden) >= K)


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"a": 20, "b": 30}, {"a": 20, "b": 30}),
        ({"a": 10, "b": 30, "c": 40}, {"a": None, "b": None, "c": 40}),
        ({"a": 3, "b": 4, "c": 40, "d": 50}, {"a": None, "b": None, "c": None, "d": 50}),
        ({"a": 6, "b": 7, "c": 40}, {"a": None, "b": None, "c": 40}),
        ({"a": 0, "b": 30}, {"a": None, "b": None}),
    ],
)
def test_small_count_causes_secondary_suppression(counts, shown):
    assert chart_counts.suppress(counts, [], K) == shown


def test_known_subtotal_causes_secondary_suppression():
    """``signs`` rows show how many noticed a sign, so a single hidden frequency would be the difference."""
    counts = {"0": 200, "1": 90, "2": 40, "3": 5, "declined": 30}
    assert chart_counts.suppress(counts, [{"1", "2", "3"}, {"0", "declined"}], K) == counts | {"2": None, "3": None}


def test_chart_counts_match_the_released_rows(commands, policy):
    store(generate(5000))
    release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
    rows = Counter(tuple(line.split(",")) for line in lines(release, "full.csv")[1:])
    counted = json.loads(json.dumps(release.tables))
    assert counted["rows"] == 5000 and counted["periods"] == {}
    sleep: Counter[str] = Counter()
    for row, number in rows.items():
        sleep[row[4]] += number
    assert counted["signs"]["sleep"] == sleep
    both = sum(n for row, n in rows.items() if row[9] in "123" and {"1", "2", "3"} & {row[3], row[5], row[6], row[8]})
    assert counted["cycle"]["both"] == both
    seven = sum(n for row, n in rows.items() if all(code in "123" for code in row[3:10]))
    assert counted["noticed"]["7"] == seven
    shown = [count for count in (counted["noticed"] | counted["cycle"]).values() if count is not None]
    assert min(shown) >= K


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2))
def test_no_period_count_or_rest_under_k_is_given_away(found):
    counts, totals = (
        {code: some for code, (some, _) in found.items()},
        {code: sum(both) for code, both in found.items()},
    )
    cells = chart_counts.suppress(counts, [], K, totals)
    hidden = {code for code, count in cells.items() if count is None}
    small = {code for code, both in found.items() if min(both) < K}

    def is_safe(some):
        both = [sum(found[code][part] for code in some) for part in (0, 1)]
        return not some or some == set(found) or (len(some) > 1 and min(both) >= K)

    assert small <= hidden and is_safe(hidden)
    assert len(hidden - small) <= 1 and (hidden == small or not is_safe(small)), "a count is hidden without need"


def period_rows(questionnaire, *periods):
    """Return full-detail rows: so many with and without every sign in each period, and 12 suppressed with all signs."""
    shape = RowFormat(questionnaire)
    answers = dict.fromkeys(shape.signs, "1") | {shape.average: "3"}
    none = dict.fromkeys(shape.signs, "0") | {shape.average: "not_shown"}
    rows = [(full_row(shape, ("masked", "masked", "masked"), answers), 12)]
    for year, some, others in periods:
        rows += [
            (full_row(shape, (year, "any", "pain"), answers), some),
            (full_row(shape, (year, "any", "not_shown"), none), others),
        ]
    return rows, shape


@pytest.mark.parametrize(
    ("periods", "pain", "sleep"),
    [
        ([("2025", 40, 60), ("2026", 80, 20)], [40, 80], [None, 80]),
        ([("2024", 40, 60), ("2025", 80, 20), ("2026", 95, 5)], [None, 80, None], [None, 80, None]),
        ([("2025", 80, 20), ("2026", 95, 5)], [None, None], [None, None]),
    ],
    ids=["nothing small", "a small rest", "a small rest of two"],
)
def test_suppressed_rows_are_no_cell_of_pain(questionnaire, periods, pain, sleep):
    """They do not state pain: as a cell they hid counts needlessly, and did not protect a single hidden one."""
    rows, shape = period_rows(questionnaire, *periods)
    found = tables(rows, shape, K)["periods"]
    assert [found[year]["rows"] for year in found] == [some + others for _, some, others in periods]
    assert [found[year]["noticed"]["pain"] for year in found] == pain
    assert [found[year]["noticed"]["sleep"] for year in found] == sleep
