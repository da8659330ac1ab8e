"""The maximum length of a module."""

from __future__ import annotations

from pathlib import Path

import pytest

from screening.config import ROOT

MAX_LINES = 300
MODULES = sorted(file for file in (ROOT / "screening").rglob("*.py") if "migrations" not in file.parts)


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_module_has_at_most_300_lines(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
