"""A database with copies in it, of either kind."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from screening.cli import create_commands_app
from screening.responses.terms import Terms
from tests.conftest import close

NOVEMBER = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def commands(database_url):
    """The commands' application, in its context."""
    app = create_commands_app({"DATABASE_URL": database_url})
    with app.app_context():
        yield app
    close(app)


@pytest.fixture
def terms(commands):
    return Terms.of(commands.config["SETTINGS"])
