"""Restores a backup into a migrated, empty database (SQLite or PostgreSQL), in one transaction."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Connection, LargeBinary, column, exists, func, insert, select, table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeEngine

from screening import audit
from screening.audit import AuditEvent
from screening.crypto.keyring import Keyring
from screening.extensions import db
from screening.operations import migration_state
from screening.operations.backup import BACKUP_RESTORED, BackupError, Progress, file_format
from screening.operations.backup.file_format import BackupHeader, Batch
from screening.operations.backup.table_lists import TABLES

NEXT_STEPS = """Next, in this order:
1. flask keys publish  so that new requests are encrypted to a key of this machine
2. flask purge         to delete what has expired since the backup
3. /staff/accounts     repeat what was disabled or reset since the backup"""


def restore(file: Path, keyring: Keyring, now: float, progress: Progress = lambda size: None) -> BackupHeader:
    """Store all rows of a backup and an audit event in the database, in one transaction; return its metadata.

    ``progress`` receives the number of bytes read. Needs an application context. Raises BackupError, after which
    nothing was stored: the file is damaged or of another migration, or the database is not empty or not migrated.
    """
    with file_format.open_backup(file, keyring, progress) as contents, _exclusive() as connection:
        _check_migration(contents.migration)
        _check_empty(connection)
        header = contents.read_batches(lambda batch: _store(connection, batch))
        _set_sequences(connection)
        rows = str(sum(header.rows.values()))
        event = {"at": int(now), "actor": audit.COMMAND, "action": BACKUP_RESTORED, "subject": header.number}
        connection.execute(insert(AuditEvent).values(**event, detail={"rows": rows}))
        connection.commit()
    return header


@contextmanager
def _exclusive() -> Iterator[Connection]:
    """Yield a connection in a transaction that locks out other writers; rolled back unless committed."""
    engine = db.engines[None]
    begin = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE"}
    try:
        if not migration_state.is_current():
            raise BackupError("The database is not at this version's migration: run flask db upgrade")
        with engine.connect() as connection:
            connection.execute(text(begin[engine.name]))
            yield connection
    except SQLAlchemyError as error:
        raise BackupError(f"The database failed ({type(error).__name__}). Nothing was stored") from error


def _check_migration(migration: str) -> None:
    latest = migration_state.latest_revision()
    if migration != latest:
        raise BackupError(
            f"The backup is of migration {migration}, this version of the site has {latest}: restore it "
            "with the version that created it, then run flask db upgrade with this one"
        )


def _check_empty(connection: Connection) -> None:
    for name, its_table in TABLES.items():
        if connection.execute(select(exists(select(its_table)))).scalar_one():
            raise BackupError(
                f"{name} is not empty: give SCREENING_DATABASE_URL a new database, and run flask db upgrade first"
            )


def _store(connection: Connection, batch: Batch) -> None:
    its_table = TABLES[batch.table]
    columns = [its_table.columns[name] for name in batch.columns]
    binary = {each.name for each in columns if isinstance(each.type, LargeBinary)}
    rows = [dict(zip(batch.columns, row, strict=True)) for row in batch.rows]
    for row in rows:
        row |= {name: base64.b64decode(row[name]) for name in binary if row[name] is not None}
    stored_as = table(batch.table, *(column(each.name, _stored_as(each.type)) for each in columns))
    connection.execute(insert(stored_as), rows)


def _stored_as(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of a column, where None in a JSON column is stored as SQL NULL."""
    return JSON(none_as_null=True) if isinstance(kind, JSON) else kind


def _set_sequences(connection: Connection) -> None:
    """Set PostgreSQL's sequences to continue after the restored ids; SQLite needs no such step."""
    if connection.dialect.name != "postgresql":
        return
    for name, its_table in TABLES.items():
        numbered = its_table.autoincrement_column
        if numbered is not None:
            after = select(func.coalesce(func.max(numbered), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(name, numbered.name)
            connection.execute(select(func.setval(sequence, after, False)))
