"""Audit events: who did what, and when.

A trigger refuses every change, and deletion within a year. An event names requests and accounts by random id only.
"""

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.database.secure_delete import delete_where
from screening.durations import DAY_SECONDS
from screening.extensions import db

VISITOR = "visitor"
"""The actor when a patient changes or takes back their own request."""

UNKNOWN_ACTOR = "stranger"
"""The actor when nobody knows who tried, as at a wrong password."""

COMMAND = "command"
"""The actor when somebody works on the machine itself."""

DEMO_FILLED = "demo.filled"
"""The action that marks a database as a demo's: nobody can take an event out."""


class AuditEvent(db.Model):  # type: ignore[name-defined]
    """One thing that was seen or done. ``at`` is in seconds since 1970, UTC."""

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    actor: Mapped[str] = mapped_column(String(64), index=True)
    """The id of an account, or ``VISITOR``, ``UNKNOWN_ACTOR`` or ``COMMAND``."""

    action: Mapped[str] = mapped_column(String(40), index=True)
    """A name such as ``request.viewed``; what each means to a reader stands with the page that lists them."""

    subject: Mapped[str] = mapped_column(String(64), index=True)
    """The id of what it was done to: a request, an account, a release; empty when there is none."""

    detail: Mapped[dict[str, str]] = mapped_column(JSON)
    """A few words more, such as the outcome of a call. Nothing that a person typed."""


def event(action: str, at: float, actor: str, subject: str = "", **detail: str) -> AuditEvent:
    """An event, to be added to the session whose commit also stores what it tells of."""
    return AuditEvent(action=action, at=int(at), actor=actor, subject=subject, detail=detail)


def purge(now: float, dry_run: bool = False, *, retention_days: int) -> int:
    """Delete the events older than ``retention_days``, or count them; how many.

    Commits. Raises SQLAlchemyError, also where by the database's own clock one is younger than a year.
    """
    return delete_where(AuditEvent, AuditEvent.at < int(now) - retention_days * DAY_SECONDS, dry_run=dry_run)
