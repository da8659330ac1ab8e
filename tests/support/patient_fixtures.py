"""Fixtures of call-back requests: sending one, and reading what is stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from screening.callbacks import staff_service
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import CallbackRequest
from screening.crypto.keyring import CALLBACK, SEARCH, Keyring
from screening.extensions import db
from tests.support.clock import NOON, Clock
from tests.support.sample_patient import FORM
from tests.support.visitor import Page, Visitor


@pytest.fixture
def monday_noon(clock: Clock) -> None:
    """Set the clock to Monday, 23 November 2026, 12:00 at the clinic; by ``usefixtures``, before a site is created."""
    clock.now = NOON


@pytest.fixture
def request_call(clock: Clock) -> Callable[..., Page]:
    """Return a function that fills in and sends the call-back form, and returns the page with the reference."""

    def request_call(visitor: Visitor, **fields: Any) -> Page:
        page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **{**FORM, **fields})
        assert page.status == 200, page.words
        clock.forward(5)
        return visitor.fill(page, "/consultation/sent")

    return request_call


@pytest.fixture
def stored(keys: Path) -> Callable[[Flask], list[tuple[CallbackRequest, ContactDetails | None]]]:
    """Return a function that reads every request of a site's database, with decrypted contact details."""

    def stored(site: Flask) -> list[tuple[CallbackRequest, ContactDetails | None]]:
        ring = Keyring(keys, (CALLBACK, SEARCH))
        with site.app_context():
            found = list(db.session.scalars(select(CallbackRequest).order_by(CallbackRequest.asked_at)))
            pairs = [(request, staff_service.decrypt(ring, request)) for request in found]
            db.session.expunge_all()
        return pairs

    return stored
