"""A log line that repeats: logged once, then once per ten minutes with its number, and none is lost."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.web.repeated_line import MOST_LINES, THINNED_SECONDS, RepeatedLine

moments = st.lists(st.floats(0, 5 * THINNED_SECONDS), min_size=1, max_size=60).map(sorted)


def test_repeated_line_is_logged_once_then_counted():
    repeats = RepeatedLine()
    assert repeats.thinned("away", 0.0) == "away"
    assert [repeats.thinned("away", now) for now in range(1, 60)] == [""] * 59
    assert repeats.thinned("full", 60.0) == "full", "another line is another matter"
    assert repeats.thinned("away", THINNED_SECONDS - 0.1) == ""
    assert repeats.thinned("away", THINNED_SECONDS) == "away (repeated 60 times)"
    assert repeats.thinned("away", 3 * THINNED_SECONDS) == "away"


def test_clock_set_back_logs_the_line_again():
    repeats = RepeatedLine()
    assert [repeats.thinned("away", now) for now in (1000.0, 10.0, 11.0)] == ["away", "away", ""]


@given(moments)
def test_every_repetition_is_logged_or_counted(times):
    repeats = RepeatedLine()
    logged = [(now, line) for now in times if (line := repeats.thinned("away", now))]
    assert all(late - early >= THINNED_SECONDS for (early, _), (late, _) in pairwise(logged))
    assert logged[0] == (times[0], "away")
    counted = sum(int(found) for _, line in logged for found in re.findall(r"repeated (\d+) times", line))
    assert counted + len(logged) == sum(now <= logged[-1][0] for now in times) - times.count(logged[-1][0]) + 1


@pytest.mark.parametrize("count", [1, MOST_LINES + 50])
def test_remembered_lines_are_bounded(count):
    repeats = RepeatedLine()
    for number in range(count):
        assert repeats.thinned(f"line {number}", 0.0)
    assert len(repeats._logged) == min(count, MOST_LINES)
