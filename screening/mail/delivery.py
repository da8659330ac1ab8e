"""Delivery of the outbox: each mail by one worker, retried with growing delays, then shown to staff as failed.

Claiming a mail moves its ``due_at`` ahead, so it is due again if the worker dies. A mail is sent twice only when the
server accepted it and the worker could not store that; both copies have the same ``Message-ID``.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from flask import Flask
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from screening.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from screening.extensions import db
from screening.mail import smtp
from screening.mail.models import DROPPED, FAILED, PENDING, SENT, OutboxMail
from screening.mail.rendering import Renderer
from screening.mail.smtp import MailError
from screening.mail.types import MailType, mail_types
from screening.web import errors

log = logging.getLogger(__name__)


RETRY_DELAYS = (
    MINUTE_SECONDS,
    5 * MINUTE_SECONDS,
    30 * MINUTE_SECONDS,
    2 * HOUR_SECONDS,
    6 * HOUR_SECONDS,
    DAY_SECONDS,
    DAY_SECONDS,
    DAY_SECONDS,
)
"""Seconds from each failed attempt to the next, long enough for a server that is down over a weekend."""

MAX_ATTEMPTS = len(RETRY_DELAYS) + 1

LEASE_SECONDS = 15 * MINUTE_SECONDS
"""Seconds a claim is valid: far longer than a mail takes, since ``MAIL_TIMEOUT`` limits each answer of the server."""

table: Any = OutboxMail.__table__


@dataclass(frozen=True)
class Claim:
    """A mail claimed by one worker under the random id ``claim``; ``attempts`` includes this one."""

    id: str
    kind: str
    subject: str
    claim: str
    attempts: int


@dataclass(frozen=True)
class Mailer:
    """What delivery needs of an application: settings, mail types, renderer and clock."""

    settings: Mapping[str, Any]
    types: Mapping[str, MailType]
    renderer: Renderer
    clock: Callable[[], float]

    @classmethod
    def of(cls, app: Flask) -> Mailer:
        """Return the mailer of the staff application, which has the keys that decrypt requests."""
        return cls(app.config["SETTINGS"], mail_types(app), Renderer(app), app.extensions["clock"])

    def now(self) -> int:
        """Return the time in seconds since 1970, UTC."""
        return int(self.clock())


def deliver(mailer: Mailer, go_on: Callable[[], bool] = lambda: True) -> int:
    """Send every due mail while ``go_on()`` is true; return how many the server accepted.

    Sends nothing if no mail server is set. Needs an application context. Raises SQLAlchemyError when the
    database is unavailable.
    """
    sent = 0
    while mailer.settings["MAIL_HOST"] and go_on():
        claim = claim_next(mailer.now())
        if claim is None:
            break
        sent += _attempt(mailer, claim) == SENT
    return sent


def claim_next(now: int) -> Claim | None:
    """Claim the mail that has been due longest; return None when none is due. Commits.

    A ``due_at`` further ahead than the longest delay was stored before the clock was set back: it counts as due.
    """
    claim = secrets.token_hex(16)
    due = (table.c.state == PENDING, or_(table.c.due_at <= now, table.c.due_at > now + max(RETRY_DELAYS)))
    first = select(table.c.id).where(*due).order_by(table.c.due_at, table.c.id).limit(1)
    taken = (
        table.update()
        .where(table.c.id == first.with_for_update(skip_locked=True).scalar_subquery(), *due)
        .values(claim=claim, due_at=now + LEASE_SECONDS, attempts=table.c.attempts + 1)
        .returning(table.c.id, table.c.kind, table.c.subject, table.c.claim, table.c.attempts)
    )
    row = db.session.execute(taken).first()
    db.session.commit()
    return Claim(*row) if row else None


def _attempt(mailer: Mailer, claim: Claim) -> str:
    """Try to send a mail once; return its state afterwards."""
    if claim.attempts > MAX_ATTEMPTS:  # the worker died during each attempt
        return _mark(claim, FAILED, error=smtp.INTERRUPTED, ended_at=mailer.now())
    try:
        composed = mailer.types[claim.kind].compose(claim.subject, mailer.now())
        message = mailer.renderer.render(composed, claim.id, mailer.now()) if composed else None
    except SQLAlchemyError:
        raise
    except Exception as error:  # an error in one mail must not block the others
        log.error("a mail cannot be composed: %s", errors.origin_of(error))
        return _retry_later(mailer, claim, MailError(smtp.UNWRITABLE))
    if message is None:
        return _mark(claim, DROPPED, ended_at=mailer.now())
    return _send(mailer, claim, message)


def _send(mailer: Mailer, claim: Claim, message: EmailMessage) -> str:
    try:
        with smtp.session(mailer.settings) as session:
            session.send(message)
            return _mark(claim, SENT, error=None, ended_at=mailer.now())
    except MailError as error:
        return _retry_later(mailer, claim, error)


def _retry_later(mailer: Mailer, claim: Claim, error: MailError) -> str:
    """Schedule the next attempt, or mark the mail as failed; return its state."""
    log.warning("a mail was not sent: %s", error.kind)
    if error.lasting or claim.attempts == MAX_ATTEMPTS:
        return _mark(claim, FAILED, error=error.kind, ended_at=mailer.now())
    return _mark(claim, PENDING, error=error.kind, due_at=mailer.now() + RETRY_DELAYS[claim.attempts - 1])


def _mark(claim: Claim, state: str, **values: Any) -> str:
    """Store the result of an attempt and release the claim, if it is still valid; return the state. Commits."""
    db.session.rollback()  # discards what composing the mail may have changed
    claimed = (table.c.id == claim.id, table.c.claim == claim.claim)
    db.session.execute(table.update().where(*claimed).values(state=state, claim=None, **values))
    db.session.commit()
    return state
