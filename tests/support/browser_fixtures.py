"""Fixtures of the journeys: a live server and a real browser, each started once per session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.support.browser import ARGUMENTS, CHROMIUM, VIEW, BrowserVisitor
from tests.support.live_server import LiveServer
from tests.support.offline_site import OfflineSite


@pytest.fixture(scope="session")
def live_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, with the host of the neutral site resolved to a server on this machine."""
    assert Path(CHROMIUM).exists(), "Chromium is missing: make test installs it, or prints how"
    with OfflineSite(tmp_path_factory.mktemp("offline")) as neutral:
        rules = f"--host-resolver-rules=MAP www.weather.gov 127.0.0.1:{neutral.port}"
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, rules])
        yield running
        running.close()


@pytest.fixture
def browser_visitor(browser: Browser, live_server: LiveServer) -> Iterator[Callable[..., BrowserVisitor]]:
    """Return a function that creates visitors in the browser; keyword arguments are those of a browser context."""
    visitors: list[BrowserVisitor] = []

    def make(address: str = live_server.address, **options: Any) -> BrowserVisitor:
        visitors.append(BrowserVisitor(browser.new_context(**VIEW | options), address))
        return visitors[-1]

    yield make
    for visitor in visitors:
        assert visitor.elsewhere() == [], "a request went to another host"
        visitor.context.close()
