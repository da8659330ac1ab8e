"""The outbox table: the state of each mail, and the id of its subject."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db

PENDING, SENT, FAILED, DROPPED = "waiting", "sent", "failed", "dropped"
"""States of a mail: to be sent; accepted by the server; given up and shown to staff; obsolete before it was sent."""


class OutboxMail(db.Model):  # type: ignore[name-defined]
    """One mail. Times are seconds since 1970, UTC. Address, name and text are composed when the mail is sent."""

    __tablename__ = "outbox_mail"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Random. Part of the ``Message-ID``, so that a duplicate can be recognized."""

    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(32))
    """The id of the record the mail is about, such as a request."""

    state: Mapped[str] = mapped_column(String(10))
    posted_at: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[int] = mapped_column(BigInteger)
    """The time of the next attempt; while claimed, the time at which the claim ends."""

    claim: Mapped[str | None] = mapped_column(String(32))
    """A random id, set while a worker has claimed the mail."""

    attempts: Mapped[int]
    error: Mapped[str | None] = mapped_column(String(20))
    """Why the last attempt failed: a constant of ``smtp``, never the server's own text."""

    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it was sent, failed or was dropped."""

    __table_args__ = (Index("outbox_due", "state", "due_at", "id"),)
