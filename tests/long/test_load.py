"""Ten times the capacity: most requests are refused at once, the others are served, and crisis help always is.

The server runs under the shipped unit's limits on tasks and memory.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest

from screening.config import ROOT
from tests.bench.journeys import megabytes
from tests.bench.load import Connection, journey
from tests.support.cgroups import ControlGroup, limits_of_the_web_unit
from tests.support.live_server import LiveServer
from tests.support.slow_clients import MISSING_FORM, SlowClients

OVERLOAD_FACTOR = 10
MIN_OVERLOAD_FACTOR = 5
"""Minimum overload factor: the senders share the server's processors, so a busy machine does not reach ten."""

SECONDS = 10.0
WORKERS = 2
SENDERS = 2
CONNECTIONS = 300
"""Connections of each sender: as many requests may be in flight at once as a crowd of browsers would have."""

MAX_GROWTH = 120.0
"""Maximum growth of both workers in MB: up to 128 threads each, and the answers in flight on 600 connections."""

MAX_LATE_GROWTH = 20.0
"""Maximum growth in MB from the first half of the overload to the second."""

MAX_RECOVERY_SECONDS = 5.0


@pytest.fixture
def group() -> Iterator[ControlGroup]:
    with ControlGroup(*limits_of_the_web_unit()) as made:
        yield made


@pytest.fixture
def server(tmp_path, group) -> Iterator[LiveServer]:
    with LiveServer(tmp_path, "--workers", str(WORKERS)).in_group(group) as running:
        yield running


def overload(server: LiveServer, rate: float, seconds: float, connections: int, cookie: str) -> list[dict[str, Any]]:
    """Start the senders, each in a process of its own with its share of the rate."""
    share = [str(server.port), str(rate / SENDERS), str(seconds), str(connections), "/summary", cookie]
    command = [sys.executable, "-m", "tests.support.overload", *share]
    senders = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(SENDERS)]
    return [json.loads(sender.communicate()[0]) for sender in senders]


def times(results: list[dict[str, Any]], status: str) -> list[float]:
    return sorted(took for result in results for took in result["times"].get(status, ()))


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


class HelpSeeker:
    """A visitor who opens crisis help during the overload, repeatedly, each time on a new connection."""

    REQUESTS = (
        (b"GET", b"/help-now", b"", 200, b"tel:988"),
        (b"POST", b"/check/hopelessness", b"hopelessness=3", 200, b"after_help"),
        (b"POST", b"/leave", b"", 303, b""),
        (b"GET", b"/healthz", b"", 200, b"ok"),
    )

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.failed: list[str] = []
        self.times: list[float] = []
        self.pages: list[tuple[int, bytes]] = []
        self.memory: list[float] = []
        self._stopped = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> HelpSeeker:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.05):
            for method, path, body, expected, holds in self.REQUESTS:
                try:
                    status, page, took = self._request(method, path, body)
                except OSError as error:
                    self.failed.append(f"{path!r}: {error!r}")
                    continue
                self.times.append(took * 1000)
                if status != expected or holds not in page:
                    self.failed.append(f"{path!r}: {status}")
            self.pages.append(self._request(b"GET", b"/check/sadness", b"")[:2])
            self.memory.append(megabytes(self.server.process.pid))

    def _request(self, method: bytes, path: bytes, body: bytes) -> tuple[int, bytes, float]:
        began = time.perf_counter()
        connection = Connection(self.server.port)
        with contextlib.closing(connection.socket):
            status, page = connection.request(method, path, body)
        return status, page, time.perf_counter() - began


def test_load_shedding_preserves_crisis_help_under_overload(server, group, report):
    walker = Connection(server.port)
    with contextlib.closing(walker.socket):
        journey(walker, "site")
        cookie = "; ".join(f"{name.decode()}={value.decode()}" for name, value in walker.cookies.items())
    overload(server, 0, 1, 8, cookie)
    baseline = overload(server, 0, 4, 8, cookie)
    capacity = len(times(baseline, "200")) / 4
    before = megabytes(server.process.pid)
    with HelpSeeker(server) as help_seeker:
        overloaded = overload(server, OVERLOAD_FACTOR * capacity, SECONDS, CONNECTIONS, cookie)
    ended = time.perf_counter()
    usual = percentile(times(baseline, "200"), 0.95)
    recovered = seconds_until_usual(server, usual, ended)
    after = megabytes(server.process.pid)

    served, refused = times(overloaded, "200"), times(overloaded, "503")
    sent_count = sum(result["sent"] for result in overloaded)
    report(f"16 at once: {capacity:.0f} summaries a second, p95 {usual:.0f} ms")
    report(
        f"{sent_count / SECONDS:.0f} a second for {SECONDS:.0f} s, {sent_count / SECONDS / capacity:.1f} times as many: "
        f"{len(refused) / sent_count:.0%} refused, p95 {percentile(refused, 0.95):.0f} ms; "
        f"{len(served) / SECONDS:.0f} a second served, p95 {percentile(served, 0.95):.0f} ms"
    )
    report(
        f"crisis help, leave and health meanwhile: {len(help_seeker.times)} requests, {len(help_seeker.failed)} failed, "
        f"p95 {percentile(sorted(help_seeker.times), 0.95):.0f} ms"
    )
    report(
        f"{before:.0f} MB before, {max(help_seeker.memory):.0f} at most, {after:.0f} after; as usual after {recovered:.1f} s"
    )

    report("at most {} tasks and {} MB".format(*peak_use(group)))

    assert set().union(*(result["times"] for result in overloaded)) == {"200", "503"}
    assert sent_count / SECONDS > MIN_OVERLOAD_FACTOR * capacity, "the senders were too slow for an overload"
    assert len(served) + len(refused) >= sent_count - SENDERS * CONNECTIONS, "every request is answered"
    assert percentile(refused, 0.95) < 1000 and percentile(served, 0.95) < 3000
    assert len(served) / SECONDS > capacity / 10, "pages are still served"
    assert not help_seeker.failed and len(help_seeker.times) > 40 and percentile(sorted(help_seeker.times), 0.95) < 3000
    for status, page in help_seeker.pages:
        assert status in (200, 503) and b"tel:988" in page
    half = len(help_seeker.memory) // 2
    assert max(*help_seeker.memory, after) - before < MAX_GROWTH
    assert max(*help_seeker.memory[half:], after) - max(help_seeker.memory[:half]) < MAX_LATE_GROWTH
    assert recovered < MAX_RECOVERY_SECONDS
    assert processes_that_logged(server) == WORKERS
    assert_within_limits(server, group)


def test_overload_with_slow_clients_stays_within_the_limits(server, group, report):
    """The most threads: every request that may wait does, beside every form that may be read."""
    with SlowClients(server, CONNECTIONS, MISSING_FORM, addresses=20), HelpSeeker(server) as help_seeker:
        overloaded = overload(server, OVERLOAD_FACTOR * 100, SECONDS, CONNECTIONS, "")
    report(
        f"{CONNECTIONS} slow forms, and {sum(result['sent'] for result in overloaded) / SECONDS:.0f} requests a second: "
        "at most {} tasks and {} MB; crisis help".format(*peak_use(group))
        + f" asked {len(help_seeker.times)} times"
    )
    assert set().union(*(result["times"] for result in overloaded)) <= {"303", "503"}
    assert [failure for failure in help_seeker.failed if "/help-now" in failure or "/healthz" in failure] == []
    assert_within_limits(server, group)


def peak_use(group: ControlGroup) -> tuple[int, int]:
    """Return the most tasks at once, and the most memory in MB."""
    tasks, memory = group.peak()
    return tasks, memory >> 20


def assert_within_limits(server: LiveServer, group: ControlGroup) -> None:
    """Fail if the server could not start a thread, or came near the limits."""
    assert server.process.poll() is None and "panicked" not in server.log.read_text()
    tasks, memory = group.peak()
    assert tasks < limits_of_the_web_unit()[0] and memory < limits_of_the_web_unit()[1]


def processes_that_logged(server: LiveServer) -> int:
    """Return how many processes have logged that they refuse requests; each logs its first refusal at once."""
    return len(re.findall(r"busy: requests refused since the last such line: 1\b", server.log.read_text()))


def seconds_until_usual(server: LiveServer, usual: float, since: float) -> float:
    """Return the seconds until twenty pages in a row are about as fast as usual."""
    in_a_row = 0
    began = time.perf_counter()
    while in_a_row < 20 and time.perf_counter() - since < 60:
        if in_a_row == 0:
            began = time.perf_counter()
        connection = Connection(server.port)
        with contextlib.closing(connection.socket):
            status, _ = connection.request(b"GET", b"/check/sadness")
        fast = status == 200 and connection.times[0] * 1000 < 2 * usual
        in_a_row = in_a_row + 1 if fast else 0
    return began - since
