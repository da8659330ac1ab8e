"""What the database keeps of a mail: its course, and the id of what it is about."""

from sqlalchemy import BigInteger, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db

PENDING, SENT, FAILED, DROPPED = "waiting", "sent", "failed", "dropped"
"""Where a mail stands: to be sent; accepted by the mail server; given up, for staff to see; nothing left to say."""


class OutboxMail(db.Model):  # type: ignore[name-defined]
    """One mail. Times are seconds since 1970, UTC. No address, no name, no text: those are found when it is sent."""

    __tablename__ = "outbox_mail"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Random. The ``Message-ID`` is made of it, so a mail that is sent twice can be known again."""

    kind: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(32))
    """The id of what it is about, such as a request."""

    state: Mapped[str] = mapped_column(String(10))
    posted_at: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[int] = mapped_column(BigInteger)
    """Not to be tried before; while a worker has it, the time until which that worker may take."""

    claim: Mapped[str | None] = mapped_column(String(32))
    """Random, of the worker that has it just now."""

    attempts: Mapped[int]
    error: Mapped[str | None] = mapped_column(String(20))
    """Why the last attempt failed: a word of ``smtp``'s, never what the server said."""

    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it was sent, given up or dropped."""

    __table_args__ = (Index("outbox_due", "state", "due_at", "id"),)
