"""Deletion of rows, and overwriting of the database pages that held them."""

from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from screening.database.timeouts import without_timeouts
from screening.extensions import db


def delete_where(model: Any, *where: ColumnElement[bool], dry_run: bool = False) -> int:
    """Delete the rows of a model that meet all conditions, with dependent rows; return how many. Commits.

    A ``dry_run`` only counts. Raises SQLAlchemyError; then nothing is deleted.
    """
    if dry_run:
        return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0
    deleted: Any = db.session.execute(delete(model.__table__).where(*where))
    db.session.commit()
    return int(deleted.rowcount)


def scrub(engine: Engine, *tables: str, whole_file: bool = False) -> bool:
    """Overwrite freed pages of a database; return False when another connection holds a lock.

    SQLite: truncates the write-ahead log, and with ``whole_file`` rewrites the database file. PostgreSQL:
    rewrites the ``tables``. PostgreSQL's write-ahead log, replicas and archives are not reached.
    """
    rewrite = [f"VACUUM FULL {table}" for table in tables]
    statements = {
        "sqlite": (["VACUUM"] if whole_file else []) + ["PRAGMA wal_checkpoint(TRUNCATE)"],
        "postgresql": ["SET lock_timeout = '3s'", *rewrite] if tables else [],
    }
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # closed afterwards, not returned to the pool, so the timeout setting does not persist
        without_timeouts(connection)
        try:
            results = [connection.execute(text(statement)) for statement in statements[engine.dialect.name]]
            return not any(result.scalar() for result in results if result.returns_rows)  # wal_checkpoint: 1 is busy
        except OperationalError:
            return False
