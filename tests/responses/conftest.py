"""Fixtures of anonymous responses: visitors who agree, and who take their response back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from screening.crypto.keyring import DRAFT, Keyring
from screening.questionnaires.model import Questionnaire
from screening.responses import StoreResult, record, withdraw
from tests.support.visitor import SIGNS


@pytest.fixture
def agree(questionnaire: Questionnaire, keys: Path) -> Callable[..., StoreResult]:
    """Return a function that stores the response of a visitor, whose average pain identifies it."""
    drafts = Keyring(keys, (DRAFT,))

    def agree(number: int, sadness: str = "1", stored_before: bool = False) -> StoreResult:
        answers = {**dict.fromkeys(SIGNS, "1"), "sadness": sadness, "pain_duration": "under_3_months"}
        answers |= {"pain_average": str(number % 11), "consent": "yes", "age": "declined"}
        return record(drafts, f"{number:032x}", questionnaire, answers, "2026-11", stored_before)

    return agree


@pytest.fixture
def take_back(keys: Path) -> Callable[[int], StoreResult]:
    """Return a function that withdraws the response that ``agree`` stored under the same number."""
    drafts = Keyring(keys, (DRAFT,))
    return lambda number: withdraw(drafts, f"{number:032x}", stored_before=True)
