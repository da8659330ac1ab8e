"""The worker's state: when each job ran, and which worker holds the lease."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db


class WorkerJob(db.Model):  # type: ignore[name-defined]
    """A job of the worker. Times are seconds since 1970, UTC."""

    __tablename__ = "worker_job"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    ran_at: Mapped[int | None] = mapped_column(BigInteger)
    """Start of its last successful run; None if there is none."""

    failed_at: Mapped[int | None] = mapped_column(BigInteger)
    """Time of its last failure; None after a successful run."""


class WorkerLease(db.Model):  # type: ignore[name-defined]
    """The lease of the one active worker: a single row, inserted by the migration. ``holder`` is a random id."""

    __tablename__ = "worker_lease"

    id: Mapped[int] = mapped_column(primary_key=True)
    holder: Mapped[str] = mapped_column(String(32))
    until: Mapped[int] = mapped_column(BigInteger)
    """The lease expires at this time, unless renewed or released before."""
