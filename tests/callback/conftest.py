"""A patient who asks for a call, and a look into what was stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from screening.callback import desk
from screening.callback.details import Details
from screening.callback.models import CallbackRequest
from screening.extensions import db
from screening.keyring import CALLBACK, SEARCH, Keyring
from tests.conftest import Clock
from tests.visitor import Page, Visitor

ROSA = {
    "name": "Zentinela Rosa",
    "say": "Rosita",
    "patient": "new",
    "phone": "(303) 555-0144",
    "email": "zentinela@example.org",
    "message": "zentinel words, on two\nlines",
}
"""Words that occur nowhere else."""


@pytest.fixture
def ask(clock: Clock) -> Callable[..., Page]:
    """Fills in the form and sends it; gives the page with the reference."""

    def ask(visitor: Visitor, **fields: Any) -> Page:
        page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **{**ROSA, **fields})
        assert page.status == 200, page.words
        clock.forward(5)
        return visitor.fill(page, "/consultation/sent")

    return ask


@pytest.fixture
def stored(keys: Path) -> Callable[[Flask], list[tuple[CallbackRequest, Details | None]]]:
    """Every request of a site's database, with what it says to who holds the keys."""

    def stored(site: Flask) -> list[tuple[CallbackRequest, Details | None]]:
        ring = Keyring(keys, (CALLBACK, SEARCH))
        with site.app_context():
            found = list(db.session.scalars(select(CallbackRequest).order_by(CallbackRequest.asked_at)))
            pairs = [(request, desk.opened(ring, request)) for request in found]
            db.session.expunge_all()
        return pairs

    return stored


def reference_on(page: Page) -> str:
    """The reference a page shows."""
    shown = page.main.find("dl", class_="app-ref")
    assert shown is not None, page.words
    return shown.find("dd").get_text()  # type: ignore[union-attr]
