"""Gauges, read at each scrape: mail, call-back requests, crisis files, the worker.

None depends on answers or reveals when a response was stored, since jobs run at fixed intervals.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from flask import Flask
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from screening.callbacks.models import WAITING, CallbackRequest
from screening.extensions import db
from screening.mail import queries
from screening.operations.health import application_with_database
from screening.operations.models import WorkerJob
from screening.web.crisis import Crisis


class Gauges(Collector):
    """A collector of the site's gauges."""

    def __init__(self, app: Flask) -> None:
        """``app`` is the outer application."""
        self._app = application_with_database(app)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all gauges; those from the database only while it is available."""
        with self._app.app_context():
            now = int(self._app.extensions["clock"]())
            yield _crisis(self._app.extensions["crisis"], now)
            try:
                found = [*_mail(now), *_calls(now), _jobs(now)]
            except SQLAlchemyError:
                found = []
        yield GaugeMetricFamily("screening_database_up", "Whether the database answers", bool(found))
        yield from found


def _crisis(crises: Mapping[str, Crisis], now: int) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(
        "screening_crisis_file_age_days", "Days since the crisis numbers were checked", labels=["language"]
    )
    today = datetime.fromtimestamp(now, UTC).date()
    for language, found in crises.items():
        gauge.add_metric([language], (today - found.checked).days if found.checked else math.inf)
    return gauge


def _mail(now: int) -> Iterator[GaugeMetricFamily]:
    mails = GaugeMetricFamily("screening_outbox_mails", "Unsent mails by state", labels=["state"])
    for state, count in queries.counts().items():
        mails.add_metric([state], count)
    since = queries.oldest_pending()
    age = 0 if since is None else now - since
    yield mails
    yield GaugeMetricFamily("screening_outbox_age_seconds", "Age of the oldest pending mail", age)


def _calls(now: int) -> Iterator[GaugeMetricFamily]:
    waiting = select(func.count()).select_from(CallbackRequest).where(CallbackRequest.state_group == WAITING)
    overdue = waiting.where(CallbackRequest.due_at < now)
    yield GaugeMetricFamily("screening_callbacks_waiting", "Call-back requests that wait", db.session.scalar(waiting))
    yield GaugeMetricFamily(
        "screening_callbacks_overdue", "Call-back requests past their due time", db.session.scalar(overdue)
    )


def _jobs(now: int) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily("screening_job_age_seconds", "Seconds since a job of the worker ran", labels=["job"])
    for job in db.session.scalars(select(WorkerJob).order_by(WorkerJob.name)):
        if job.ran_at is not None:
            gauge.add_metric([job.name], now - job.ran_at)
    return gauge
