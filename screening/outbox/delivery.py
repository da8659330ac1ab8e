"""How what waits in the outbox is sent: each mail by one worker, tried again later and later, then shown to staff.

A mail is claimed by one statement that moves its ``due_at`` ahead: others pass it over, and when the
worker dies it falls due again by itself. It can reach somebody twice in one case, which SMTP leaves
open: the server has accepted it and the worker does not learn of that, or cannot store it any more
(``_send``, between ``session.send`` and the commit of ``_mark``): a crash there, a database that is
away, an answer that is lost on the way, or a worker that stands still for longer than ``LEASE``.
Both copies then carry one ``Message-ID``.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

from flask import current_app
from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError

from screening.extensions import db
from screening.outbox import smtp
from screening.outbox.kinds import kinds
from screening.outbox.models import DROPPED, FAILED, SENT, WAITING, OutboxMail
from screening.outbox.smtp import MailError
from screening.outbox.writing import write
from screening.web import errors

log = logging.getLogger(__name__)

MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60

WAITS = (MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, DAY, DAY, DAY)
"""Seconds from each failed attempt to the next: a mail server may be away over a weekend. Then it is given up."""

MOST_ATTEMPTS = len(WAITS) + 1

LEASE = 15 * MINUTE
"""Seconds a claim holds: far more than a mail takes, each answer of the server being timed (``MAIL_TIMEOUT``)."""

table: Any = OutboxMail.__table__


@dataclass(frozen=True)
class Claim:
    """A mail that one worker has, known by ``claim``; ``attempts`` counts this one."""

    id: str
    kind: str
    subject: str
    claim: str
    attempts: int


def deliver(go_on: Callable[[], bool] = lambda: True) -> int:
    """Send every mail that is due, one after another, while ``go_on`` says so; how many the server accepted.

    Nothing where no mail server is set. Needs an application context with the staff's keys. Raises
    SQLAlchemyError when the database is away.
    """
    sent = 0
    while current_app.config["SETTINGS"]["MAIL_HOST"] and go_on():
        claim = claim_next()
        if claim is None:
            break
        sent += _attempt(claim) == SENT
    return sent


def claim_next() -> Claim | None:
    """Take the mail that is due longest; None when none is. Commits.

    One that would wait longer than any does was put off before the clock was put back, and is due.
    """
    now, claim = _now(), secrets.token_hex(16)
    due = (table.c.state == WAITING, or_(table.c.due_at <= now, table.c.due_at > now + max(WAITS)))
    first = select(table.c.id).where(*due).order_by(table.c.due_at, table.c.id).limit(1)
    taken = (
        table.update()
        .where(table.c.id == first.with_for_update(skip_locked=True).scalar_subquery(), *due)
        .values(claim=claim, due_at=now + LEASE, attempts=table.c.attempts + 1)
        .returning(table.c.id, table.c.kind, table.c.subject, table.c.claim, table.c.attempts)
    )
    row = db.session.execute(taken).first()
    db.session.commit()
    return Claim(*row) if row else None


def _attempt(claim: Claim) -> str:
    """Try a mail once; where it stands then."""
    if claim.attempts > MOST_ATTEMPTS:  # each time the worker ended in the midst of it
        return _mark(claim, FAILED, error=smtp.INTERRUPTED, ended_at=_now())
    try:
        letter = kinds()[claim.kind].compose(claim.subject)
        message = write(letter, claim.id) if letter else None
    except SQLAlchemyError:
        raise
    except Exception as error:  # whatever is wrong with one letter must not hold up the others
        log.error("a mail cannot be written: %s", errors.where(error))
        return _put_off(claim, MailError(smtp.UNWRITABLE))
    if message is None:
        return _mark(claim, DROPPED, ended_at=_now())
    return _send(claim, message)


def _send(claim: Claim, message: EmailMessage) -> str:
    try:
        with smtp.session(current_app.config["SETTINGS"]) as session:
            session.send(message)
            return _mark(claim, SENT, error=None, ended_at=_now())
    except MailError as error:
        return _put_off(claim, error)


def _put_off(claim: Claim, error: MailError) -> str:
    """Try again later, or give up."""
    log.warning("a mail was not sent: %s", error.kind)
    if error.lasting or claim.attempts == MOST_ATTEMPTS:
        return _mark(claim, FAILED, error=error.kind, ended_at=_now())
    return _mark(claim, WAITING, error=error.kind, due_at=_now() + WAITS[claim.attempts - 1])


def _mark(claim: Claim, state: str, **values: Any) -> str:
    """Note how an attempt ended, if the claim still holds, and let go of the mail; the state. Commits."""
    db.session.rollback()  # nothing that writing the letter has begun
    mine = (table.c.id == claim.id, table.c.claim == claim.claim)
    db.session.execute(table.update().where(*mine).values(state=state, claim=None, **values))
    db.session.commit()
    return state


def _now() -> int:
    return int(current_app.extensions["clock"]())
