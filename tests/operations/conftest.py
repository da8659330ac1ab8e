"""Databases that are migrated and empty, and crisis files that were checked lately."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from screening.web import crisis
from screening.web.crisis import Crisis
from tests.support.clock import Clock
from tests.support.postgres import Cluster
from tests.support.tampering import change


@pytest.fixture
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Makes a database as ``flask db upgrade`` leaves it, of one kind; gives its address."""

    def make(kind: str) -> str:
        if kind == "postgresql":
            cluster: Cluster = request.getfixturevalue("cluster")
            url = cluster.copy_of("template_site")
        else:
            folder = tmp_path / f"empty {len(list(tmp_path.iterdir()))}"
            shutil.copytree(request.getfixturevalue("sqlite_template"), folder)
            url = f"sqlite:///{folder}/site.sqlite"
        change(url, "DELETE FROM callback_key")  # the templates have one published
        return url

    return make


@pytest.fixture
def fresh_crisis_files(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crisis numbers that were checked today, so that they are no finding whenever the test runs."""
    load = crisis.load

    def load_fresh(locales: tuple[str, ...], *folder: Path) -> Mapping[str, Crisis]:
        today = datetime.fromtimestamp(clock(), UTC).date()
        return {locale: replace(found, checked=today) for locale, found in load(locales, *folder).items()}

    monkeypatch.setattr(crisis, "load", load_fresh)
