"""Making a backup while the site goes on: one snapshot, sealed, read back, and only then given its name."""

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
"""Rows read at once: a piece of a release can have a megabyte."""

SNAPSHOT_STATEMENTS: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
"""What makes a transaction see the database as it was when it began; in SQLite each does."""


def count_rows() -> int:
    """How many rows a backup made now would have. Needs an application context. Raises BackupError."""
    with _snapshot() as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in TABLES.values()
        )


def create(
    file: Path, keyring: Keyring, now: float, replace: bool = False, progress: Progress = lambda rows: None
) -> BackupHeader:
    """Write a backup of the database into a file, read it back from the disk, and note it in the audit.

    The file gets its name last; until then, or when anything fails, what bore the name before still does.
    ``progress`` is told of each row twice: when it is written, and when it is read back. Needs an
    application context. Raises BackupError.
    """
    with _named_last(file, replace) as part:
        with part.open("wb") as target, _snapshot() as connection:
            tables, rows = list(TABLES.values()), _rows(connection, progress)
            stated = file_format.write_backup(
                target, keyring, int(now), migration_state.latest_revision() or "", tables, rows
            )
            _to_disk(target)
        with file_format.open_backup(part, keyring) as contents:
            read = contents.hand_to(lambda batch: progress(len(batch.rows)))
        if read != stated:
            raise BackupError("What was read back is not what was written: try again, on another disk")
        _note(stated, now)
    return stated


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """The database as it is now, for as long as it is read. Nobody who writes waits for it."""
    engine = db.engines[None]
    try:
        if not migration_state.is_current():
            raise BackupError("The database is not as this version of the site needs it: run flask db upgrade")
        with engine.connect().execution_options(**SNAPSHOT_STATEMENTS[engine.name]) as connection:
            connection.execute(text("BEGIN" if engine.name == "sqlite" else "SELECT"))
            yield connection
    except SQLAlchemyError as error:
        raise BackupError(f"The database cannot be read ({type(error).__name__}): flask doctor tells more") from error


def _rows(connection: Connection, progress: Progress) -> Iterator[Batch]:
    """Every row of every table, in the order of its key: that of storage is nobody's to keep."""
    for name, table in TABLES.items():
        ordered = select(table).order_by(*table.primary_key)
        for rows in connection.execution_options(yield_per=BATCH_ROWS).execute(ordered).partitions():
            yield Batch(name, table.columns.keys(), [list(row) for row in rows])
            progress(len(rows))


def _note(stated: BackupHeader, now: float) -> None:
    try:
        rows = str(sum(stated.rows.values()))
        db.session.add(audit.event(BACKUP_CREATED, now, audit.COMMAND, stated.number, rows=rows))
        db.session.commit()
    except SQLAlchemyError as error:
        raise BackupError(f"The backup cannot be noted in the audit ({type(error).__name__}): try again") from error


@contextmanager
def _named_last(file: Path, replace: bool) -> Iterator[Path]:
    """A file beside it, for its owner only, that takes the name at the end. What is killed leaves a ``.part``."""
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
        raise BackupError(f"{file} is there already: give another name, or --replace")


def _to_disk(file: BinaryIO) -> None:
    """Have a file written, and forgotten by the system's cache, so that reading it asks the disk."""
    file.flush()
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
