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


def missing_columns() -> list[str]:
    """Return the columns of the models that the databases lack, as ``table.column``; of a missing table, all.

    The version alone does not tell: a migration may have been changed by hand, or interrupted. Needs an application
    context. Raises SQLAlchemyError.
    """
    missing = []
    for bind, engine in db.engines.items():
        stored = inspect(engine).get_multi_columns()
        found = {(name, column["name"]) for (_, name), columns in stored.items() for column in columns}
        wanted = [(each.name, column.name) for each in db.metadatas[bind].sorted_tables for column in each.columns]
        missing += [".".join(pair) for pair in wanted if pair not in found]
    return missing


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
