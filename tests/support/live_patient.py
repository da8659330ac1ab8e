"""A patient of a live server, without a browser."""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlencode

from bs4 import BeautifulSoup
from sqlalchemy import create_engine, text

from tests.support.live_server import LiveServer
from tests.support.sample_patient import FORM
from tests.support.visitor import Page


class Patient:
    """A patient who has filled in the call-back form and can send it."""

    def __init__(self, server: LiveServer, number: int) -> None:
        self.server, self.name = server, f"Patient {number}"
        self.cookies: dict[str, str] = {}
        form = self.request("GET", "/consultation")
        fields = Page.typed(_page(form[2]), "/consultation/review")
        checked = self.request("POST", "/consultation/review", {**fields, **FORM, "name": self.name})
        assert checked[0] == 303, checked[0]
        review = self.request("GET", "/consultation/review")
        self.form = Page.typed(_page(review[2]), "/consultation/sent")

    def send(self) -> str | None:
        """Send the form; return the reference that the site shows, None if no answer came."""
        try:
            status, _, _ = self.request("POST", "/consultation/sent", self.form)
            if status != 303:
                return None
            shown = re.search(r"<dd>([\w-]{16})</dd>", self.request("GET", "/consultation/sent")[2])
            return shown[1] if shown else None
        except (OSError, http.client.HTTPException):
            return None

    def request(self, method: str, path: str, fields: dict | None = None) -> tuple[int, dict[str, str], str]:
        """Send a request with this patient's cookies; return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies} if cookies else {}
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, urlencode(fields, doseq=True) if fields is not None else None, headers)
            answer = connection.getresponse()
            body = answer.read().decode()
        finally:
            connection.close()
        for fresh in answer.headers.get_all("Set-Cookie", []):
            name, _, value = fresh.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, dict(answer.headers), body


def _page(html: str) -> Page:
    """Return a page to read forms from, without the page checks."""
    page = Page.__new__(Page)
    page.soup, page.text = BeautifulSoup(html, "html.parser"), html
    return page


def references_in(database: str) -> list[str]:
    """Return the fingerprints of the references of all requests in a database."""
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        found = list(connection.execute(text("SELECT reference FROM callback_request")).scalars())
    engine.dispose()
    return found
