"""Queries for failed and pending mails, and their retry by staff."""

from typing import Any

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy import ColumnElement, func, select

from screening.durations import HOUR_SECONDS
from screening.extensions import db
from screening.mail import smtp
from screening.mail.models import FAILED, PENDING, OutboxMail

MAX_ROWS = 100

REASONS: dict[str | None, LazyString] = {
    None: lazy_gettext("Not tried yet"),
    smtp.REFUSED: lazy_gettext("The mail server refused it"),
    smtp.BUSY: lazy_gettext("The mail server asked us to wait"),
    smtp.UNREACHABLE: lazy_gettext("The mail server could not be reached"),
    smtp.TIMEOUT: lazy_gettext("The mail server did not answer in time"),
    smtp.CERTIFICATE: lazy_gettext("The line to the mail server is not safe: look at its certificate"),
    smtp.SIGN_IN: lazy_gettext("The mail server did not take our name and password"),
    smtp.UNWRITABLE: lazy_gettext("It could not be written: the key of the request is not on this machine"),
    smtp.NOT_ASCII: lazy_gettext("The mail server takes no address with such letters: only A to Z and digits"),
    smtp.INTERRUPTED: lazy_gettext("The worker stopped in the middle of it again and again"),
}
"""The text for each error of ``smtp``."""

table: Any = OutboxMail.__table__


def undelivered() -> list[OutboxMail]:
    """Return failed mails, then pending ones, each oldest first; at most ``MAX_ROWS``."""
    wanted = select(OutboxMail).where(OutboxMail.state.in_((FAILED, PENDING)))
    ordered = wanted.order_by(OutboxMail.state, OutboxMail.posted_at, OutboxMail.id)
    return list(db.session.scalars(ordered.limit(MAX_ROWS)))


LATE_SECONDS = HOUR_SECONDS
"""Seconds after which a pending mail is stuck; by then at least three attempts have failed."""


def stuck(now: float, most: int) -> list[OutboxMail]:
    """Return failed mails, and those that wait for too long, oldest first; at most ``most``."""
    wanted = select(OutboxMail).where(_stuck(now)).order_by(OutboxMail.posted_at, OutboxMail.id)
    return list(db.session.scalars(wanted.limit(most)))


def count_stuck(now: float) -> int:
    """Return how many mails are stuck."""
    return db.session.scalar(select(func.count()).select_from(OutboxMail).where(_stuck(now))) or 0


def failed_about(subject: str) -> list[OutboxMail]:
    """Return the failed mails about a record, such as a request."""
    wanted = (OutboxMail.subject == subject, OutboxMail.state == FAILED)
    return list(db.session.scalars(select(OutboxMail).where(*wanted).order_by(OutboxMail.posted_at, OutboxMail.id)))


def reason(mail: OutboxMail) -> str:
    """Return why a mail was not sent, in the language of the page."""
    return str(REASONS.get(mail.error, mail.error))


def _stuck(now: float) -> ColumnElement[bool]:
    late = (OutboxMail.state == PENDING) & (OutboxMail.posted_at < int(now) - LATE_SECONDS)
    return (OutboxMail.state == FAILED) | late


def counts() -> dict[str, int]:
    """Return the numbers of failed and of pending mails, by state."""
    count = select(func.count()).select_from(OutboxMail)
    return {state: db.session.scalar(count.where(OutboxMail.state == state)) or 0 for state in (FAILED, PENDING)}


def oldest_pending() -> int | None:
    """Return when the oldest pending mail was enqueued (seconds since 1970, UTC); None when none is pending."""
    first: int | None = db.session.scalar(select(func.min(OutboxMail.posted_at)).where(OutboxMail.state == PENDING))
    return first


def retry(now: float, mail_id: str | None = None) -> int:
    """Make one mail, or all that have failed at least once, due now with a new count of attempts; return how many.

    A claimed mail is left alone, since it could be sent twice. The caller commits.
    """
    wanted = [table.c.state.in_((FAILED, PENDING)), table.c.claim.is_(None)]
    wanted.append(table.c.id == mail_id if mail_id else table.c.error.is_not(None))
    again = table.update().where(*wanted).values(state=PENDING, due_at=int(now), attempts=0, ended_at=None)
    done: int = db.session.execute(again).rowcount  # type: ignore[attr-defined]
    return done
