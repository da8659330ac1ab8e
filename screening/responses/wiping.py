"""Overwriting what deleted rows leave behind."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError


def wipe(engine: Engine, table: str | None = None, whole_file: bool = False) -> bool:
    """Overwrite what deleted rows left behind; False when somebody is at work there just now.

    SQLite keeps old pages in its write-ahead file (and with ``whole_file`` the file itself is written
    anew); PostgreSQL keeps old rows in the file of their ``table``.
    """
    statements = {
        "sqlite": (["VACUUM"] if whole_file else []) + ["PRAGMA wal_checkpoint(TRUNCATE)"],
        "postgresql": ["SET lock_timeout = '3s'", f"VACUUM FULL {table}", "RESET lock_timeout"] if table else [],
    }
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        try:
            busy = [connection.execute(text(statement)) for statement in statements[engine.dialect.name]]
            return not any(result.scalar() for result in busy if result.returns_rows)
        except OperationalError:
            connection.invalidate()  # it would keep the time-out
            return False
