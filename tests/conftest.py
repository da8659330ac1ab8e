"""Shared fixtures: the site on either database, a movable clock, and visitor and staff clients that check each page.

Tests marked ``each_database`` run once on SQLite and once on PostgreSQL; others run on SQLite.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from flask import Flask, has_app_context
from hypothesis import settings as hypothesis_settings
from jinja2 import FileSystemBytecodeCache
from passlib.context import CryptContext

from screening.app import ScreeningFlask, create_app
from screening.clinic import DEMO
from screening.config import ROOT
from screening.crypto.key_files import create_ring
from screening.crypto.keyring import PURPOSES
from screening.questionnaires.loader import LIBRARY, load
from screening.questionnaires.model import Questionnaire
from screening.staff import passwords
from tests.support.clock import START, Clock
from tests.support.databases import close, migrate
from tests.support.postgres import Cluster
from tests.support.staff_client import StaffClient, Team
from tests.support.tampering import change
from tests.support.visitor import Visitor

pytest_plugins = (
    *("tests.support.browser_fixtures", "tests.support.patient_fixtures"),
    *("tests.support.mail_fixtures", "tests.support.handbook", "tests.support.commands_fixtures"),
)

hypothesis_settings.register_profile("same draws", deadline=None, derandomize=True, database=None)
hypothesis_settings.register_profile("fresh draws", deadline=None, max_examples=1000)


def pytest_configure(config: pytest.Config) -> None:
    """Load the hypothesis profile: fixed examples in ``make test``, new ones in the long tests."""
    long = any("long" in str(argument) for argument in config.args)
    hypothesis_settings.load_profile("fresh draws" if long else "same draws")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize tests that are marked ``each_database`` by the kind of database."""
    if "database_kind" in metafunc.fixturenames and metafunc.definition.get_closest_marker("each_database"):
        metafunc.parametrize("database_kind", ["sqlite", "postgresql"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle the tests by the seed ``TEST_ORDER``, to show that none depends on another."""
    if seed := os.environ.get("TEST_ORDER"):
        Random(seed).shuffle(items)


def pytest_collection_finish() -> None:
    """Exempt loaded modules and collected tests from garbage collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile each template once for all sites that tests create."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScreeningFlask, "jinja_options", {**ScreeningFlask.jinja_options, "bytecode_cache": cache})
        yield


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[dict[str, int]]:
    """Hash passwords at minimal cost, because the real cost is a fifth of a second; return the real costs."""
    real, cheap = passwords.COSTS, {"argon2__memory_cost": 64, "argon2__time_cost": 1, "argon2__parallelism": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "COSTS", cheap)
        patch.setattr(passwords, "CONTEXT", CryptContext([passwords.SCHEME], **cheap))
        yield real


@pytest.fixture(autouse=True)
def _no_context_is_left() -> Iterator[None]:
    """Refuse a test that leaves an application context open: the next test's commands would run on its site."""
    yield
    assert not has_app_context()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def questionnaire() -> Questionnaire:
    return load(LIBRARY / "warning_signs.toml")


@pytest.fixture(scope="session")
def key_day() -> date:
    """The creation day of the test keys: the day before tests start."""
    return date.fromordinal(datetime.fromtimestamp(START, UTC).date().toordinal() - 1)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory, key_day: date) -> Iterator[Path]:
    """Key files shared by all tests; one that runs the worker's jobs rotates keys and takes ``own_keys``."""
    folder = tmp_path_factory.mktemp("keys")
    for purpose in (purpose for surface in PURPOSES.values() for purpose in surface):
        create_ring(folder, purpose, key_day)
    before = {file: file.read_bytes() for file in folder.iterdir()}
    yield folder
    assert {file: file.read_bytes() for file in folder.iterdir()} == before, "a test changed the shared key files"


@pytest.fixture(scope="session")
def own_clinic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clinic file with nothing of the demo clinic and with a privacy notice, as a public site requires."""
    file = tmp_path_factory.mktemp("clinic") / "clinic.toml"
    text = DEMO.read_text(encoding="utf-8")
    for old, new in (
        ("demo = true", "demo = false"),
        ('privacy_notice = ""', 'privacy_notice = "https://www.clinic.example/privacy-practices"'),
        ('name = "Demo Spine and Pain Clinic"', 'name = "Spine and Pain Clinic of the Tests"'),
        ('mail_name = "Demo Clinic"', 'mail_name = "Clinic of the Tests"'),
        ("+1 303 555 0100", "+1 303 555 0177"),
        ("1 Example Street", "7 Example Street"),
    ):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Path:
    """A folder with a pair of migrated SQLite files to copy."""
    folder = tmp_path_factory.mktemp("sqlite")
    migrate(f"sqlite:///{folder}/site.sqlite", keys)
    return folder


@pytest.fixture(scope="session")
def cluster(keys: Path) -> Iterator[Cluster]:
    """A PostgreSQL server for these tests only, with a migrated database ``template_site`` to copy."""
    with Cluster() as running:
        running.execute("CREATE DATABASE template_site")
        migrate(running.url("template_site"), keys)
        yield running


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    for file in sqlite_template.glob("*.sqlite"):
        shutil.copy(file, tmp_path / file.name)
    return f"sqlite:///{tmp_path}/site.sqlite"


@pytest.fixture
def database_url(request: pytest.FixtureRequest, database_kind: str) -> str:
    """The URL of a fresh migrated database."""
    if database_kind == "sqlite":
        url: str = request.getfixturevalue("sqlite_url")
        return url
    running: Cluster = request.getfixturevalue("cluster")
    return running.copy_of("template_site")


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Return a function that creates a database as ``flask db upgrade`` leaves it, and returns its URL."""

    def make(kind: str) -> str:
        if kind == "postgresql":
            cluster: Cluster = request.getfixturevalue("cluster")
            url = cluster.copy_of("template_site")
        else:
            folder = tmp_path / f"empty {len(list(tmp_path.iterdir()))}"
            shutil.copytree(request.getfixturevalue("sqlite_template"), folder)
            url = f"sqlite:///{folder}/site.sqlite"
        change(url, "DELETE FROM callback_key")  # the templates contain a published key
        return url

    return make


@pytest.fixture
def make_site(keys: Path, clock: Clock, database_url: str) -> Iterator[Callable[..., Flask]]:
    """Return a function that creates the site; keyword arguments are settings."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        defaults = {
            "KEYS_DIR": keys,
            "CLOCK": clock,
            "DATABASE_URL": database_url,
            "CLINIC_FILE": ROOT / "no-clinic.toml",
            "RATE_LIMIT_FORMS": "100000 per minute",
            "RATE_LIMIT_SIGN_INS": "100000 per minute",
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
def team(site: Flask) -> Team:
    return Team(site)


@pytest.fixture
def ann(team: Team) -> StaffClient:
    """A signed-in staff member with the callbacks role."""
    return team.sign_in("ann", "callbacks")


@pytest.fixture
def ben(team: Team) -> StaffClient:
    """A second signed-in staff member with the callbacks role."""
    return team.sign_in("ben", "callbacks")


@pytest.fixture
def admin(team: Team) -> StaffClient:
    """A signed-in administrator."""
    return team.sign_in("ada", "admin")
