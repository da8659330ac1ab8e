"""Databases of tests: migrate, close, read directly, and record statements."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Engine, create_engine, event, text

from screening.callbacks import public_key
from screening.cli.commands_app import create_commands_app
from screening.crypto.keyring import CALLBACK, RESPONSES, Keyring
from screening.extensions import db
from screening.responses import response_keys
from tests.support.clock import START


def migrate(url: str, keys: Path | None = None, now: float = START) -> None:
    """Migrate a database to the latest version, as ``flask db upgrade`` does, and publish the keys."""
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context():
        upgrade()
        if keys:
            public_key.publish(Keyring(keys, (CALLBACK,)), now)
            response_keys.publish(Keyring(keys, (RESPONSES,)), int(now))
    close(app)


def close(app: Flask) -> None:
    """Close the database connections of an application, and of the staff application that it mounts."""
    for each in (app, *(app.extensions[name] for name in ("staff",) if name in app.extensions)):
        with each.app_context():
            for engine in each.extensions["sqlalchemy"].engines.values() if "sqlalchemy" in each.extensions else ():
                engine.dispose()


@contextmanager
def plain_engine(url: str) -> Iterator[Engine]:
    """Return an engine without statement timeout and without the site's settings, for bulk data."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        yield engine
    finally:
        engine.dispose()


def pending_responses(url: str) -> list[dict[str, Any]]:
    """Return the rows of pending responses as stored in a database."""
    if url.startswith("sqlite"):
        url = url.removesuffix(".sqlite") + "-pending.sqlite"
    with plain_engine(url) as engine, engine.connect() as connection:
        return [dict(row) for row in connection.execute(text("SELECT * FROM pending_response")).mappings()]


def statements_of(app: Flask, step: Callable[[], object]) -> list[tuple[str, Any]]:
    """Return each SQL statement, with its parameters, that an application executes while ``step`` runs."""
    sent: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        sent.append((statement, parameters))

    with app.app_context():
        engine = db.engines[None]
    event.listen(engine, "before_cursor_execute", note)
    try:
        step()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return sent


def assert_indexed(app: Flask, statements: list[tuple[str, Any]], table: str, in_key_order: bool = False) -> None:
    """Fail if one of these SELECT statements on a table needs a full table scan or a sort.

    With ``in_key_order`` the rows may be read by descending primary key, which ends at the statement's LIMIT.

    The SQLite plan is checked as it is. PostgreSQL prefers scans for small tables, so scans and sorts are disabled for
    its planner; it then uses them only where no index applies.
    """
    with app.app_context():
        engine = db.engines[None]
    asked = [each for each in statements if each[0].startswith("SELECT") and f"FROM {table}" in each[0]]
    assert asked, f"no statement reads {table}"
    sqlite = engine.dialect.name == "sqlite"
    unwanted = (f"SCAN {table}", "USE TEMP B-TREE FOR ORDER BY") if sqlite else (f"Seq Scan on {table}", "Sort ")
    with engine.connect() as connection:
        if not sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")
            connection.exec_driver_sql("SET enable_sort = off")
        for statement, parameters in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' * sqlite}{statement}", parameters).all()
            plan = [str(row[-1]).strip().removeprefix("->").strip() for row in rows]
            ends = sqlite and in_key_order and f"ORDER BY {table}.id DESC" in statement and "LIMIT" in statement
            refused = unwanted[1:] if ends else unwanted
            assert not [step for step in plan if step.startswith(refused)], (statement, plan)
