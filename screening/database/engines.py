"""Database engines: two SQLite files in ``instance/`` by default, or one PostgreSQL database."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError

from screening.config import ROOT, SettingsError
from screening.database.timeouts import BreakerPool, set_timeouts
from screening.extensions import db, migrate

MIGRATIONS = ROOT / "screening" / "database" / "migrations"

SQLITE_PRAGMAS = ("journal_mode = WAL", "foreign_keys = ON", "busy_timeout = 5000", "secure_delete = ON")
"""Set on every connection: all but the first apply to a single connection."""

CONNECT_SECONDS = 3
"""Connection timeout of PostgreSQL, in seconds."""


def init_app(app: Flask, url: str, serving: bool = False) -> None:
    """Bind an application to its databases. Raises SettingsError for an invalid ``DATABASE_URL``.

    ``serving``: the application answers HTTP requests, so statement timeouts and circuit breaker apply.
    """
    app.config.update(bind_urls(url))
    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS))
    if serving:
        with app.app_context():
            for engine in db.engines.values():
                set_timeouts(engine)


def bind_urls(url: str) -> dict[str, Any]:
    """Return Flask-SQLAlchemy's settings for a ``DATABASE_URL``; empty means SQLite in ``instance/``."""
    options: dict[str, Any] = {
        "hide_parameters": True,  # errors must not contain the values of a row
        "poolclass": BreakerPool,
    }
    main = pending = url
    if not url:
        folder = ROOT / "instance"
        main, pending = f"sqlite:///{folder}/screening.sqlite", f"sqlite:///{folder}/pending.sqlite"
    elif url.startswith("sqlite:///"):
        pending = url.removesuffix(".sqlite") + "-pending.sqlite"
    else:
        main = pending = _postgresql(url)
        options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_SECONDS}}
    return {
        "SQLALCHEMY_DATABASE_URI": main,
        "SQLALCHEMY_ENGINE_OPTIONS": options,
        "SQLALCHEMY_BINDS": {"pending": {"url": pending, **options}},
    }


def sqlite_files(url: str) -> list[Path]:
    """Return the SQLite files of a ``DATABASE_URL``; none for PostgreSQL."""
    bound = bind_urls(url)
    urls = (bound["SQLALCHEMY_DATABASE_URI"], bound["SQLALCHEMY_BINDS"]["pending"]["url"])
    return [Path(str(u.database)) for u in map(make_url, urls) if u.drivername == "sqlite"]


def _postgresql(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError("SCREENING_DATABASE_URL is not a database URL") from None
    if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        raise SettingsError("SCREENING_DATABASE_URL must start with postgresql:// or sqlite:///")
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@event.listens_for(Engine, "do_connect")
def _create_private_file(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    """Create a missing SQLite file with mode 0600, whatever the umask; SQLite's files beside it get the same."""
    if dialect.name == "sqlite" and arguments[0] != ":memory:":
        with suppress(OSError):  # SQLite then reports it
            os.close(os.open(arguments[0], os.O_RDWR | os.O_CREAT, 0o600))


@event.listens_for(Engine, "connect")
def _set_pragmas(connection: Any, record: Any) -> None:
    if type(connection).__module__.startswith("sqlite3"):
        for pragma in SQLITE_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
