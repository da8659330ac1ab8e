"""100,000 hostile requests to every address: no crash, nothing reflected, no redirect off-site."""

from __future__ import annotations

import io
import os
import random
import re
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.hostile_input import HOSTILE_VALUES, MARKUP
from tests.support.live_server import LiveServer
from tests.support.visitor import Visitor

REQUESTS = 100_000
SEED = 7391
MAX_GROWTH = 24.0
"""Maximum growth of the process in MB between the 20,000th and the last request, for caches by locale and answer."""

ADDRESSES = [
    *("/", "/check/review", "/summary", "/leave", "/start-again", "/more-time", "/help-now", "/about", "/privacy"),
    *("/worried", "/accessibility", "/brand.css", "/healthz", "/static/x.css", "/staff/", "/staff/callbacks"),
    *("/consultation", "/consultation/review", "/consultation/sent", "/consultation/status"),
    *("/consultation/status/change", "/consultation/status/withdraw", "/consultation/status/forget"),
    *(
        f"/check/{q}"
        for q in ("sadness", "hopelessness", "pain", "pain_duration", "pain_average", "stress", "age", "consent")
    ),
]
METHODS = ["GET"] * 6 + ["POST"] * 6 + ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", ""]
FOREIGN_LINK = re.compile(rb"""(?:href|src|action|formaction|content)=["']?(?:\w+:)?//evil""")
FIELDS = [
    "name",
    "phone",
    "days",
    "secret",
    "reference",
    "share",
    "sadness",
    "hopelessness",
    "pain",
    "stress",
    "consent",
    "age",
    "csrf_token",
    "after_help",
    "lang",
    "from",
    MARKUP,
]


def latin(value: str) -> str:
    """Return a text in the form in which WSGI passes bytes."""
    return value.encode("utf-8", "surrogatepass").decode("latin-1")


class Attacker:
    """Generates hostile requests, the same ones for the same seed."""

    def __init__(self, cookie: str, token: str) -> None:
        self.rng = random.Random(SEED)
        self.cookie, self.token = cookie, token

    def word(self) -> str:
        return self.rng.choice(HOSTILE_VALUES)

    def environ(self) -> dict[str, object]:
        rng = self.rng
        body = self.body()
        path = rng.choice(ADDRESSES)
        if rng.random() < 0.25:
            path += rng.choice(["/", "//", "/" + self.word(), self.word(), "/..", "%00", "/" + MARKUP])
        environ: dict[str, object] = {
            "REQUEST_METHOD": rng.choice(METHODS),
            "SCRIPT_NAME": "",
            "PATH_INFO": latin(path),
            "QUERY_STRING": latin(self.query()),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": rng.choice(["127.0.0.1", "::1", "", "not an address"]),
            "wsgi.url_scheme": rng.choice(["http", "https"]),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "CONTENT_LENGTH": rng.choice([str(len(body))] * 8 + ["", "-1", "abc", "99999999999", "0"]),
            "CONTENT_TYPE": latin(self.kind()),
            "HTTP_HOST": latin(
                rng.choice(["localhost"] * 8 + ["evil.example", "", "[::1", "localhost:99999", MARKUP, "a" * 300])
            ),
        }
        for header in (
            "COOKIE",
            "ACCEPT_LANGUAGE",
            "REFERER",
            "ORIGIN",
            "X_FORWARDED_FOR",
            "X_FORWARDED_HOST",
            "USER_AGENT",
        ):
            if rng.random() < 0.5:
                environ[f"HTTP_{header}"] = latin(self.word())
        if rng.random() < 0.6:
            environ["HTTP_COOKIE"] = latin(self.draft())
        return environ

    def query(self) -> str:
        pairs = [
            f"{self.rng.choice(['lang', 'notice', 'from', 'x'])}={quote(self.word(), errors='replace')}"
            for _ in range(self.rng.randrange(3))
        ]
        return "&".join(pairs) if self.rng.random() < 0.8 else self.word()

    def kind(self) -> str:
        form = "application/x-www-form-urlencoded"
        return self.rng.choice(
            [form] * 6 + ["multipart/form-data; boundary=x", "multipart/form-data", "application/json", MARKUP, ""]
        )

    def draft(self) -> str:
        name = self.rng.choice(["draft", "draft", "draft", "lang", "staff", MARKUP])
        value = self.rng.choice(
            [self.cookie, self.cookie, self.cookie[:50], self.cookie + "x", self.word(), "A" * 6000]
        )
        return f"{name}={value}" if self.rng.random() < 0.9 else f"{self.word()};;{name}={value};="

    def body(self) -> bytes:
        rng = self.rng
        roll = rng.random()
        if roll < 0.02:
            return b"sadness=" + b"x" * 1_000_000
        if roll < 0.1:
            return rng.randbytes(rng.randrange(200))
        if roll < 0.16:
            return b'--x\r\nContent-Disposition: form-data; name="sadness"\r\n\r\n3\r\n--x' + rng.choice(
                [b"--", b"", b"\r\n"]
            )
        if roll < 0.2:
            return b"&".join(b"sadness=1" for _ in range(rng.randrange(2000)))
        pairs = [f"{quote(rng.choice(FIELDS))}={quote(self.word(), errors='replace')}" for _ in range(rng.randrange(5))]
        if rng.random() < 0.7:
            pairs.append(f"csrf_token={self.token}")
        return "&".join(pairs).encode("utf-8", "replace")


def resident() -> float:
    """Return the resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_hostile_requests_cause_no_error_or_injection(make_site, report):
    site = make_site()
    visitor = Visitor(site)
    page = visitor.walk(pain="2")
    attacker = Attacker(visitor.client.get_cookie("draft").value, page.token)
    statuses: dict[int, int] = {}
    before = 0.0
    for number in range(REQUESTS):
        if number == REQUESTS // 5:
            before = resident()
        environ = attacker.environ()
        what = f"request {number}: {environ['REQUEST_METHOD']} {environ['PATH_INFO']!r}"
        answered: list[tuple[str, list[tuple[str, str]]]] = []
        answer = site.wsgi_app(
            environ, lambda status, headers, error=None, into=answered: into.append((status, headers))
        )
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        (status, headers) = answered[-1]
        code = int(status[:3])
        statuses[code] = statuses.get(code, 0) + 1
        assert code < 500, what
        assert b"<zqx" not in body and b"X-Injected" not in body, f"{what} is reflected"
        assert not FOREIGN_LINK.search(body), f"{what} leads to another site"
        for name, value in headers:
            assert "\n" not in value and "\r" not in value and name.lower() != "x-injected", what
            if name.lower() == "location":
                inside = value.startswith(("/", "http://localhost/", "https://localhost/")) and not value.startswith(
                    "//"
                )
                assert inside or value == "https://www.weather.gov/", f"{what} leads to {value}"
    grown = resident() - before
    report(
        f"{REQUESTS} requests: {dict(sorted(statuses.items()))}; memory grew by {grown:.1f} MB over the last four fifths"
    )
    assert grown < MAX_GROWTH
    assert set(statuses) >= {200, 303, 400, 404, 405, 413}


@pytest.fixture
def raw_server(tmp_path):
    with LiveServer(tmp_path, "--log-level", "debug") as server:
        yield server


def send(server: LiveServer, data: bytes) -> bytes:
    """Send raw bytes; return the first response in full."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(data)
        answer = more = connection.recv(65536)
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", answer)
        while more and length and len(answer.partition(b"\r\n\r\n")[2]) < int(length[1]):
            more = connection.recv(65536)
            answer += more
        return answer


def test_large_content_length_is_refused_before_the_body(raw_server, report):
    head = b"POST /check/sadness HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    answer = send(raw_server, head + b"Content-Length: 100000000\r\n\r\nsadness=")
    report(f"100 MB announced, 8 bytes sent: {answer[:34]!r}")
    assert answer.startswith(b"HTTP/1.1 413") and b"tel:988" in answer


@pytest.mark.parametrize(
    ("name", "request_bytes"),
    [
        ("another host", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        ("two hosts", b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"),
        ("whole address", b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
        ("forwarded host", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.example\r\n\r\n"),
        ("split header", b"GET /?lang=es%0d%0aX-Injected:%20yes HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("bare newline", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\nX-Injected: yes\r\n\r\n"),
        ("two lengths", b"POST /leave HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("null in path", b"GET /check/\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        ("no sense", b"\x16\x03\x01 nonsense\r\n\r\n"),
    ],
)  # fmt: skip
def test_malformed_requests_cause_no_error_or_injection(raw_server, report, name, request_bytes):
    answer = send(raw_server, request_bytes)
    first = answer.partition(b"\r\n")[0].decode("latin-1")
    report(f"{name}: {first or 'closed'}")
    assert not answer.startswith(b"HTTP/1.1 5")
    assert b"evil.example" not in answer and b"x-injected" not in answer.lower()
    assert send(raw_server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_page_is_no_store_for_any_request_header(raw_server):
    """No cache may store any part of a page, whatever the request's headers."""
    for headers in (b"X-Forwarded-Host: evil.example\r\n", b"Cookie: lang=es\r\n", b"X-Original-URL: /summary\r\n"):
        answer = send(raw_server, b"GET / HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n")
        assert b"cache-control: no-store" in answer.lower() and b"evil" not in answer
