"""Where time starts in every test: one moment, which ``TEST_NOW`` moves to try the suite on another day."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from screening import clinic

NOON = 1_795_460_400.0
"""Monday, 23 November 2026, 12:00 at the demo clinic: a working day, within its hours. For tests about dates."""

NOVEMBER = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
"""A day in November 2026, when responses of October can be released."""

SHIFTED_TIME = Path(__file__).with_name("shifted_time")
"""On the path of a Python process, this folder moves its ``time.time`` by ``TEST_TIME_SHIFT`` seconds."""


def _start() -> float:
    wanted = os.environ.get("TEST_NOW", "")
    if not wanted:
        return NOON
    zone = clinic.load(clinic.DEMO).time_zone
    return datetime.fromisoformat(wanted).replace(tzinfo=zone).timestamp()


START = _start()
"""Seconds since 1970. ``TEST_NOW`` is a date and time at the demo clinic, such as ``2027-03-14T01:59``."""

SHIFT = START - time.time() if "TEST_NOW" in os.environ else 0.0
"""Seconds between the machine's clock and that of servers and commands which tests start."""


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        """Move time on; a negative number moves it back."""
        self.now += seconds


def process_time() -> float:
    """Seconds since 1970 as the servers and commands see it that tests start in processes of their own."""
    return time.time() + SHIFT


def machine_time() -> float:
    """Seconds since 1970 by this machine's clock, which the triggers of a database go by whatever ``TEST_NOW`` says."""
    return time.time()
