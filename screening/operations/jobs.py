"""What the worker does, and how often: one line a job."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app

from screening import current
from screening.callbacks import key_rotation
from screening.durations import DAY_SECONDS, HOUR_SECONDS
from screening.mail import delivery
from screening.operations.purge import purge
from screening.responses import shuffling

Continue = Callable[[], bool]
"""Asked between two steps of a job: False tells it to end."""

EACH_ROUND = 0


@dataclass(frozen=True)
class Job:
    """Something to be done again and again. ``every`` is in seconds, from one run to the next.

    ``run`` is called in an application context with the staff's keys. It may be killed at any time and run
    beside itself without harm, and ends early, with nothing half done, when it is told to.
    """

    name: str
    every: int
    run: Callable[[Continue], object]


def _deliver(go_on: Continue) -> object:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return delivery.deliver(delivery.Mailer.of(app), go_on)


def _rotate_key(go_on: Continue) -> object:
    return key_rotation.rotate_when_due(current.settings()["KEYS_DIR"], current.now(), go_on)


JOBS = (
    Job("deliver", EACH_ROUND, _deliver),
    Job("shuffle", DAY_SECONDS, lambda go_on: shuffling.shuffle(current.settings()["MIN_GROUP_SIZE"])),
    Job("purge", DAY_SECONDS, lambda go_on: purge(current.settings(), current.now())),
    Job("rotate", HOUR_SECONDS, _rotate_key),
)
