"""What is in a backup and what is not: every table stands on one of two lists, and a test sees to it."""

from __future__ import annotations

from sqlalchemy import Table

from screening.audit import AuditEvent
from screening.callback.models import CallbackContact, CallbackKey, CallbackNote, CallbackRequest, ClosedDay
from screening.extensions import db
from screening.operations.models import WorkerJob, WorkerLease
from screening.outbox.models import OutboxMail
from screening.responses.models import InboxCopy, MixedCopy, Moved, Release, ReleaseChunk, ReleaseFile
from screening.staff.models import Account, Role, StaffSession

KEPT = (
    *(Account, Role, AuditEvent),
    *(CallbackKey, CallbackRequest, CallbackContact, CallbackNote, ClosedDay, OutboxMail),
    *(Moved, MixedCopy, Release, ReleaseFile, ReleaseChunk),
)
"""What a backup holds."""

LEFT_OUT = (
    InboxCopy,  # a copy there can be told apart by when it came, and taken back
    StaffSession,  # one that was ended must not begin again
    *(WorkerJob, WorkerLease),  # of the worker that runs here, not of the clinic: after a restore each job is due
)
"""What never gets into one."""

_NAMES = {model.__tablename__ for model in KEPT}

TABLES: dict[str, Table] = {table.name: table for table in db.metadatas[None].sorted_tables if table.name in _NAMES}
"""The tables of ``KEPT`` by name, each after those it refers to."""
