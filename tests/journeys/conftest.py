"""A real server and a real browser."""

from __future__ import annotations

import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Request, sync_playwright

from screening.config import ROOT
from screening.keyring import PURPOSES, create_ring
from tests.conftest import migrate
from tests.journeys.weather import Weather

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    *("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]
NEUTRAL = "https://www.weather.gov/"
FLAGS = shlex.split(re.findall("^FLAGS := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0])
"""How ``make run`` starts the server."""


class Server:
    """The site under its production server, as ``make run`` starts it, on a port of its own."""

    def __init__(
        self, folder: Path, *arguments: str, scheme: str = "http", target: str = "wsgi:app", **settings: str
    ) -> None:
        self.folder = folder
        self.target = target
        self.database = settings.get("SCREENING_DATABASE_URL", f"sqlite:///{folder}/site.sqlite")
        self.log = folder / "server.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("SCREENING_")} | {
            "SCREENING_KEYS": str(folder / "keys"),
            "SCREENING_DATABASE_URL": self.database,
            "SCREENING_CLINIC": str(folder / "none.toml"),
            "SCREENING_LIMIT": "100000 per minute",
            **settings,
        }
        self.arguments = [*FLAGS, "--host", "127.0.0.1", "--port", str(self.port), *arguments]

    def __enter__(self) -> Server:
        self.prepare()
        self.start()
        return self

    def prepare(self) -> None:
        """Lay keys and tables, as ``make run`` does before it starts the server."""
        folder = Path(self.environment["SCREENING_KEYS"])
        for purpose in (purpose for surface in PURPOSES.values() for purpose in surface):
            create_ring(folder, purpose, datetime.now(UTC).date())
        migrate(self.database, folder, time.time())

    def start(self) -> None:
        """Start the server, at first or after it was killed."""
        command = [sys.executable, "-m", "granian", *self.arguments, self.target]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def kill(self) -> None:
        """End the server and its workers at once, in whatever they do."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def flask(self, *arguments: str) -> str:
        """Run a command against the site's keys and database; what it printed."""
        command = [sys.executable, "-m", "flask", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, capture_output=True, text=True
        ).stdout

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(20)

    def _wait(self) -> None:
        """Until the port is open; then the server itself holds the first request until it is ready."""
        for _ in range(2000):
            assert self.process.poll() is None, self.log.read_text()
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
            except ConnectionRefusedError:
                self._breathe()
                continue
            connection.close()
            break
        if self.address.startswith("http:"):
            ask = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            ask.request("GET", "/healthz")
            assert ask.getresponse().status < 500
            ask.close()

    def _breathe(self) -> None:
        """Give the server a moment without a fixed sleep: wait for its end, which does not come."""
        try:
            self.process.wait(0.01)
        except subprocess.TimeoutExpired:
            return


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, for which the neutral site lies on this machine."""
    assert Path(CHROMIUM).exists(), "Chromium is missing: make test installs it, or tells how"
    with Weather(tmp_path_factory.mktemp("weather")) as weather:
        neutral = f"--host-resolver-rules=MAP www.weather.gov 127.0.0.1:{weather.port}"
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, neutral])
        yield running
        running.close()


class Reader:
    """A person before a browser. Whatever the page asks for must come from the site itself."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        self.address = address
        self.page: Page = context.new_page()
        self.asked: list[str] = []
        context.on("request", self._note)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.address).partition("?")[0]

    def choose(self, question: str, *values: str) -> None:
        """Choose by the row that is seen, and press Continue."""
        for value in values:
            self.page.locator(f'input[name="{question}"][value="{value}"]').check()
        self.press()

    def press(self) -> None:
        """Press the one button that carries the walk on."""
        self.follow("main form[method=post] >> nth=-1 >> button")

    def follow(self, selector: str) -> None:
        """Press what leads to another page, and wait until that is there."""
        with self.page.expect_navigation():
            self.page.locator(selector).click()

    def walk(self, lang: str = "en", **answers: str) -> None:
        """From the start page to the review."""
        self.open(f"/?lang={lang}")
        self.follow("main a.nhsuk-button")
        for sign in ("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain"):
            assert self.path == f"/check/{sign}"
            self.choose(sign, answers.get(sign, "0"))
            if sign == "hopelessness" and answers.get(sign) == "3":
                assert self.path == "/check/hopelessness"
                self.press()
        if answers.get("pain", "0") in ("1", "2", "3"):
            self.choose("pain_duration", "over_a_year")
            self.choose("pain_average", "6")
        self.choose("stress", "work", "money")
        assert self.path == "/check/review"

    def finish(self, agree: bool = True) -> None:
        """From the review to the summary."""
        self.choose("copy", "yes" if agree else "no")
        if agree:
            self.choose("age", "45_to_54")
        assert self.path == "/summary"

    def ask_for_a_call(self, **fields: str) -> str:
        """Fill in the consultation form and send it; the reference."""
        page = self.open("/consultation")
        for name, value in {"name": "Demo Reader", "phone": "(303) 555-0144", **fields}.items():
            page.locator(f"#{name}").fill(value)
        page.locator("input[name=patient]").first.check()
        page.locator("#minor").uncheck()
        self.follow("#ask > button.nhsuk-button")
        while self.path != "/consultation/sent" or page.locator(".app-ref").count() == 0:  # not within 3 seconds
            self.follow(".app-panel--consent button")
        return page.locator(".app-ref dd").inner_text()

    def _note(self, request: Request) -> None:
        self.asked.append(request.url)

    def leave(self) -> None:
        """Press "Leave this page", and be elsewhere."""
        self.follow(".app-leave button")
        assert self.page.url == NEUTRAL and self.page.title() == "Weather"

    def elsewhere(self) -> list[str]:
        """What was asked of others than the site."""
        return [url for url in self.asked if not url.startswith(self.address) and not url.startswith(NEUTRAL)]


@pytest.fixture
def reader(browser: Browser, server: Server) -> Iterator[Callable[..., Reader]]:
    """Gives readers; keyword arguments are those of a browser context."""
    readers: list[Reader] = []

    def make(address: str = server.address, **options: Any) -> Reader:
        options = {"viewport": {"width": 360, "height": 780}, "locale": "en-US", "ignore_https_errors": True} | options
        readers.append(Reader(browser.new_context(**options), address))
        return readers[-1]

    yield make
    for one in readers:
        assert one.elsewhere() == [], "a request left the site"
        one.context.close()
