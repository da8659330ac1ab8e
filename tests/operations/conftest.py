"""What is done to the site needs patients who were there before, and databases nobody was in yet."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

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
