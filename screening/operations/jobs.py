"""What the worker does, and how often: one line a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import current_app

from screening.callback import turning
from screening.operations.purge import purge
from screening.outbox import delivery
from screening.responses import mixing

GoOn = Callable[[], bool]
"""Asked between two steps of a job: False tells it to end."""

EACH_ROUND, HOUR, DAY = 0, 60 * 60, 24 * 60 * 60


@dataclass(frozen=True)
class Job:
    """Something to be done again and again. ``every`` is in seconds, from one run to the next.

    ``run`` is called in an application context with the staff's keys. It may be killed at any time and run
    beside itself without harm, and ends early, with nothing half done, when it is told to.
    """

    name: str
    every: int
    run: Callable[[GoOn], object]


JOBS = (
    Job("deliver", EACH_ROUND, delivery.deliver),
    Job("mix", DAY, lambda go_on: mixing.mix(_settings()["K"])),
    Job("purge", DAY, lambda go_on: purge(_now())),
    Job("turn", HOUR, lambda go_on: turning.turn_when_due(_settings()["KEYS"], _now(), go_on)),
)


def _now() -> float:
    now: float = current_app.extensions["clock"]()
    return now


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = current_app.config["SETTINGS"]
    return settings
