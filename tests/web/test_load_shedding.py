"""Load shedding and request buffering: few requests run at once, the others are queued or refused."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product
from queue import Queue, SimpleQueue
from threading import Event

import pytest
import textstat
from bs4 import BeautifulSoup
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from screening.web.middleware.load_shedding import ConcurrencyLimiter, Refusals, static_response
from screening.web.middleware.request_buffering import RequestBuffering
from tests.support.processes import TEST_TIMEOUT
from tests.support.wording import GRADE, LANGUAGES, found_banned


class BlockingApp:
    """An application whose requests block until they are released."""

    def __init__(self) -> None:
        self.entered: Queue[str] = Queue()
        self.open = Event()

    def __call__(self, environ, start_response):
        self.entered.put(environ["PATH_INFO"])
        assert self.open.wait(TEST_TIMEOUT)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"done"]


def send_request(application, method: str = "GET", path: str = "/", **options) -> TestResponse:
    builder = EnvironBuilder(path, method=method, **options)
    body, status, headers = run_wsgi_app(application, builder.get_environ())
    return TestResponse(body, status, headers, builder.get_request())


@pytest.fixture
def send_in_thread() -> Iterator[Callable[..., Future[TestResponse]]]:
    """Return a function that sends a request from a thread of its own."""
    with ThreadPoolExecutor(32) as pool:
        yield lambda *arguments, **options: pool.submit(send_request, *arguments, **options)


@pytest.fixture
def blocking_app() -> Iterator[BlockingApp]:
    blocking_app = BlockingApp()
    yield blocking_app
    blocking_app.open.set()


def refusal_app(environ, start_response):
    start_response("503 Service Unavailable", [])
    return [b""]


class ReportingTickets(SimpleQueue):
    """Tickets that report on ``taken`` when one is taken."""

    def __init__(self, taken: Queue[int], count: int) -> None:
        self._taken, self._count = taken, count
        for _ in range(count):
            self.put(None)

    def get(self, block: bool = True, timeout: float | None = None) -> None:
        super().get(block, timeout)
        self._taken.put(self._count)


@pytest.fixture
def taken(monkeypatch) -> Queue[int]:
    """Each ticket taken, as the size of its kind."""
    taken: Queue[int] = Queue()
    monkeypatch.setattr("screening.web.bulkhead.permits", lambda count: ReportingTickets(taken, count))
    return taken


def test_concurrency_limit_admits_queues_then_refuses_requests(send_in_thread, blocking_app, taken):
    gate = ConcurrencyLimiter(blocking_app, refusal_app, (), at_once=2, waiting=1, longest_wait=TEST_TIMEOUT)
    inside = [send_in_thread(gate, path=f"/{n}") for n in range(2)]
    assert {blocking_app.entered.get(timeout=TEST_TIMEOUT) for _ in inside} == {"/0", "/1"}
    waiting = send_in_thread(gate, path="/waits")
    assert [taken.get(timeout=TEST_TIMEOUT) for _ in range(3)] == [2, 2, 1], "the third is queued"
    assert send_request(gate, path="/refused").status_code == 503
    assert blocking_app.entered.empty(), "queued and refused requests do not run"
    blocking_app.open.set()
    assert [answer.result(TEST_TIMEOUT).status_code for answer in (*inside, waiting)] == [200] * 3
    assert blocking_app.entered.get(timeout=TEST_TIMEOUT) == "/waits"


def test_queued_request_times_out_with_503_and_frees_its_slot(send_in_thread, blocking_app):
    gate = ConcurrencyLimiter(blocking_app, refusal_app, (), at_once=1, waiting=1, longest_wait=0.01)
    first = send_in_thread(gate)
    blocking_app.entered.get(timeout=TEST_TIMEOUT)
    assert [send_request(gate).status_code for _ in range(3)] == [503] * 3
    blocking_app.open.set()
    assert first.result(TEST_TIMEOUT).status_code == 200
    assert send_request(gate).status_code == 200


def test_failed_request_releases_its_concurrency_slot(blocking_app):
    def broken(environ, start_response):
        raise ValueError

    gate = ConcurrencyLimiter(broken, refusal_app, (), at_once=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ValueError):
            send_request(gate)


def test_exempt_request_bypasses_the_full_concurrency_limit(send_in_thread, blocking_app):
    gate = ConcurrencyLimiter(blocking_app, refusal_app, {("GET", "/help-now")}, at_once=1, waiting=0)
    inside = send_in_thread(gate)
    blocking_app.entered.get(timeout=TEST_TIMEOUT)
    help_now = send_in_thread(gate, path="/help-now")
    assert blocking_app.entered.get(timeout=TEST_TIMEOUT) == "/help-now"
    assert send_request(gate, "POST", "/help-now").status_code == 503, "exempt by method and path"
    blocking_app.open.set()
    assert {inside.result(TEST_TIMEOUT).status_code, help_now.result(TEST_TIMEOUT).status_code} == {200}


def test_refused_requests_are_logged_at_most_once_a_minute(caplog):
    now = [1000.0]
    page = static_response("503 Service Unavailable", "", {})
    refuse = Refusals(page, page, clock=lambda: now[0])
    seen = []
    refuse.watch = lambda: seen.append(1)
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            assert send_request(refuse, path="/check/sadness").status_code == 503
        now[0] += 60
        send_request(refuse)
    assert [record.getMessage() for record in caplog.records] == [
        "busy: requests refused since the last such line: 1",
        "busy: requests refused since the last such line: 4",
    ]
    assert len(seen) == 5


def test_refusal_needs_no_new_thread(monkeypatch, caplog):
    """A cgroup's limit can forbid more threads while the process is overloaded."""

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    page = static_response("503 Service Unavailable", "", {})
    assert send_request(Refusals(page, page), path="/check/sadness").status_code == 503


@pytest.fixture
def full(make_site, monkeypatch):
    """The site with no free slot and a full queue."""
    monkeypatch.setattr("screening.web.bulkhead.permits", lambda count: SimpleQueue())
    return make_site()


PATHS = ("/", "/check/sadness", "/summary", "/consultation", "/staff/", "/nowhere")


def test_load_shedding_page_has_crisis_help_in_every_language(full):
    checked = set()
    for method, path in product(("GET", "POST"), PATHS):
        answer = full.test_client().open(path, method=method)
        assert answer.status_code == 503 and answer.headers["Retry-After"] == "5", (method, path)
        assert answer.headers["Cache-Control"] == "no-store" and answer.mimetype == "text/html"
        assert answer.headers["X-Frame-Options"] == "DENY" and "Content-Security-Policy" in answer.headers
        assert "Set-Cookie" not in answer.headers, "the draft is intact"
        if (method, answer.text) not in checked:
            check_refusal(BeautifulSoup(answer.text, "html.parser"), sent=method == "POST")
            checked.add((method, answer.text))
    assert len(checked) == 2


def check_refusal(soup: BeautifulSoup, sent: bool) -> None:
    assert len(soup.find_all("h1")) == 1
    for language in LANGUAGES:
        help_here = soup.find("section", attrs={"lang": language, "aria-label": True})
        assert "tel:988" in {a["href"] for a in help_here.find_all("a")}, language
        section = soup.find("section", attrs={"lang": language, "aria-label": False})
        assert section.find("a", href=""), f"no link to retry: {language}"
        assert not found_banned(section.get_text(" "), language)
        assert ("navegador" if language == "es" else "still in this browser") in section.get_text()
    english = soup.find("section", attrs={"lang": "en", "aria-label": False}).get_text(" ")
    assert textstat.flesch_kincaid_grade(english) <= GRADE
    assert ("did not reach us" in english) == sent


def test_crisis_help_leave_and_healthz_bypass_load_shedding(full):
    client = full.test_client()
    assert "Talk to someone now" in client.get("/help-now?lang=en").text
    assert "Ask openly" in client.get("/worried?lang=en").text
    urgent = client.post("/check/hopelessness", data={"hopelessness": "3"})
    assert urgent.status_code == 200 and "after_help" in urgent.text and "tel:988" in urgent.text
    assert client.post("/leave").status_code == 303
    assert client.get("/healthz").text.strip() == "ok"
    assert client.get("/static/nothing.css").status_code == 503, "only existing static files bypass the limit"


class Stalled(io.RawIOBase):
    """A body whose sender has stopped."""

    def __init__(self, blocking_app: BlockingApp, path: str) -> None:
        self.blocking_app, self.path = blocking_app, path

    def read(self, size: int = -1) -> bytes:
        self.blocking_app.entered.put(self.path)
        assert self.blocking_app.open.wait(TEST_TIMEOUT)
        return b"x" * size


def send(application, blocking_app: BlockingApp, address: str, length: int = 10) -> TestResponse:
    builder = EnvironBuilder("/", method="POST")
    environ = builder.get_environ() | {"CONTENT_LENGTH": str(length), "REMOTE_ADDR": address}
    environ["wsgi.input"] = Stalled(blocking_app, address)
    body, status, headers = run_wsgi_app(application, environ)
    return TestResponse(body, status, headers, builder.get_request())


def echo(environ, start_response):
    start_response("200 OK", [])
    return [environ["wsgi.input"].read()]


def test_slow_form_bodies_are_limited_per_address_and_in_total(blocking_app):
    bodies = RequestBuffering(echo, 100, refusal_app, refusal_app, most=3, most_a_network=2)
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(send, bodies, blocking_app, address) for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2")]
        assert [blocking_app.entered.get(timeout=TEST_TIMEOUT) for _ in slow]
        assert send(bodies, blocking_app, "192.0.2.1").status_code == 503
        assert send(bodies, blocking_app, "192.0.2.3").status_code == 503, "the total limit"
        assert send_request(bodies).status_code == 200, "a request without body is not delayed"
        blocking_app.open.set()
        assert [answer.result(TEST_TIMEOUT).data for answer in slow] == [b"x" * 10] * 3
    assert send(bodies, blocking_app, "192.0.2.3").status_code == 200


def test_slow_body_from_an_address_does_not_block_another(blocking_app):
    bodies = RequestBuffering(echo, 100, refusal_app, refusal_app, most=9, most_a_network=1)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(send, bodies, blocking_app, "192.0.2.1")
        blocking_app.entered.get(timeout=TEST_TIMEOUT)
        assert send(bodies, blocking_app, "192.0.2.1").status_code == 503
        other = pool.submit(send, bodies, blocking_app, "192.0.2.2")
        assert blocking_app.entered.get(timeout=TEST_TIMEOUT) == "192.0.2.2"
        blocking_app.open.set()
        assert slow.result(TEST_TIMEOUT).status_code == other.result(TEST_TIMEOUT).status_code == 200


def test_slow_form_body_holds_no_concurrency_slot(blocking_app):
    bodies = RequestBuffering(
        ConcurrencyLimiter(echo, refusal_app, (), at_once=1, waiting=0), 100, refusal_app, refusal_app
    )
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(send, bodies, blocking_app, "192.0.2.1")
        blocking_app.entered.get(timeout=TEST_TIMEOUT)
        assert send_request(bodies).status_code == 200
        blocking_app.open.set()
        assert slow.result(TEST_TIMEOUT).status_code == 200


@pytest.mark.parametrize(
    ("environ", "body"),
    [({"CONTENT_LENGTH": "40"}, b"hopelessness=0&sadne"), ({"HTTP_TRANSFER_ENCODING": "chunked"}, b"sadness=1")],
    ids=["broken off", "without its length"],
)
def test_truncated_or_chunked_body_returns_400_with_crisis_help(site, environ, body):
    answer = site.test_client().post("/check/sadness", input_stream=io.BytesIO(body), environ_overrides=environ)
    assert answer.status_code == 400 and "tel:988" in answer.text
