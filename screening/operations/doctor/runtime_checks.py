"""Checks of the database: whether the worker's jobs are done.

Whether shuffling is late is judged by the job's own times, never by pending responses, whose number is not disclosed.
"""

from collections.abc import Iterator

from flask_babel import lazy_gettext
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from screening.audit import AuditEvent
from screening.callbacks import key_rotation
from screening.callbacks.models import REACHED, CallbackKey, CallbackRequest
from screening.database.engines import sqlite_files
from screening.durations import DAY_SECONDS, HOUR_SECONDS
from screening.extensions import db
from screening.mail import queries
from screening.mail.models import FAILED
from screening.operations import backup, migration_state
from screening.operations.doctor.finding import Check, CheckInputs, Finding, Severity
from screening.operations.jobs import JOBS
from screening.operations.models import WorkerJob, WorkerLease
from screening.operations.worker import LEASE_SECONDS
from screening.responses import held_batches
from screening.responses.models import PENDING_BIND, PendingKey
from screening.staff.models import Account, Role
from screening.staff.roles import ADMIN

WORKER_SILENT_SECONDS = 15 * 60
"""Seconds without a sign of the worker after which it is reported."""

MAIL_WAITING_SECONDS = HOUR_SECONDS
"""Seconds after which a pending mail is reported; by then at least three attempts have failed."""

REACHED_SECONDS, REACHED_PAGE = 3 * DAY_SECONDS, "/staff/callbacks?tab=reached"
"""After how long a reached patient who was not called again is reported, and where staff find the request."""

ROTATION_OVERDUE_SECONDS = 2 * DAY_SECONDS
"""Seconds after which a daily job is late."""


def database(given: CheckInputs) -> Iterator[Finding]:
    """Check that the database can be reached and has the newest schema; if so, run ``DATABASE_CHECKS``."""
    missing = [file for file in sqlite_files(given.settings["DATABASE_URL"]) if not file.exists()]
    try:
        newest = not missing and migration_state.is_current()
        lacking = migration_state.missing_columns() if newest else []
    except SQLAlchemyError as error:
        kind = type(error).__name__
        what = lazy_gettext("The database cannot be reached (%(kind)s)", kind=kind)
        step = lazy_gettext("See that it runs, that its disk has room, and that this is its address:")
        yield Finding(Severity.NOW, what, step, "SCREENING_DATABASE_URL")
        return
    if not newest:
        what = lazy_gettext("The database is not as this version of the site needs it")
        yield Finding(Severity.NOW, what, lazy_gettext("Bring it up to date:"), "flask db upgrade")
        return
    if lacking:
        what = lazy_gettext(
            "The database lacks what this version of the site needs: %(columns)s", columns=", ".join(lacking)
        )
        step = lazy_gettext("Bring it up to date. If that changes nothing, restore a backup into a new database:")
        yield Finding(Severity.NOW, what, step, "flask db upgrade")
        return
    for check in DATABASE_CHECKS:
        yield from check(given)


def worker(given: CheckInputs) -> Iterator[Finding]:
    """Check that a worker is running, except on a site set up just now, whose first public key is as new."""
    seen = worker_last_ran(given.now)
    since = db.session.scalar(select(func.min(CallbackKey.published_at))) if seen is None else seen
    if since is None or given.now - since <= WORKER_SILENT_SECONDS:  # no key: reported by ``public_key_published``
        return
    minutes = WORKER_SILENT_SECONDS // 60
    if given.settings["MAIL_HOST"]:
        what = lazy_gettext("The worker was not seen for %(minutes)s minutes: no mail goes out", minutes=minutes)
    else:
        what = lazy_gettext("The worker was not seen for %(minutes)s minutes: nothing is deleted", minutes=minutes)
    step = lazy_gettext("Start it, and let your service manager keep it running:")
    yield Finding(Severity.NOW, what, step, "flask worker")


def worker_last_ran(now: float) -> int | None:
    """Return when a worker last finished or failed a job or renewed its lease; None if there is no such time."""
    times = [time for row in db.session.execute(select(WorkerJob.ran_at, WorkerJob.failed_at)) for time in row]
    times += [until - LEASE_SECONDS for until in db.session.scalars(select(WorkerLease.until)) if until]
    return max((time for time in times if time is not None and time <= now), default=None)


def jobs(given: CheckInputs) -> Iterator[Finding]:
    """Check that no job of the worker failed or is late."""
    known = WorkerJob.name.in_([job.name for job in JOBS])  # a job of another version is never run again
    rows = {job.name: job for job in db.session.scalars(select(WorkerJob).where(known).order_by(WorkerJob.name))}
    for job in rows.values():
        if job.failed_at is not None:
            what = lazy_gettext("The worker’s job %(name)s failed when it last ran", name=job.name)
            yield Finding(Severity.SOON, what, lazy_gettext("See in the worker’s log why"))
    if _is_late(rows.get("shuffle"), given.now):
        what = lazy_gettext("The anonymous copies were not mixed for two days")
        yield Finding(Severity.SOON, what, lazy_gettext("Let the worker do what is due:"), "flask worker --once")
    if _is_late(rows.get("purge"), given.now):
        what = lazy_gettext("What is over was not deleted for two days")
        yield Finding(Severity.SOON, what, lazy_gettext("Let the worker do what is due:"), "flask worker --once")


def key_rotation_progress(given: CheckInputs) -> Iterator[Finding]:
    """Check that no old call-back key is overdue to be destroyed."""
    if key_rotation.is_overdue(given.now):
        what = lazy_gettext("A call-back key lives for over a week: canceled requests can be read in old backups")
        yield Finding(
            Severity.NOW, what, lazy_gettext("Rotate it on the worker’s machine:"), "flask keys rotate callback"
        )


def public_key_published(given: CheckInputs) -> Iterator[Finding]:
    """Check that a public key is published, to which call-back requests can be encrypted."""
    if not db.session.scalar(select(func.count()).select_from(CallbackKey).where(CallbackKey.active)):
        what = lazy_gettext("No call-back key is published: nobody can ask for a call")
        yield Finding(Severity.NOW, what, lazy_gettext("On the worker’s machine:"), "flask keys publish")


def response_keys(given: CheckInputs) -> Iterator[Finding]:
    """Check that a public key for anonymous responses is published, and that the worker holds each private key."""
    with db.engines[PENDING_BIND].connect() as connection:
        keys = connection.execute(select(PendingKey.replaced_at, PendingKey.held)).all()
    if all(key.replaced_at is not None for key in keys):
        what = lazy_gettext("No key for anonymous copies is published: none is stored")
        yield Finding(Severity.SOON, what, lazy_gettext("On the worker’s machine:"), "flask keys publish")
    if not all(key.held for key in keys):
        what = lazy_gettext("The worker lacks a key that anonymous copies are locked with")
        step = lazy_gettext(
            "Copy responses.toml from the machine that ran the worker before. If it is gone, so are they:"
        )
        yield Finding(Severity.NOW, what, step, "flask responses discard-unreadable")


def held_responses(given: CheckInputs) -> Iterator[Finding]:
    """Check that no batch of anonymous responses waits for a decision."""
    if held_batches.list_held():
        what = lazy_gettext("Far more anonymous copies than usual came at once: they are held apart")
        yield Finding(Severity.SOON, what, lazy_gettext("Decide what happens to them, at"), "/staff/releases")


def reached_requests(given: CheckInputs) -> Iterator[Finding]:
    """Check that no patient who was reached waits for days past the time to call again."""
    late = CallbackRequest.next_at < given.now - REACHED_SECONDS
    found = select(func.count()).select_from(CallbackRequest).where(CallbackRequest.state_group == REACHED, late)
    count = db.session.scalar(found)
    if count:
        what = lazy_gettext("Patients we spoke with wait for over three days to hear again: %(count)s", count=count)
        yield Finding(Severity.SOON, what, lazy_gettext("Call them, or close their requests, at"), REACHED_PAGE)


def mail(given: CheckInputs) -> Iterator[Finding]:
    """Check that no mail failed or is late, where mail is sent."""
    if not given.settings["MAIL_HOST"]:
        return
    failed = queries.counts()[FAILED]
    step = lazy_gettext("See why, and try again, at")
    if failed:
        what = lazy_gettext("Mails that were given up: %(count)s", count=failed)
        yield Finding(Severity.NOW, what, step, "/staff/mail")
    oldest = queries.oldest_pending()
    if oldest is not None and given.now - oldest > MAIL_WAITING_SECONDS:
        what = lazy_gettext("A mail waits for over an hour")
        yield Finding(Severity.SOON, what, step, "/staff/mail")


def admin(given: CheckInputs) -> Iterator[Finding]:
    """Check that there is an active administrator account."""
    if not given.serves_staff:
        return
    found = select(func.count()).select_from(Account).where(Account.active, Account.roles.any(Role.name == ADMIN))
    if not db.session.scalar(found):
        what = lazy_gettext("No account can look after the others")
        command = "flask staff add EMAIL --name NAME --role admin"
        yield Finding(Severity.NOW, what, lazy_gettext("Add one:"), command)


def backups(given: CheckInputs) -> Iterator[Finding]:
    """Check that the last backup is recent, if ``flask backup`` was ever used: a site may have other backups."""
    backup_events = AuditEvent.action.in_((backup.BACKUP_CREATED, backup.BACKUP_RESTORED))
    last = db.session.scalar(select(func.max(AuditEvent.at)).where(backup_events))
    if last is not None and given.now - last > ROTATION_OVERDUE_SECONDS:
        what = lazy_gettext("No backup was made for two days")
        yield Finding(Severity.SOON, what, lazy_gettext("Make one, and let cron do it daily:"), "flask backup FILE")


def _is_late(job: WorkerJob | None, now: float) -> bool:
    return job is not None and job.ran_at is not None and now - job.ran_at > ROTATION_OVERDUE_SECONDS


DATABASE_CHECKS: tuple[Check, ...] = (
    *(worker, jobs, key_rotation_progress, public_key_published, response_keys),
    *(held_responses, mail, admin, backups),
)
CHECKS: tuple[Check, ...] = (database,)
