"""Counts of the limits in memory: windows that end, many addresses, many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import limits
import pytest
from limits.strategies import FixedWindowRateLimiter

from screening.web import counts
from screening.web.counts import FEWEST_SWEPT, Counts


@pytest.fixture
def now(monkeypatch):
    class Time:
        at = 1000.0

        def time(self):
            return self.at

    clock = Time()
    monkeypatch.setattr(counts, "time", clock)
    return clock


def test_a_rate_lets_so_many_through_and_after_its_window_as_many_again(now):
    limiter, rate = FixedWindowRateLimiter(Counts()), limits.parse("3 per minute")
    assert [limiter.hit(rate, "forms", "rosa") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.hit(rate, "forms", "luis"), "another address has its own"
    now.at += 59
    assert not limiter.hit(rate, "forms", "rosa")
    now.at += 1
    assert limiter.hit(rate, "forms", "rosa")


def test_windows_that_are_over_go_however_many_there_were(now):
    kept = Counts()
    for number in range(50_000):
        kept.incr(f"early {number}", 60)
    assert len(kept) == 50_000
    now.at += 60
    for number in range(60_000):
        kept.incr(f"late {number}", 60)
    assert len(kept) == 60_000 and kept.get("early 7") == 0 and kept.get("late 7") == 1
    now.at += 60
    for number in range(200_000):
        kept.incr(f"one at a time {number}", 1)
        now.at += 1
    assert len(kept) <= 2 * 120_000 and FEWEST_SWEPT < 120_000


def test_threads_together_count_each_hit_and_no_thread_is_left_behind():
    kept, before = Counts(), threading.active_count()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [kept.incr("all", 3600) for _ in range(500)], range(8)))
    assert kept.get("all") == 4000 and threading.active_count() == before


def test_a_count_can_be_forgotten():
    kept = Counts()
    kept.incr("one", 60, 3)
    kept.incr("two", 60)
    kept.clear("one")
    assert (kept.get("one"), kept.get("two"), kept.check()) == (0, 1, True)
    assert kept.reset() == 1 and kept.get("two") == 0
