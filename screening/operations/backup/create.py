"""Creates a backup while the site runs: one snapshot, encrypted, verified by reading it, renamed last."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import SQLAlchemyError

from screening import audit
from screening.crypto.key_files import sync_folder
from screening.crypto.keyring import Keyring
from screening.extensions import db
from screening.operations import migration_state
from screening.operations.backup import BACKUP_CREATED, BackupError, Progress, file_format
from screening.operations.backup.file_format import BackupHeader, Batch
from screening.operations.backup.table_lists import TABLES

BATCH_ROWS = 50
"""Rows fetched at a time: a chunk of a release can have a megabyte."""

SNAPSHOT_STATEMENTS: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
"""Execution options for a transaction that reads a snapshot; in SQLite every transaction does."""


def count_rows() -> int:
    """Return how many rows a backup would have now. Needs an application context. Raises BackupError."""
    with _snapshot() as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES.values()
        )


def create(
    file: Path, keyring: Keyring, now: float, replace: bool = False, progress: Progress = lambda rows: None
) -> BackupHeader:
    """Write a backup of the database to a file, verify it by reading it from disk, and add an audit event.

    The backup is written to a temporary file and renamed last, so a failure leaves an existing file unchanged.
    ``progress`` receives each row twice: when it is written and when it is verified. Needs an application
    context. Raises BackupError.
    """
    with _atomic(file, replace) as part:
        with part.open("wb") as target, _snapshot() as connection:
            tables, rows = list(TABLES.values()), _rows(connection, progress)
            header = file_format.write_backup(
                target, keyring, int(now), migration_state.latest_revision() or "", tables, rows
            )
            _sync(target)
        with file_format.open_backup(part, keyring) as contents:
            read = contents.read_batches(lambda batch: progress(len(batch.rows)))
        if read != header:
            raise BackupError("The backup read from disk differs from what was written: try again, on another disk")
        _add_audit_event(header, now)
    return header


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """Yield a connection that reads a snapshot of the database and blocks no writer."""
    engine = db.engines[None]
    try:
        if not migration_state.is_current():
            raise BackupError("The database is not at this version's migration: run flask db upgrade")
        with engine.connect().execution_options(**SNAPSHOT_STATEMENTS[engine.name]) as connection:
            connection.execute(text("BEGIN" if engine.name == "sqlite" else "SELECT"))
            yield connection
    except SQLAlchemyError as error:
        raise BackupError(f"The database cannot be read ({type(error).__name__}): run flask doctor") from error


def _rows(connection: Connection, progress: Progress) -> Iterator[Batch]:
    """Yield every row of every table in the order of its primary key, so that the storage order is not preserved."""
    for name, table in TABLES.items():
        ordered = select(table).order_by(*table.primary_key)
        for rows in connection.execution_options(yield_per=BATCH_ROWS).execute(ordered).partitions():
            yield Batch(name, table.columns.keys(), [list(row) for row in rows])
            progress(len(rows))


def _add_audit_event(header: BackupHeader, now: float) -> None:
    try:
        rows = str(sum(header.rows.values()))
        db.session.add(audit.event(BACKUP_CREATED, now, audit.COMMAND, header.number, rows=rows))
        db.session.commit()
    except SQLAlchemyError as error:
        raise BackupError(f"The audit event cannot be stored ({type(error).__name__}): try again") from error


@contextmanager
def _atomic(file: Path, replace: bool) -> Iterator[Path]:
    """Yield a temporary file (mode 0600), renamed to ``file`` at the end. A killed process leaves a ``.part``."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        _check_free(file, replace)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            yield part
            _check_free(file, replace)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(file.parent)
    except OSError as error:
        raise BackupError(f"{file}: {error.strerror}") from error


def _check_free(file: Path, replace: bool) -> None:
    if file.exists() and not replace:
        raise BackupError(f"{file} already exists: choose another name, or use --replace")


def _sync(file: BinaryIO) -> None:
    """Flush a file to disk and drop it from the page cache, so that it is verified from disk."""
    file.flush()
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
