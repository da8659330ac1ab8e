"""Deletes expired records, then scrubs freed database pages."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from screening import audit
from screening.callbacks import clinic_calendar, figure_store, retention
from screening.callbacks.business_hours import Calendar
from screening.clinic import Clinic
from screening.database.secure_delete import scrub
from screening.extensions import db
from screening.mail import retention as outbox_retention
from screening.staff import sessions

REQUESTS = ("callback_request", "callback_contact", "callback_attempt", "callback_note", "callback_weekly_count")


@dataclass(frozen=True)
class Purger:
    """A kind of record with limited retention. ``tables`` are to be scrubbed after deletion.

    ``run(now, dry_run)`` deletes expired records in one transaction, or counts them; returns how many.
    """

    name: str
    run: Callable[[float, bool], int]
    tables: tuple[str, ...]


def purgers(settings: Mapping[str, Any], calendar: Calendar) -> tuple[Purger, ...]:
    """Return all purgers in order. To limit the retention of another kind of record, add a line."""
    days = settings["CLOSED_REQUEST_RETENTION_DAYS"]
    closed = partial(retention.purge_closed, calendar=calendar, retention_days=days)
    withdrawn = partial(retention.purge_withdrawn, calendar=calendar)
    ended = partial(sessions.purge, idle_minutes=settings["STAFF_IDLE_MINUTES"])
    events = partial(audit.purge, retention_days=settings["AUDIT_RETENTION_DAYS"])
    return (
        Purger("closed requests", closed, REQUESTS),
        Purger("withdrawn requests", withdrawn, REQUESTS),
        Purger("staff sessions", ended, ("staff_session",)),
        Purger("mail", outbox_retention.purge, ("outbox_mail",)),
        Purger("audit events", events, ("audit_event",)),
    )


@dataclass(frozen=True)
class Purged:
    """Numbers of deleted records by name, and whether the freed pages are scrubbed (``scrubbed``)."""

    counts: dict[str, int]
    scrubbed: bool


def purge(settings: Mapping[str, Any], clinic: Clinic, now: float, dry_run: bool = False) -> Purged:
    """Delete records expired by the ``settings`` and scrub freed pages; a ``dry_run`` only counts.

    Idempotent. Each run scrubs all freed pages, also those of rows that an earlier run or a patient deleted.
    Needs an application context. Raises SQLAlchemyError.
    """
    calendar = clinic_calendar.current_calendar(clinic)
    found = purgers(settings, calendar)
    counts = {purger.name: purger.run(now, dry_run) for purger in found}
    if not dry_run:
        figure_store.seal(calendar, now, settings["MIN_GROUP_SIZE"])
    db.session.rollback()  # an open read transaction would prevent scrubbing
    return Purged(counts, scrubbed=not dry_run and _scrub(found))


def _scrub(found: Iterable[Purger]) -> bool:
    """Scrub both database files (SQLite) or the tables (PostgreSQL); return whether all were scrubbed."""
    tables = dict.fromkeys(table for purger in found for table in purger.tables)
    if db.engine.dialect.name == "postgresql":
        return scrub(db.engine, *tables)
    results = [scrub(engine, whole_file=True) for engine in db.engines.values()]
    return all(results)
