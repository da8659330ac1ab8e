"""The commands' application on a migrated database."""

from __future__ import annotations

import pytest

from screening.cli import create_commands_app
from screening.responses.terms import Terms
from tests.support.databases import close


@pytest.fixture
def commands(database_url, clock):
    """The commands' application, in its context."""
    app = create_commands_app({"DATABASE_URL": database_url, "CLOCK": clock})
    with app.app_context():
        yield app
    close(app)


@pytest.fixture
def terms(commands):
    return Terms.of(commands.config["SETTINGS"])
