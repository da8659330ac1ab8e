"""The worker: runs each job when it is due. A lease allows one worker at a time; jobs are idempotent all the same."""

import logging
import secrets
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from flask import Flask
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from screening.extensions import db
from screening.operations.jobs import JOBS, Job
from screening.operations.models import WorkerJob, WorkerLease
from screening.web import errors
from screening.web.repeated_line import RepeatedLine

log = logging.getLogger(__name__)

POLL_SECONDS = 5
"""Seconds between two rounds, the longest delay of a new mail."""

LEASE_SECONDS = 2 * 60
"""Seconds after its last renewal at which a lease expires and another worker may take it."""

RETRY_SECONDS = 60
"""Seconds until a failed job is retried."""

NEVER = -LEASE_SECONDS

T = TypeVar("T")

lease: Any = WorkerLease.__table__


class Signals:
    """SIGTERM and SIGINT, blocked and polled, so that they end the worker between two mails, never during one."""

    ENDING = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self._came = False
        signal.pthread_sigmask(signal.SIG_BLOCK, self.ENDING)

    def came_within(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for a signal; return whether one has come, now or before."""
        self._came = self._came or signal.sigtimedwait(self.ENDING, seconds) is not None
        return self._came


class Worker:
    """One worker process, with the staff application."""

    def __init__(self, app: Flask, signals: Signals, jobs: Sequence[Job] = JOBS) -> None:
        self._app, self._signals, self._jobs = app, signals, jobs
        self._holder, self._held_at = secrets.token_hex(16), NEVER
        self._repeats, self._retries = RepeatedLine(), True

    def work(self, once: bool = False) -> bool:
        """Run due jobs in rounds until a signal comes, or ``once``; return whether this worker holds the lease.

        ``once``: raises SQLAlchemyError when the database fails.
        """
        self._retries = not once
        while True:
            active = self._may_go_on()
            if active:
                for job in self._jobs:
                    self._guarded(partial(self._run_if_due, job))
            if once or self._signals.came_within(POLL_SECONDS):
                break
        self._guarded(self._release_lease)
        return active

    def _may_go_on(self) -> bool:
        """Return whether no signal came and this worker holds the lease."""
        return not self._signals.came_within(0) and bool(self._guarded(self._acquire_lease))

    def _run_if_due(self, job: Job) -> None:
        now = self._now()
        times = db.session.execute(select(WorkerJob.ran_at, WorkerJob.failed_at).where(WorkerJob.name == job.name))
        ran_at, failed_at = times.first() or (None, None)
        db.session.commit()  # no transaction stays open while the job runs
        if not _is_due(job, ran_at, failed_at, now) or not self._may_go_on():
            return
        try:
            job.run(self._may_go_on)
            ran = WorkerJob(name=job.name, ran_at=now, failed_at=None)
        except Exception as error:  # a failing job must not stop the others
            self._log(f"the job {job.name} failed: {errors.origin_of(error)}")
            db.session.rollback()
            ran = WorkerJob(name=job.name, failed_at=now)
        db.session.merge(ran)
        db.session.commit()

    def _acquire_lease(self) -> bool:
        """Acquire the lease, or renew it after half its time; return whether this worker holds it. Commits."""
        now = self._now()
        if 0 <= now - self._held_at < LEASE_SECONDS // 2:
            return True
        free = or_(lease.c.holder == self._holder, lease.c.until <= now, lease.c.until > now + LEASE_SECONDS)
        acquire = lease.update().where(free).values(holder=self._holder, until=now + LEASE_SECONDS)
        acquired: bool = db.session.execute(acquire).rowcount == 1  # type: ignore[attr-defined]
        db.session.commit()
        self._held_at = now if acquired else NEVER
        return acquired

    def _release_lease(self) -> None:
        db.session.execute(lease.update().where(lease.c.holder == self._holder).values(until=0))
        db.session.commit()

    def _guarded(self, step: Callable[[], T]) -> T | None:
        """Run a step in its own application context; return None when the database fails, to retry next round."""
        with self._app.app_context():
            try:
                return step()
            except SQLAlchemyError as error:
                if not self._retries:
                    raise
                self._log(f"the worker cannot reach its database: {type(error).__name__}")
                return None

    def _log(self, line: str) -> None:
        if thinned := self._repeats.thinned(line, self._now()):
            log.error(thinned)

    def _now(self) -> int:
        return int(self._app.extensions["clock"]())


def _is_due(job: Job, ran_at: int | None, failed_at: int | None, now: int) -> bool:
    """Return whether a job is due. Times in the future, as after the clock was set back, are ignored."""
    if failed_at is not None and 0 <= now - failed_at < RETRY_SECONDS:
        return False
    return ran_at is None or not 0 <= now - ran_at < job.every
