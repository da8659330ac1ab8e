"""What is in a backup and what is not: every table stands on one of two lists, and a test sees to it."""

from sqlalchemy import Table

from screening.audit import AuditEvent
from screening.callbacks.models import CallbackContact, CallbackKey, CallbackNote, CallbackRequest, ClosedDay
from screening.extensions import db
from screening.mail.models import OutboxMail
from screening.operations.models import WorkerJob, WorkerLease
from screening.releases.models import Release, ReleaseChunk, ReleaseFile
from screening.responses.models import PendingResponse, ShuffledBatch, ShuffledResponse
from screening.staff.models import Account, Role, StaffSession

BACKED_UP = (
    *(Account, Role, AuditEvent),
    *(CallbackKey, CallbackRequest, CallbackContact, CallbackNote, ClosedDay, OutboxMail),
    *(ShuffledBatch, ShuffledResponse, Release, ReleaseFile, ReleaseChunk),
)
"""What a backup holds."""

EXCLUDED = (
    PendingResponse,  # a copy there can be told apart by when it came, and taken back
    StaffSession,  # one that was ended must not begin again
    *(WorkerJob, WorkerLease),  # of the worker that runs here, not of the clinic: after a restore each job is due
)
"""What never gets into one."""

_NAMES = {model.__tablename__ for model in BACKED_UP}

TABLES: dict[str, Table] = {table.name: table for table in db.metadatas[None].sorted_tables if table.name in _NAMES}
"""The tables of ``BACKED_UP`` by name, each after those it refers to."""
