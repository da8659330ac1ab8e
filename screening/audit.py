"""Audit events: who did what, and when.

A database trigger refuses updates, and deletion within a year. An event names requests and accounts by random id only.
"""

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.database.secure_delete import delete_where
from screening.durations import DAY_SECONDS
from screening.extensions import db

VISITOR = "visitor"
"""The actor when a patient changes or withdraws their own request."""

UNKNOWN_ACTOR = "stranger"
"""The actor when the account is unknown, as at a failed sign-in."""

COMMAND = "command"
"""The actor of commands on the machine itself."""

DEMO_FILLED = "demo.filled"
"""The action that marks a database as a demo's; permanent, since events cannot be deleted."""


class AuditEvent(db.Model):  # type: ignore[name-defined]
    """One event. ``at`` is in seconds since 1970, UTC."""

    __tablename__ = "audit_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    actor: Mapped[str] = mapped_column(String(64), index=True)
    """The id of an account, or ``VISITOR``, ``UNKNOWN_ACTOR`` or ``COMMAND``."""

    action: Mapped[str] = mapped_column(String(40), index=True)
    """A name such as ``request.viewed``; ``staff.display_names`` has the texts."""

    subject: Mapped[str] = mapped_column(String(64), index=True)
    """The id of the request, account or release concerned; empty when there is none."""

    detail: Mapped[dict[str, str]] = mapped_column(JSON)
    """Details such as the outcome of a call. Never text that a person typed."""


def event(action: str, at: float, actor: str, subject: str = "", **detail: str) -> AuditEvent:
    """Return an event, to be added to the session that stores the change it records."""
    return AuditEvent(action=action, at=int(at), actor=actor, subject=subject, detail=detail)


def purge(now: float, dry_run: bool = False, *, retention_days: int) -> int:
    """Delete the events older than ``retention_days``, or with ``dry_run`` count them; return how many. Commits.

    Raises SQLAlchemyError, also when an event is younger than a year by the database's clock.
    """
    return delete_where(AuditEvent, AuditEvent.at < int(now) - retention_days * DAY_SECONDS, dry_run=dry_run)
