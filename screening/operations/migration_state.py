"""Whether the databases are at the newest migration."""

from functools import lru_cache

from alembic.script import ScriptDirectory
from sqlalchemy import column, inspect, select, table
from sqlalchemy.engine import Engine

from screening.database.engines import MIGRATIONS
from screening.extensions import db


def is_current() -> bool:
    """Whether each database is at the migration this code was made for. Needs an application context.

    Raises SQLAlchemyError when a database cannot be reached.
    """
    return all(_version(bind or "main", engine) == latest_revision() for bind, engine in db.engines.items())


@lru_cache(1)
def latest_revision() -> str | None:
    """The newest migration there is."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _version(name: str, engine: Engine) -> str | None:
    noted = f"alembic_version_{name}"
    with engine.connect() as connection:
        if not inspect(connection).has_table(noted):
            return None
        version: str | None = connection.execute(select(column("version_num")).select_from(table(noted))).scalar()
        return version
