"""Run steps concurrently."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from tests.support.processes import TEST_TIMEOUT

Result = TypeVar("Result")


def run_together(count: int, step: Callable[[int], Result]) -> list[Result]:
    """Run ``step(number)`` in so many threads that start together; return their results by number."""
    ready = Barrier(count)

    def run(number: int) -> Result:
        ready.wait(TEST_TIMEOUT)
        return step(number)

    with ThreadPoolExecutor(count) as pool:
        return [job.result(TEST_TIMEOUT) for job in [pool.submit(run, number) for number in range(count)]]
