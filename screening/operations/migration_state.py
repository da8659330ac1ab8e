"""The migration state of the databases."""

from functools import lru_cache

from alembic.script import ScriptDirectory
from sqlalchemy import column, inspect, select, table
from sqlalchemy.engine import Engine

from screening.database.engines import MIGRATIONS
from screening.extensions import db


def is_current() -> bool:
    """Return whether each database is at the newest migration. Needs an application context.

    Raises SQLAlchemyError when a database cannot be reached.
    """
    return all(_version(bind or "main", engine) == latest_revision() for bind, engine in db.engines.items())


@lru_cache(1)
def latest_revision() -> str | None:
    """Return the id of the newest migration."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _version(name: str, engine: Engine) -> str | None:
    versions = f"alembic_version_{name}"
    with engine.connect() as connection:
        if not inspect(connection).has_table(versions):
            return None
        version: str | None = connection.execute(select(column("version_num")).select_from(table(versions))).scalar()
        return version
