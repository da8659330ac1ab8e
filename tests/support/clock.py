"""The time at which every test starts. ``TEST_NOW`` moves it, to run the suite at another date."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from screening import clinic

NOON = 1_795_460_400.0
"""Monday, 23 November 2026, 12:00 at the demo clinic: a working day, within business hours. For tests about dates."""

NOVEMBER = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
"""A day in November 2026, when responses of October can be released."""

SHIFTED_TIME = Path(__file__).with_name("shifted_time")
"""A folder for ``PYTHONPATH``: its module moves ``time.time`` of a process by ``TEST_TIME_SHIFT`` seconds."""


def _start() -> float:
    wanted = os.environ.get("TEST_NOW", "")
    if not wanted:
        return NOON
    zone = clinic.load(clinic.DEMO).time_zone
    return datetime.fromisoformat(wanted).replace(tzinfo=zone).timestamp()


START = _start()
"""Unix time. ``TEST_NOW`` is a date and time at the demo clinic, such as ``2027-03-14T01:59``."""

SHIFT = START - time.time() if "TEST_NOW" in os.environ else 0.0
"""Seconds between the system clock and the clock of servers and commands that tests start."""


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Move time forward; a negative number moves it back."""
        self.now += seconds


def process_time() -> float:
    """Return the Unix time of the servers and commands that tests start as processes."""
    return time.time() + SHIFT


def machine_time() -> float:
    """Return the Unix time of the system clock, which database triggers use whatever ``TEST_NOW`` says."""
    return time.time()
