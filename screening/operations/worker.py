"""The worker: runs each job when it is due. A lease row allows one worker at a time; jobs themselves are idempotent."""

import logging
import os
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

log = logging.getLogger(__name__)

POLL_SECONDS = 5
"""Seconds between two rounds: how long a mail waits at most."""

LEASE_SECONDS = 2 * 60
"""Seconds without a sign of life after which another worker takes over."""

RETRY_SECONDS = 60
"""Seconds until a job that failed is tried again."""

NEVER = -LEASE_SECONDS

T = TypeVar("T")

lease: Any = WorkerLease.__table__


class Signals:
    """SIGTERM and SIGINT, kept until they are asked for: so they end the worker between two mails, not within one.

    ``beside``: the id of the process that started this one, whose end counts as a signal; None for no such.
    """

    ENDING = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, beside: int | None = None) -> None:
        self._came, self._parent = False, beside
        signal.pthread_sigmask(signal.SIG_BLOCK, self.ENDING)

    def came_within(self, seconds: float) -> bool:
        """Whether one came, now or before; waits for it so long."""
        self._came = self._came or signal.sigtimedwait(self.ENDING, seconds) is not None
        return self._came or self._parent not in (None, os.getppid())


class Worker:
    """One worker, over the staff's application."""

    def __init__(self, app: Flask, signals: Signals, jobs: Sequence[Job] = JOBS) -> None:
        self._app, self._signals, self._jobs = app, signals, jobs
        self._holder, self._held_at = secrets.token_hex(16), NEVER

    def work(self, once: bool = False) -> bool:
        """Run what is due, round after round until a signal comes, or ``once``; whether this was the worker at work."""
        while True:
            at_work = self._may_go_on()
            if at_work:
                for job in self._jobs:
                    self._guarded(partial(self._run_if_due, job))
            if once or self._signals.came_within(POLL_SECONDS):
                break
        self._guarded(self._let_go)
        return at_work

    def _may_go_on(self) -> bool:
        """Whether no signal came and this is the worker at work."""
        return not self._signals.came_within(0) and bool(self._guarded(self._hold))

    def _run_if_due(self, job: Job) -> None:
        now = self._now()
        times = db.session.execute(select(WorkerJob.ran_at, WorkerJob.failed_at).where(WorkerJob.name == job.name))
        ran_at, failed_at = times.first() or (None, None)
        db.session.commit()  # nothing is held open while the job runs
        if not _is_due(job, ran_at, failed_at, now) or not self._may_go_on():
            return
        try:
            job.run(self._may_go_on)
            ran = WorkerJob(name=job.name, ran_at=now, failed_at=None)
        except Exception as error:  # one job that fails must not keep the others from running
            log.error("the job %s failed: %s", job.name, errors.origin_of(error))
            db.session.rollback()
            ran = WorkerJob(name=job.name, failed_at=now)
        db.session.merge(ran)
        db.session.commit()

    def _hold(self) -> bool:
        """Take the lease, or hold it longer once half of it is over; whether it is ours. Commits."""
        now = self._now()
        if 0 <= now - self._held_at < LEASE_SECONDS // 2:
            return True
        free = or_(lease.c.holder == self._holder, lease.c.until <= now, lease.c.until > now + LEASE_SECONDS)
        taken = lease.update().where(free).values(holder=self._holder, until=now + LEASE_SECONDS)
        ours: bool = db.session.execute(taken).rowcount == 1  # type: ignore[attr-defined]
        db.session.commit()
        self._held_at = now if ours else NEVER
        return ours

    def _let_go(self) -> None:
        db.session.execute(lease.update().where(lease.c.holder == self._holder).values(until=0))
        db.session.commit()

    def _guarded(self, step: Callable[[], T]) -> T | None:
        """Take a step in a context of its own; None when the database is away, which is tried again next round."""
        with self._app.app_context():
            try:
                return step()
            except SQLAlchemyError as error:
                log.error("the worker cannot reach its database: %s", type(error).__name__)
                return None

    def _now(self) -> int:
        return int(self._app.extensions["clock"]())


def _is_due(job: Job, ran_at: int | None, failed_at: int | None, now: int) -> bool:
    """Whether a job's time has come. A time that lies ahead, as after a clock was put right, does not count."""
    if failed_at is not None and 0 <= now - failed_at < RETRY_SECONDS:
        return False
    return ran_at is None or not 0 <= now - ran_at < job.every
