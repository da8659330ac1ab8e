"""Run steps concurrently."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from flask import Flask

from tests.support.databases import close
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


def run_in_own_sites(count: int, make: Callable[[], Flask], step: Callable[[Flask], object]) -> None:
    """Run ``step`` in so many threads that start together, each in the context of its own application.

    The applications are made one after the other: Werkzeug parses code when it adds addresses, and Python 3.11 can
    fail when two threads do so at once (python/cpython#106905).
    """
    sites = [make() for _ in range(count)]

    def run(number: int) -> None:
        with sites[number].app_context():
            step(sites[number])

    try:
        run_together(count, run)
    finally:
        for site in sites:
            close(site)
