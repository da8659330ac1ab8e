"""``INSERT … ON CONFLICT DO UPDATE``, which SQLite and PostgreSQL have alike: no race between looking and storing."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def upsert(
    dialect: Dialect,
    table: Any,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    where: ColumnElement[bool] | None = None,
) -> Any:
    """Return the statement that inserts a row, or sets the values of the row with this key if ``where`` is true."""
    insert = INSERTS[dialect.name](table).values(**key, **values)
    return insert.on_conflict_do_update(index_elements=list(key), set_=dict(values), where=where)
