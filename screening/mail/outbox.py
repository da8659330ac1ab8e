"""The outbox: a mail is stored in the transaction of the event it reports, and delivered later by the worker.

A row holds the id of the mail's subject, but no address, name or text. A package registers each of its mail types with
a function that composes the message when it is sent, on a machine that can decrypt the request::

    types.add_type(app, "request.waits", MailType(label, compose, "staff_callbacks.show"))
    outbox.enqueue("request.waits", request.id, now)   # stored by the commit that stores the request
"""

import secrets

from screening.durations import DAY_SECONDS
from screening.extensions import db
from screening.mail.models import PENDING, OutboxMail

RETENTION_SECONDS, FAILED_RETENTION_SECONDS = 7 * DAY_SECONDS, 30 * DAY_SECONDS
"""Seconds for which a mail is stored after it was sent or dropped, and after it failed."""


def enqueue(kind: str, subject: str, now: float) -> None:
    """Add a mail to the database session; the caller's commit stores it."""
    at = int(now)
    mail = OutboxMail(id=secrets.token_hex(16), kind=kind, subject=subject, posted_at=at, due_at=at)
    mail.state, mail.attempts = PENDING, 0
    db.session.add(mail)
