"""The tables that a backup includes and excludes. A test requires every table to be on one of the two lists."""

from sqlalchemy import Table

from screening.audit import AuditEvent
from screening.callbacks.models import (
    CallbackAttempt,
    CallbackContact,
    CallbackKey,
    CallbackNote,
    CallbackRequest,
    ClosedDay,
    FigureBlock,
    WeeklyCount,
)
from screening.extensions import db
from screening.mail.models import OutboxMail
from screening.operations.models import WorkerJob, WorkerLease
from screening.releases.models import Release, ReleaseChunk, ReleaseFile
from screening.responses.models import HeldResponse, PendingKey, PendingResponse, ShuffledBatch, ShuffledResponse
from screening.staff.models import Account, Role, StaffSession

BACKED_UP = (
    *(Account, Role, AuditEvent),
    *(CallbackKey, CallbackRequest, CallbackContact, CallbackAttempt, CallbackNote, ClosedDay, OutboxMail),
    *(WeeklyCount, FigureBlock),
    *(ShuffledBatch, ShuffledResponse, HeldResponse, Release, ReleaseFile, ReleaseChunk),
)
"""Models whose rows are in a backup."""

EXCLUDED = (
    PendingResponse,  # can still be linked to its visitor's draft, and be withdrawn
    PendingKey,  # its private key is destroyed soon after
    StaffSession,  # a revoked session must not become valid again
    *(WorkerJob, WorkerLease),  # state of this installation's worker; after a restore each job is due
)
"""Models whose rows are never in a backup."""

_NAMES = {model.__tablename__ for model in BACKED_UP}

TABLES: dict[str, Table] = {table.name: table for table in db.metadatas[None].sorted_tables if table.name in _NAMES}
"""The tables of ``BACKED_UP`` by name, in the order of their foreign keys."""
