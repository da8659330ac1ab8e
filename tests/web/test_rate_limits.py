"""A shared rate limit storage that fails: nothing is limited, and only the first request waits for it."""

from __future__ import annotations

import socket

import limits
import pytest

from screening.config import SettingsError
from screening.web.rate_limits import RECONNECT_SECONDS, Storage
from screening.web.repeated_line import THINNED_SECONDS
from tests.support.clock import Clock

ONCE_AN_HOUR = limits.parse_many("1 per hour")


@pytest.fixture
def silent():
    """A store that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setblocking(False)
        yield listening


def connections_to(listening):
    """Return how many connections arrived since the last call."""
    count = 0
    while True:
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_silent_rate_limit_storage_times_out_only_once(silent, scheme, caplog):
    stopwatch = Clock(0)
    storage = Storage(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}", stopwatch=stopwatch)
    assert all(storage.allows(ONCE_AN_HOUR, "forms", "visitor") for _ in range(200))
    assert connections_to(silent) == 1, "the first call times out, the others do not connect"
    assert [record.getMessage() for record in caplog.records] == ["the limits cannot be counted: TimeoutError"]
    stopwatch.forward(RECONNECT_SECONDS - 0.1)
    assert storage.allows(ONCE_AN_HOUR, "forms", "visitor") and connections_to(silent) == 0
    stopwatch.forward(0.1)
    assert storage.allows(ONCE_AN_HOUR, "forms", "visitor") and connections_to(silent) == 1
    assert len(caplog.records) == 1, "the line repeats"
    stopwatch.forward(THINNED_SECONDS)
    assert storage.allows(ONCE_AN_HOUR, "forms", "visitor")
    assert caplog.records[-1].getMessage() == "the limits cannot be counted: TimeoutError (repeated 1 times)"


def test_unreachable_rate_limit_storage_allows_all_requests(silent):
    port = silent.getsockname()[1]
    silent.close()
    storage = Storage(f"redis://127.0.0.1:{port}")
    assert all(storage.allows(ONCE_AN_HOUR, "forms", "somebody") for _ in range(3))


def test_in_memory_rate_limit_counts_each_address():
    storage = Storage("memory://")
    assert [storage.allows(ONCE_AN_HOUR, "forms", client) for client in ("ann", "ann", "ben")] == [True, False, True]


def test_unknown_rate_limit_storage_scheme_is_refused():
    with pytest.raises(SettingsError, match="SCREENING_RATE_LIMIT_STORAGE_URL: unknown storage scheme"):
        Storage("radish://localhost")
