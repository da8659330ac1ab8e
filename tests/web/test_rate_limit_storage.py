"""Rate limit counts in memory: expiring windows, many addresses, many threads."""

from __future__ import annotations

import threading

import limits
from limits.strategies import FixedWindowRateLimiter

from screening.web.rate_limit_storage import MIN_SWEEP, RateLimitStorage
from tests.support.threads import run_together


def test_rate_limit_refuses_over_limit_and_resets_after_window(clock):
    limiter, rate = FixedWindowRateLimiter(RateLimitStorage(clock)), limits.parse("3 per minute")
    assert [limiter.hit(rate, "forms", "rosa") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.hit(rate, "forms", "luis"), "each address is counted separately"
    clock.forward(59)
    assert not limiter.hit(rate, "forms", "rosa")
    clock.forward(1)
    assert limiter.hit(rate, "forms", "rosa")


def test_expired_rate_limit_windows_are_swept_from_memory(clock):
    counts = RateLimitStorage(clock)
    for number in range(50_000):
        counts.incr(f"early {number}", 60)
    assert len(counts) == 50_000
    clock.forward(60)
    for number in range(60_000):
        counts.incr(f"late {number}", 60)
    assert len(counts) == 60_000 and counts.get("early 7") == 0 and counts.get("late 7") == 1
    clock.forward(60)
    for number in range(200_000):
        counts.incr(f"one at a time {number}", 1)
        clock.forward(1)
    assert len(counts) <= 2 * 120_000 and MIN_SWEEP < 120_000


def test_concurrent_hits_are_all_counted_without_extra_threads(clock):
    counts, before = RateLimitStorage(clock), threading.active_count()
    run_together(8, lambda _: [counts.incr("all", 3600) for _ in range(500)])
    assert counts.get("all") == 4000 and threading.active_count() == before


def test_clear_and_reset_delete_rate_limit_counts(clock):
    counts = RateLimitStorage(clock)
    counts.incr("one", 60, 3)
    counts.incr("two", 60)
    counts.clear("one")
    assert (counts.get("one"), counts.get("two"), counts.check()) == (0, 1, True)
    assert counts.reset() == 1 and counts.get("two") == 0
