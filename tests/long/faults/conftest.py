"""Fixtures of the faults."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.absence import assert_absent
from tests.support.faults import SENTINELS


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What was logged, tracebacks included; fails where it holds anything that was typed, or where it is empty."""

    def read() -> str:
        assert caplog.text, "a fault is logged"
        assert_absent(SENTINELS, caplog.text)
        return caplog.text

    return read
