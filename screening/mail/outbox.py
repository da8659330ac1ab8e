"""The outbox: a mail is stored in the transaction of its cause, and delivered later by the worker.

A row holds what a mail is about and nothing else: no address, no name, no text. A package registers each of its mail
types with a function that composes the message when it is sent, on a machine that may decrypt the request::

    types.add_type(app, "request.waiting", MailType(label, compose, "staff_callbacks.show"))
    outbox.enqueue("request.waiting", request.id, now)   # stored by the commit that stores the request
"""

import secrets

from screening.durations import DAY_SECONDS
from screening.extensions import db
from screening.mail.models import PENDING, OutboxMail

RETENTION_SECONDS, FAILED_RETENTION_SECONDS = 7 * DAY_SECONDS, 30 * DAY_SECONDS
"""Seconds that a mail is kept once it was sent or dropped, and once it was given up."""


def enqueue(kind: str, subject: str, now: float) -> None:
    """Add a mail to the database session, so that the commit of its cause stores it."""
    at = int(now)
    mail = OutboxMail(id=secrets.token_hex(16), kind=kind, subject=subject, posted_at=at, due_at=at)
    mail.state, mail.attempts = PENDING, 0
    db.session.add(mail)
