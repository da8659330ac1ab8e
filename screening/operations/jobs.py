"""The worker's jobs and their intervals, one line per job."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app

from screening import current
from screening.callbacks import key_rotation, notifications, staff_service
from screening.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from screening.extensions import db
from screening.mail import delivery
from screening.operations.purge import purge
from screening.responses import shuffling
from screening.staff import display_names
from screening.staff.roles import CALLBACKS

Continue = Callable[[], bool]
"""Called between two steps of a job; False stops it."""

EACH_ROUND = 0


@dataclass(frozen=True)
class Job:
    """A periodic job. ``every`` is the interval in seconds.

    ``run`` is called in the staff application's context. It must be idempotent: it may be killed at any time and
    run concurrently with itself. It returns early, between two transactions, when its argument returns False.
    """

    name: str
    every: int
    run: Callable[[Continue], object]


def _deliver(go_on: Continue) -> object:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    return delivery.deliver(delivery.Mailer.of(app), go_on)


def _rotate_key(go_on: Continue) -> object:
    return key_rotation.rotate_when_due(current.settings()["KEYS_DIR"], current.now(), go_on)


def _remind(go_on: Continue) -> object:
    settings = current.settings()
    if not settings["MAIL_HOST"]:
        return 0
    return notifications.queue_reminders(current.now(), settings["DUE_SOON_MINUTES"] * MINUTE_SECONDS)


def _put_back(go_on: Continue) -> object:
    found = staff_service.put_back_orphans(tuple(display_names.active_names(CALLBACKS)), current.now())
    db.session.commit()
    return found


def _shuffle(go_on: Continue) -> object:
    settings = current.settings()
    return shuffling.shuffle(settings["KEYS_DIR"], settings["MIN_GROUP_SIZE"], current.now())


JOBS = (
    Job("deliver", EACH_ROUND, _deliver),
    Job("remind", MINUTE_SECONDS, _remind),
    Job("put back", MINUTE_SECONDS, _put_back),
    Job("shuffle", HOUR_SECONDS, _shuffle),
    Job("purge", DAY_SECONDS, lambda go_on: purge(current.settings(), current.clinic(), current.now())),
    Job("rotate", HOUR_SECONDS, _rotate_key),
)
