"""Deleting what is done with, and overwriting what deleted rows leave behind."""

from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from screening.database.timeouts import without_timeouts
from screening.extensions import db


def delete_where(model: Any, *where: ColumnElement[bool], dry_run: bool = False) -> int:
    """Delete the rows of a model that meet all conditions, with what hangs on them; how many. Commits.

    A ``dry_run`` only counts. Raises SQLAlchemyError; then nothing is deleted.
    """
    if dry_run:
        return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0
    erased: Any = db.session.execute(delete(model.__table__).where(*where))
    db.session.commit()
    return int(erased.rowcount)


def scrub(engine: Engine, *tables: str, whole_file: bool = False) -> bool:
    """Overwrite what deleted rows left behind; False when somebody is at work there just now.

    SQLite keeps old pages in its write-ahead file (and with ``whole_file`` the file itself is written
    anew); PostgreSQL keeps old rows in the files of their ``tables``. What PostgreSQL has in its own
    write-ahead log, on replicas and in archives is out of reach.
    """
    anew = [f"VACUUM FULL {table}" for table in tables]
    statements = {
        "sqlite": (["VACUUM"] if whole_file else []) + ["PRAGMA wal_checkpoint(TRUNCATE)"],
        "postgresql": ["SET lock_timeout = '3s'", *anew] if tables else [],
    }
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # it ends here, and with it the time-out
        without_timeouts(connection)
        try:
            busy = [connection.execute(text(statement)) for statement in statements[engine.dialect.name]]
            return not any(result.scalar() for result in busy if result.returns_rows)
        except OperationalError:
            return False
