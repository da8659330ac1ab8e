"""Fixtures of the operations tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from screening.web import crisis
from screening.web.crisis import Crisis
from tests.support.clock import Clock


@pytest.fixture
def fresh_crisis_files(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crisis files that were checked today, so that they give no finding whenever the test runs."""
    load = crisis.load

    def load_fresh(locales: tuple[str, ...], *folder: Path) -> Mapping[str, Crisis]:
        today = datetime.fromtimestamp(clock(), UTC).date()
        return {locale: replace(found, checked=today) for locale, found in load(locales, *folder).items()}

    monkeypatch.setattr(crisis, "load", load_fresh)
