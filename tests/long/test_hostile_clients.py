"""Hostile clients without a proxy in front, under the shipped unit's limits: the server stays up and serves others.

Attackers connect from 127.0.0.2 and following addresses, visitors from 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
from collections.abc import Iterator

import pytest

from screening.web import assets
from tests.bench.journeys import megabytes
from tests.bench.load import Connection, journey
from tests.support.cgroups import ControlGroup, limits_of_the_web_unit
from tests.support.live_server import LiveServer
from tests.support.slow_clients import FORM, HOST, MISSING_FORM, POST, SlowClients

JOURNEYS = 4
"""Number of visitors. Each sends 24 requests, each on a new connection, as new visitors do."""

SLOWEST = 2.0
"""Maximum p95 of a visitor's requests in seconds, on a machine that may be busy."""

MAX_GROWTH = 60.0
"""Maximum growth of both workers in MB under an attack of 300 connections."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    running = LiveServer(tmp_path_factory.mktemp("attacked"), "--workers", "2")
    with ControlGroup(*limits_of_the_web_unit()) as group, running.in_group(group):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for the attackers, not for the server
        OtherVisitors(running)
        yield running
        assert running.process.poll() is None
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Traceback" not in running.log.read_text() and "panicked" not in running.log.read_text()


def test_limit_of_128_tasks_would_break_the_server(tmp_path, report):
    """The control: the tests of this module run under the limits of the shipped unit, which counts threads."""
    tight = LiveServer(tmp_path, "--workers", "2")
    with ControlGroup(128, 2**30) as group, tight.in_group(group), SlowClients(tight, 300, MISSING_FORM, addresses=20):
        exchange(tight, b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    found = "failed to spawn thread" in tight.log.read_text()
    report(f"128 tasks, 300 slow forms: {'a thread could not be started' if found else 'nothing happened'}")
    assert found


class OtherVisitors:
    """Other visitors during an attack: the times of their requests, in seconds."""

    def __init__(self, server: LiveServer) -> None:
        self.times: list[float] = []
        for _ in range(JOURNEYS):
            began = time.perf_counter()
            connection = Connection(server.port)
            self.times.append(time.perf_counter() - began)
            with contextlib.closing(connection.socket):
                journey(connection, "site")  # fails unless every form is accepted and the summary is shown
            self.times += connection.times
        self.times.sort()

    @property
    def p95(self) -> float:
        return self.times[int(len(self.times) * 0.95)]


def exchange(server: LiveServer, data: bytes, finished: bool = False) -> bytes:
    """Send raw bytes; return everything until the server closes the connection, or one answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        with contextlib.suppress(ConnectionError):  # it may answer and close before all is sent
            connection.sendall(data)
            if finished:
                connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while more := connection.recv(65536):
                answer += more
        return answer


def statuses(answer: bytes) -> list[bytes]:
    return [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]


SHEET: bytes = json.loads((assets.BUILT / "manifest.json").read_text())["visitor.css"].encode()
SLOW_ATTACKS = {
    "silence": (b"", b""),
    "headers a byte at a time": (b"GET / HTTP/1.1\r\n" + HOST + b"X-Slow: ", b"a"),
    "a form a byte at a time": (POST + b"Content-Length: 60000\r\n\r\nsadness=", b"1"),
    "a form that never comes": (MISSING_FORM, b""),
    "chunks without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "answers that nobody reads": ((b"GET /static/%s HTTP/1.1\r\n" % SHEET + HOST + b"\r\n") * 400, b""),
}


@pytest.mark.parametrize("attack", SLOW_ATTACKS)
def test_slow_connections_do_not_slow_other_visitors(server, report, attack):
    begin, trickle = SLOW_ATTACKS[attack]
    reads = attack != "answers that nobody reads"
    baseline, before = OtherVisitors(server), megabytes(server.process.pid)
    with SlowClients(server, 300, begin, trickle, reads=reads) as slow:
        under_attack, during = OtherVisitors(server), megabytes(server.process.pid)
    report(
        f"{attack}: 300 connections, {slow.opened - 300} reopened, answers {dict(slow.answers)}; "
        f"visitors' p95 {under_attack.p95 * 1000:.0f} ms, before {baseline.p95 * 1000:.0f} ms; {before:.0f} to {during:.0f} MB"
    )
    assert under_attack.p95 < SLOWEST
    assert during - before < MAX_GROWTH
    assert "500" not in slow.answers


def test_excess_silent_connections_only_delay_visitors(server, report):
    with SlowClients(server, 2500, b"GET / HTTP/1.1\r\n") as slow:
        under_attack = OtherVisitors(server)
    slowest = under_attack.times[-1]
    report(
        f"2,500 connections that send half a header, {slow.opened - 2500} reopened: visitors' p95 "
        f"{under_attack.p95 * 1000:.0f} ms, the slowest {slowest:.1f} s"
    )
    assert slowest < 30


def test_slow_forms_leave_pages_and_crisis_help_available(server, report):
    """They can prevent others from sending forms; a proxy in front avoids this, because it buffers request bodies."""
    begin, trickle = SLOW_ATTACKS["a form that never comes"]
    with SlowClients(server, 400, begin, trickle, addresses=20) as slow:
        times = []
        for path in (b"/check/sadness", b"/help-now", b"/healthz", b"/") * 10:
            connection = Connection(server.port)
            with contextlib.closing(connection.socket):
                status, _ = connection.request(b"GET", path)
            assert status == 200
            times += connection.times
        connection = Connection(server.port)
        with contextlib.closing(connection.socket):
            status, page = connection.request(b"POST", b"/check/hopelessness", b"hopelessness=3")
        assert status in (200, 503) and b"tel:988" in page
    times.sort()
    report(
        f"slow forms from 20 addresses: pages p95 {times[int(len(times) * 0.95)] * 1000:.0f} ms, a visitor's form "
        f"{status}, both with crisis help; attackers {dict(slow.answers)}"
    )
    assert times[int(len(times) * 0.95)] < SLOWEST


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("announced", b"Content-Length: 100000000\r\n\r\n" + b"x" * 65536),
        ("in chunks, without a length", b"Transfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_body_of_100_megabytes_is_refused_in_little_memory(server, report, name, head):
    before = megabytes(server.process.pid)
    answers = [exchange(server, POST + head + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 1500) for _ in range(3)]
    grown = megabytes(server.process.pid) - before
    first = {answer.partition(b"\r\n")[0].decode() for answer in answers if answer}
    report(f"100 MB {name}: {first or 'closed'}; grew by {grown:.1f} MB")
    assert first <= {"HTTP/1.1 413 Payload Too Large", "HTTP/1.1 400 Bad Request"}
    assert grown < MAX_GROWTH


CHUNKED = b"Transfer-Encoding: chunked\r\n"
HIDDEN = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize(
    ("name", "request_bytes"),
    [
        ("length and chunks", POST + b"Content-Length: 4\r\n" + CHUNKED + b"\r\n0\r\n\r\n" + HIDDEN),
        ("chunks and length", POST + CHUNKED + b"Content-Length: %d\r\n\r\n0\r\n\r\n" % (5 + len(HIDDEN)) + HIDDEN),
        ("two lengths", POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN),
        ("length with a sign", POST + b"Content-Length: +0\r\n\r\n" + HIDDEN),
        ("unknown coding", POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN),
        ("chunked is not the last", POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN),
        ("blank before the colon", POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN),
        ("no chunk", POST + CHUNKED + b"\r\nZZ\r\n" + HIDDEN),
        ("chunk too large for a number", POST + CHUNKED + b"\r\nFFFFFFFFFFFFFFFFFFFF\r\n" + HIDDEN),
        ("a page with a body", b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN),
    ],
)
def test_smuggled_request_is_not_answered(server, report, name, request_bytes):
    answer = exchange(server, request_bytes)
    report(f"{name}: {b' '.join(statuses(answer)).decode() or 'closed'}")
    assert len(statuses(answer)) <= 1 and not answer.endswith(b"ok\n"), "one request, one answer"
    assert b"500" not in statuses(answer)


def test_oversized_headers_and_urls_cause_no_server_error(server, report):
    many = b"".join(b"X-%d: a\r\n" % number for number in range(10_000))
    for name, asked in {
        "10,000 headers": b"GET / HTTP/1.1\r\n" + HOST + many + b"\r\n",
        "a header of 1 MB": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
        "an address of 60 kB": b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        "an address of 1 MB": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        "a query of 60 kB": b"GET /?" + b"a=1&" * 15_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    }.items():
        answer = exchange(server, asked)
        report(f"{name}: {b' '.join(statuses(answer)).decode() or 'closed'}")
        assert not [code for code in statuses(answer) if code.startswith(b"5")]


@pytest.mark.parametrize(("count", "size"), [(50, 4000), (2000, 50), (1, 60_000)])
def test_large_foreign_cookies_block_no_page(server, count, size):
    """Another site on the clinic's domain can set that many, and the visitor cannot remove them."""
    bomb = (
        b"Cookie: " + b"; ".join(b"c%d=%s" % (n, b"x" * size) for n in range(count)) + b"\r\nConnection: close\r\n\r\n"
    )
    for path in (b"/", b"/check/sadness", b"/help-now", b"/consultation", b"/nowhere"):
        answer = exchange(server, b"GET " + path + b" HTTP/1.1\r\n" + HOST + bomb)
        assert statuses(answer) == [b"404" if path == b"/nowhere" else b"200"] and b"app-strip" in answer
    answer = exchange(
        server, b"POST /check/hopelessness HTTP/1.1\r\n" + FORM + b"Content-Length: 14\r\n" + bomb + b"hopelessness=3"
    )
    assert statuses(answer) == [b"200"] and b"after_help" in answer


def test_cross_site_form_is_refused_except_for_urgent_help(server):
    cross_site = FORM + b"Origin: https://evil.example\r\nConnection: close\r\n"
    for path, body in ((b"/check/sadness", b"sadness=1"), (b"/more-time", b""), (b"/consultation/review", b"name=x")):
        answer = exchange(
            server, b"POST " + path + b" HTTP/1.1\r\n" + cross_site + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        assert statuses(answer) == [b"400"] and b"app-strip" in answer, path
    urgent = b"POST /check/hopelessness HTTP/1.1\r\n" + cross_site + b"Content-Length: 14\r\n\r\nhopelessness=3"
    assert statuses(exchange(server, urgent)) == [b"200"]


def test_every_page_forbids_framing(server):
    for path in (b"/", b"/nowhere", b"/help-now", b"/healthz", b"/staff/sign-in", b"/" + b"a" * 9000):
        answer = exchange(server, b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n").lower()
        assert b"x-frame-options: deny" in answer and b"frame-ancestors 'none'" in answer, path
    chunked = exchange(server, POST + CHUNKED + b"\r\n0\r\n\r\n").lower()
    assert b"x-frame-options: deny" in chunked and b"frame-ancestors 'none'" in chunked


def test_pipelined_requests_are_all_answered(server):
    paths = [b"/healthz", b"/help-now"] * 50
    asked = b"".join(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n" for path in paths)
    last = b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    answer = exchange(server, asked + last)
    assert statuses(answer) == [b"200"] * 101 and answer.endswith(b"ok\n")


def test_incomplete_form_is_refused(server):
    """A truncated phone number must not be stored as a complete one."""
    answer = exchange(server, POST + b"Content-Length: 100\r\n\r\nsadness=1", finished=True)
    assert statuses(answer) in ([b"400"], []), "an incomplete request gets 400 or no answer"
    for _ in range(50):
        exchange(server, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", finished=True)
    OtherVisitors(server)
