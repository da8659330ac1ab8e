"""Fixtures of the operations tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from screening.screener import ketamine
from screening.screener.ketamine import KetamineFacts
from screening.web import crisis
from screening.web.crisis import Crisis
from tests.support.clock import Clock


@pytest.fixture
def fresh_content_files(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crisis and ketamine files that were checked today, so that they give no finding whenever the test runs."""
    load, load_facts = crisis.load, ketamine.load

    def load_fresh(locales: tuple[str, ...], *folder: Path) -> Mapping[str, Crisis]:
        today = datetime.fromtimestamp(clock(), UTC).date()
        return {locale: replace(found, checked=today) for locale, found in load(locales, *folder).items()}

    def load_fresh_facts(locales: tuple[str, ...]) -> KetamineFacts:
        facts = load_facts(locales)
        assert facts is not None
        return replace(facts, checked=datetime.fromtimestamp(clock(), UTC).date())

    monkeypatch.setattr(crisis, "load", load_fresh)
    monkeypatch.setattr(ketamine, "load", load_fresh_facts)
