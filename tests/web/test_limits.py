"""A shared store of the limits that is away: nothing is limited, and nobody waits for it."""

from __future__ import annotations

import socket
import time

import limits
import pytest

from screening.config import SettingsError
from screening.web.limits import REST_SECONDS, SHARED_SECONDS, Storage

ONCE_AN_HOUR = limits.parse_many("1 per hour")


@pytest.fixture
def silent():
    """A store that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setblocking(False)
        yield listening


def connections_to(listening):
    """How many came since this was last asked."""
    count = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_silent_rate_limit_storage_times_out_only_once(silent, scheme, monkeypatch, caplog):
    storage = Storage(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
    began = time.perf_counter()
    assert all(storage.allows(ONCE_AN_HOUR, "forms", "somebody") for _ in range(200))
    took = time.perf_counter() - began
    assert SHARED_SECONDS * 0.9 < took < 2 * SHARED_SECONDS + 1, "one wait for two hundred forms"
    assert connections_to(silent) == 1
    assert [record.getMessage() for record in caplog.records] == ["the limits cannot be counted: TimeoutError"]
    later = time.monotonic() + REST_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert storage.allows(ONCE_AN_HOUR, "forms", "somebody") and connections_to(silent) == 1


def test_unreachable_rate_limit_storage_allows_all_requests(silent):
    port = silent.getsockname()[1]
    silent.close()
    storage = Storage(f"redis://127.0.0.1:{port}")
    assert all(storage.allows(ONCE_AN_HOUR, "forms", "somebody") for _ in range(3))


def test_in_memory_rate_limit_counts_each_address():
    storage = Storage("memory://")
    assert [storage.allows(ONCE_AN_HOUR, "forms", whose) for whose in ("ann", "ann", "ben")] == [True, False, True]


def test_unknown_rate_limit_storage_scheme_is_refused():
    with pytest.raises(SettingsError, match="SCREENING_LIMIT_STORAGE: unknown storage scheme"):
        Storage("radish://localhost")
