"""What the database keeps of the worker: when each job ran, and which worker is at work."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db


class WorkerJob(db.Model):  # type: ignore[name-defined]
    """A job of the worker. Times are seconds since 1970, UTC."""

    __tablename__ = "worker_job"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    ran_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it was last begun and came to its end; None while it never did."""

    failed_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it failed, if it did not run since."""


class WorkerLease(db.Model):  # type: ignore[name-defined]
    """Which worker is at work: one row, made by the migration. ``holder`` is random, of one process."""

    __tablename__ = "worker_lease"

    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(String(32))
    until: Mapped[int] = mapped_column(BigInteger)
    """From then on another may take over: the holder has ended without letting go."""
