"""What staff see of the mail: what failed and what waits, and how it is tried again."""

from typing import Any

from sqlalchemy import func, select

from screening.extensions import db
from screening.mail.models import FAILED, PENDING, OutboxMail

MAX_ROWS = 100

table: Any = OutboxMail.__table__


def undelivered() -> list[OutboxMail]:
    """Failed mails, then waiting ones, each the oldest first; at most ``MAX_ROWS``."""
    wanted = select(OutboxMail).where(OutboxMail.state.in_((FAILED, PENDING)))
    ordered = wanted.order_by(OutboxMail.state, OutboxMail.posted_at, OutboxMail.id)
    return list(db.session.scalars(ordered.limit(MAX_ROWS)))


def failed(most: int) -> list[OutboxMail]:
    """The mails that failed, the oldest first; at most so many."""
    wanted = select(OutboxMail).where(OutboxMail.state == FAILED).order_by(OutboxMail.posted_at, OutboxMail.id)
    return list(db.session.scalars(wanted.limit(most)))


def counts() -> dict[str, int]:
    """How many mails failed, and how many wait."""
    count = select(func.count()).select_from(OutboxMail)
    return {state: db.session.scalar(count.where(OutboxMail.state == state)) or 0 for state in (FAILED, PENDING)}


def oldest_pending() -> int | None:
    """When the mail that waits longest was posted (seconds since 1970, UTC); None when none waits."""
    first: int | None = db.session.scalar(select(func.min(OutboxMail.posted_at)).where(OutboxMail.state == PENDING))
    return first


def retry(now: float, mail_id: str | None = None) -> int:
    """Let a mail, or all that failed or were put off, be tried at once and from the start; how many.

    Not one that a worker has just now: it might go out twice. To be committed by the caller.
    """
    wanted = [table.c.state.in_((FAILED, PENDING)), table.c.claim.is_(None)]
    wanted.append(table.c.id == mail_id if mail_id else table.c.error.is_not(None))
    again = table.update().where(*wanted).values(state=PENDING, due_at=int(now), attempts=0, ended_at=None)
    done: int = db.session.execute(again).rowcount  # type: ignore[attr-defined]
    return done
