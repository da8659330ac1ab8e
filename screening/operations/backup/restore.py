"""Giving a backup back, into a database of either kind that is migrated and empty: wholly, or not at all."""

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
1. flask keys publish  so that requests are sealed to a key that is here
2. flask purge         so that goes what is over by now
3. /staff/accounts     who was disabled or reset since then is as before"""


def restore(file: Path, keyring: Keyring, now: float, progress: Progress = lambda size: None) -> BackupHeader:
    """Put everything of a backup into the database, and note it in the audit: one transaction.

    ``progress`` is told of bytes of the file. Needs an application context. Raises BackupError: the file is
    not as it was written or of another version, or the database is in use or behind. Then nothing was stored.
    """
    with file_format.open_backup(file, keyring, progress) as contents, _alone() as connection:
        _check_migration(contents.migration)
        _check_empty(connection)
        stated = contents.hand_to(lambda batch: _store(connection, batch))
        _go_on_counting(connection)
        rows = str(sum(stated.rows.values()))
        event = {"at": int(now), "actor": audit.COMMAND, "action": BACKUP_RESTORED, "subject": stated.number}
        connection.execute(insert(AuditEvent).values(**event, detail={"rows": rows}))
        connection.commit()
    return stated


@contextmanager
def _alone() -> Iterator[Connection]:
    """A transaction during which nobody else writes into the tables; rolled back unless it is committed."""
    engine = db.engines[None]
    begin = {"sqlite": "BEGIN IMMEDIATE", "postgresql": f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE"}
    try:
        if not migration_state.is_current():
            raise BackupError("The database is not ready for it: run flask db upgrade")
        with engine.connect() as connection:
            connection.execute(text(begin[engine.name]))
            yield connection
    except SQLAlchemyError as error:
        raise BackupError(f"The database did not take it ({type(error).__name__}). Nothing was stored") from error


def _check_migration(migration: str) -> None:
    latest = migration_state.latest_revision()
    if migration != latest:
        raise BackupError(
            f"The backup is of migration {migration}, this version of the site has {latest}: restore it "
            "with the version that made it, then run flask db upgrade with this one"
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
    """The type of a column, but that nothing in a JSON column is stored as the database's NULL."""
    return JSON(none_as_null=True) if isinstance(kind, JSON) else kind


def _go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL number new rows after those that came; SQLite does by itself."""
    if connection.dialect.name != "postgresql":
        return
    for name, its_table in TABLES.items():
        numbered = its_table.autoincrement_column
        if numbered is not None:
            after = select(func.coalesce(func.max(numbered), 0) + 1).scalar_subquery()
            sequence = func.pg_get_serial_sequence(name, numbered.name)
            connection.execute(select(func.setval(sequence, after, False)))
