"""Queries for failed and pending mails, and their retry by staff."""

from typing import Any

from sqlalchemy import func, select

from screening.extensions import db
from screening.mail.models import FAILED, PENDING, OutboxMail

MAX_ROWS = 100

table: Any = OutboxMail.__table__


def undelivered() -> list[OutboxMail]:
    """Return failed mails, then pending ones, each oldest first; at most ``MAX_ROWS``."""
    wanted = select(OutboxMail).where(OutboxMail.state.in_((FAILED, PENDING)))
    ordered = wanted.order_by(OutboxMail.state, OutboxMail.posted_at, OutboxMail.id)
    return list(db.session.scalars(ordered.limit(MAX_ROWS)))


def failed(most: int) -> list[OutboxMail]:
    """Return failed mails, oldest first; at most ``most``."""
    wanted = select(OutboxMail).where(OutboxMail.state == FAILED).order_by(OutboxMail.posted_at, OutboxMail.id)
    return list(db.session.scalars(wanted.limit(most)))


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
