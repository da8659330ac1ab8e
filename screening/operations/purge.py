"""Deleting what nobody needs any more, and then the bytes it left on the disk."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from screening import audit
from screening.callbacks import retention
from screening.database.secure_delete import scrub
from screening.extensions import db
from screening.mail import retention as outbox_retention
from screening.staff import sessions

REQUESTS = ("callback_request", "callback_contact", "callback_note")


@dataclass(frozen=True)
class Purger:
    """Something that is kept for a while. ``tables`` are those its deleted rows leave bytes of.

    ``run(now, dry_run)`` deletes in one transaction what is over, or counts it; how many.
    """

    name: str
    run: Callable[[float, bool], int]
    tables: tuple[str, ...]


def purgers(settings: Mapping[str, Any]) -> tuple[Purger, ...]:
    """Return all of them, in their order. To keep something for a while, add a line."""
    closed = partial(retention.purge_closed, retention_days=settings["CLOSED_REQUEST_RETENTION_DAYS"])
    events = partial(audit.purge, retention_days=settings["AUDIT_RETENTION_DAYS"])
    return (
        Purger("closed requests", closed, REQUESTS),
        Purger("withdrawn requests", retention.purge_withdrawn, REQUESTS),
        Purger("staff sessions", sessions.purge, ("staff_session",)),
        Purger("mail", outbox_retention.purge, ("outbox_mail",)),
        Purger("audit events", events, ("audit_event",)),
    )


@dataclass(frozen=True)
class Purged:
    """What a purge deleted, by name, and whether the bytes are overwritten too."""

    counts: dict[str, int]
    wiped: bool


def purge(settings: Mapping[str, Any], now: float, dry_run: bool = False) -> Purged:
    """Delete what is over by the ``settings`` and overwrite what it left behind; a ``dry_run`` only counts.

    May be killed at any time and run beside itself: the bytes are overwritten each time, so also those
    of rows that an earlier run, or a patient, deleted. Needs an application context. Raises SQLAlchemyError.
    """
    found = purgers(settings)
    counts = {purger.name: purger.run(now, dry_run) for purger in found}
    db.session.rollback()  # a reading transaction would keep the old pages
    return Purged(counts, wiped=not dry_run and _wipe(found))


def _wipe(found: Iterable[Purger]) -> bool:
    """SQLite: both files whole. PostgreSQL: the tables."""
    tables = dict.fromkeys(table for purger in found for table in purger.tables)
    if db.engine.dialect.name == "postgresql":
        return scrub(db.engine, *tables)
    wiped = [scrub(engine, whole_file=True) for engine in db.engines.values()]
    return all(wiped)
