"""What every test may ask for: the site on either database, a clock to turn, a visitor who checks each page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import upgrade
from jinja2 import FileSystemBytecodeCache
from passlib.context import CryptContext
from sqlalchemy import create_engine, text

from screening import Surface, create_app
from screening.callback import sealing
from screening.cli import create_commands_app
from screening.clinic import DEMO
from screening.config import ROOT
from screening.keyring import CALLBACK, PURPOSES, Keyring, create_ring
from screening.questionnaire.loader import LIBRARY, load
from screening.questionnaire.model import Questionnaire
from screening.staff import passwords
from tests.postgres import Cluster
from tests.visitor import Visitor

NOON = 1_795_460_400.0
"""Monday, 23 November 2026, noon at the demo clinic: a working day, within its hours."""


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Templates are compiled once for all the sites that tests build; the same text always compiles to the same."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Surface, "jinja_options", {**Surface.jinja_options, "bytecode_cache": cache})
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[dict[str, int]]:
    """Hashing a password costs a fifth of a second on purpose; here next to nothing. Gives the real costs."""
    real, cheap = passwords.COSTS, {"argon2__memory_cost": 64, "argon2__time_cost": 1, "argon2__parallelism": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "COSTS", cheap)
        patch.setattr(passwords, "CONTEXT", CryptContext([passwords.SCHEME], **cheap))
        yield real


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def questionnaire() -> Questionnaire:
    return load(LIBRARY / "warning_signs.toml")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for purpose in (purpose for surface in PURPOSES.values() for purpose in surface):
        create_ring(folder, purpose, date(2026, 11, 22))
    return folder


@pytest.fixture(scope="session")
def own_clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clinic file that is no demo's: what a public site needs."""
    file = tmp_path_factory.mktemp("clinic") / "clinic.toml"
    file.write_text(DEMO.read_text(encoding="utf-8").replace("demo = true", "demo = false"), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Path:
    """A pair of migrated SQLite files, to be copied."""
    folder = tmp_path_factory.mktemp("sqlite")
    migrate(f"sqlite:///{folder}/site.sqlite", keys)
    return folder


@pytest.fixture(scope="session")
def cluster(keys: Path) -> Iterator[Cluster]:
    """A PostgreSQL server of our own, with a migrated database ``template_site`` to copy."""
    with Cluster() as running:
        running.execute("CREATE DATABASE template_site")
        migrate(running.url("template_site"), keys)
        yield running


def close(app: Flask) -> None:
    """Give back the database connections of an application."""
    for each in (app, *(app.extensions[name] for name in ("staff",) if name in app.extensions)):
        _dispose(each)


def _dispose(app: Flask) -> None:
    with app.app_context():
        for engine in app.extensions["sqlalchemy"].engines.values() if "sqlalchemy" in app.extensions else ():
            engine.dispose()


def migrate(url: str, keys: Path | None = None, now: float = NOON) -> None:
    """Bring a database to the newest version, as ``flask db upgrade`` does, and publish the call-back key."""
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context():
        upgrade()
        if keys:
            sealing.publish(Keyring(keys, (CALLBACK,)), now)
    close(app)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    for file in sqlite_template.glob("*.sqlite"):
        shutil.copy(file, tmp_path / file.name)
    return f"sqlite:///{tmp_path}/site.sqlite"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh migrated database, once of each kind."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url
    running: Cluster = request.getfixturevalue("cluster")
    return running.copy_of("template_site")


@pytest.fixture
def make_site(keys: Path, clock: Clock, sqlite_url: str) -> Iterator[Callable[..., Flask]]:
    """Builds the site; keyword arguments are settings."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        defaults = {
            "KEYS": keys,
            "CLOCK": clock,
            "DATABASE_URL": sqlite_url,
            "CLINIC": ROOT / "no-clinic.toml",
            "LIMIT": "100000 per minute",
        }
        made.append(create_app(defaults | settings))
        return made[-1]

    yield make
    for site in made:
        close(site)


@pytest.fixture
def site(make_site: Callable[..., Flask]) -> Flask:
    return make_site()


@pytest.fixture
def visitor(site: Flask) -> Visitor:
    return Visitor(site)


@pytest.fixture
def inbox() -> Callable[[str], list[dict[str, Any]]]:
    """Reads the holding file of a database as it lies there."""

    def rows(url: str) -> list[dict[str, Any]]:
        if url.startswith("sqlite"):
            url = url.removesuffix(".sqlite") + "-inbox.sqlite"
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            found = [dict(row) for row in connection.execute(text("SELECT * FROM inbox_copy")).mappings()]
        engine.dispose()
        return found

    return rows
