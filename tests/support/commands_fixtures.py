"""Fixtures of the command-line application on a migrated database."""

from __future__ import annotations

import shutil

import pytest

from screening.cli.commands_app import create_commands_app
from screening.releases.policy import ReleasePolicy
from tests.support.databases import close


@pytest.fixture
def commands(database_url, clock):
    """The command-line application, in its context."""
    app = create_commands_app({"DATABASE_URL": database_url, "CLOCK": clock})
    with app.app_context():
        yield app
    close(app)


@pytest.fixture
def own_keys(keys, tmp_path_factory):
    """Key files for this test only, to be rotated."""
    folder = tmp_path_factory.mktemp("own") / "keys"
    shutil.copytree(keys, folder)
    return folder


@pytest.fixture
def policy(commands):
    return ReleasePolicy.of(commands.config["SETTINGS"])
