"""The browser's Back button, and a server for tests of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from playwright.sync_api import Error, Page
from werkzeug.serving import make_server


def go_back(page: Page) -> None:
    """Press Back; fail if the browser shows its own page because a form would have to be sent again."""
    try:
        page.go_back()
    except Error as error:
        raise AssertionError(f"Back fails: {error.message}") from None
    assert not page.url.startswith("chrome-error:"), "Back shows the browser's own error page"


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application from a thread of this process, so that a test can move its clock; return its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
