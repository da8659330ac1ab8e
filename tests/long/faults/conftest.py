"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.absence import assert_absent
from tests.support.faults import SENTINELS


@pytest.fixture
def checked_log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Return a function that returns the log; it fails if the log is empty or contains a typed value."""

    def read() -> str:
        assert caplog.text, "the fault is not logged"
        assert_absent(SENTINELS, caplog.text)
        return caplog.text

    return read
