"""A site with staff, on either database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.staff.clerk import Clerk, Office


@pytest.fixture
def office(site: Flask) -> Office:
    return Office(site)


@pytest.fixture
def office_on_each(make_site: Callable[..., Flask], database_url: str) -> Office:
    """The office, once on each kind of database."""
    return Office(make_site(DATABASE_URL=database_url))


@pytest.fixture
def admin(office: Office) -> Clerk:
    """An admin who is signed in."""
    clerk = office.hire("ada", "admin")
    clerk.sign_in()
    return clerk
