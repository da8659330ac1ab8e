"""Read and change rows of a database directly, without the site."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, select, text

from screening.cli.commands_app import create_commands_app
from screening.extensions import db
from screening.operations.backup.table_lists import TABLES
from tests.support.databases import close


def rows_in(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table that a backup includes, in primary key order."""
    with _connected(url) as connection:
        return {
            name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for name, table in TABLES.items()
        }


def change(url: str, *statements: str) -> None:
    """Execute a statement on a database directly."""
    with _connected(url) as connection:
        for statement in statements:
            connection.execute(text(statement))


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    app = create_commands_app({"DATABASE_URL": url})
    try:
        with app.app_context(), db.engines[None].begin() as connection:
            yield connection
    finally:
        close(app)
