"""Counts of the limits in memory: windows that end, many addresses, many threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import limits
from limits.strategies import FixedWindowRateLimiter

from screening.web.counts import FEWEST_SWEPT, Counts


def test_rate_limit_refuses_over_limit_and_resets_after_window(clock):
    limiter, rate = FixedWindowRateLimiter(Counts(clock)), limits.parse("3 per minute")
    assert [limiter.hit(rate, "forms", "rosa") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.hit(rate, "forms", "luis"), "another address has its own"
    clock.forward(59)
    assert not limiter.hit(rate, "forms", "rosa")
    clock.forward(1)
    assert limiter.hit(rate, "forms", "rosa")


def test_expired_rate_limit_windows_are_swept_from_memory(clock):
    kept = Counts(clock)
    for number in range(50_000):
        kept.incr(f"early {number}", 60)
    assert len(kept) == 50_000
    clock.forward(60)
    for number in range(60_000):
        kept.incr(f"late {number}", 60)
    assert len(kept) == 60_000 and kept.get("early 7") == 0 and kept.get("late 7") == 1
    clock.forward(60)
    for number in range(200_000):
        kept.incr(f"one at a time {number}", 1)
        clock.forward(1)
    assert len(kept) <= 2 * 120_000 and FEWEST_SWEPT < 120_000


def test_concurrent_hits_are_all_counted_without_extra_threads():
    kept, before = Counts(clock), threading.active_count()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: [kept.incr("all", 3600) for _ in range(500)], range(8)))
    assert kept.get("all") == 4000 and threading.active_count() == before


def test_clear_and_reset_delete_rate_limit_counts():
    kept = Counts(clock)
    kept.incr("one", 60, 3)
    kept.incr("two", 60)
    kept.clear("one")
    assert (kept.get("one"), kept.get("two"), kept.check()) == (0, 1, True)
    assert kept.reset() == 1 and kept.get("two") == 0
