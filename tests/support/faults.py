"""Faults, and a site in use while they occur: a visitor, a patient and a staff member."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from screening.callbacks.patient_views import MIN_FORM_SECONDS
from screening.database.timeouts import OPEN_SECONDS
from tests.support.clock import Clock
from tests.support.sample_patient import FORM, NAME, SECRETS, reference_on
from tests.support.staff_client import StaffClient, Team
from tests.support.visitor import Page, Visitor

MAX_PAGE_SECONDS = 7
"""Seconds that a page may take under any fault: SQLite waits up to five, PostgreSQL four, plus the page itself."""

NOTE = "zentinelnotetext"
FIRST_NAME = "Zentinelfirst One"
SENTINELS = (*SECRETS, NOTE, "Zentinelfirst")
"""Texts that only a patient or a staff member types, so that finding one elsewhere is a leak."""

URGENT = "/check/hopelessness"
UNCONFIRMED = "Your request may not have reached us"


class Proxy:
    """A TCP proxy in front of a server's socket; ``mode`` says what it does with the data.

    ``pass`` forwards everything, ``silent`` accepts and forwards nothing, ``cut before`` disconnects when a COMMIT
    arrives, ``cut after`` forwards the COMMIT and disconnects once the server has answered it.
    """

    def __init__(self, target: Path) -> None:
        self.target, self.mode, self.cut = str(target), "pass", 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Proxy:
        self._threads[0].start()
        return self

    def __exit__(self, *error: object) -> None:
        _disconnect(self._listening, *self._sockets)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(client,)))
            self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            try:
                server.connect(self.target)
            except OSError:
                return
            self._sockets += [client, server]
            back = threading.Thread(target=self._forward_answers, args=(client, server))
            back.start()
            self._forward_requests(client, server)
            back.join()

    def _forward_requests(self, client: socket.socket, server: socket.socket) -> None:
        while data := _received(client):
            if self.mode == "silent":
                continue
            if b"COMMIT" in data and self.mode.startswith("cut"):
                self.cut += 1
                if self.mode == "cut before":
                    break
            _sent(server, data)
        _disconnect(client, server)

    def _forward_answers(self, client: socket.socket, server: socket.socket) -> None:
        while data := _received(server):
            if self.mode == "silent":
                continue
            if b"COMMIT" in data and self.mode == "cut after":
                break
            _sent(client, data)
        _disconnect(client, server)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


def _sent(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError:
        return


def _disconnect(*connections: socket.socket) -> None:
    for connection in connections:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Mount a disk of so many megabytes; yield its folder."""
    assert os.geteuid() == 0, "this test mounts a small disk: run make test-long as root"
    folder = Path(tempfile.mkdtemp(prefix="disk"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(folder: Path) -> Path:
    """Fill a disk completely; return the file that does."""
    file = folder / "ballast"
    with file.open("wb", buffering=0) as ballast:
        try:
            while ballast.write(b"\0" * 4096):
                pass
        except OSError:
            return file
    return file


class SiteUsers:
    """A site in use: a visitor on the walk, a patient with a call-back form, a staff member with an open request.

    Call ``prepare`` before the fault, ``run_during_fault`` while it lasts, and ``run_after_recovery`` after it.
    """

    def __init__(self, site: Flask, clock: Clock) -> None:
        self.site, self.clock = site, clock
        self.patient, self.team = Visitor(site), Team(site)
        self.slowest = 0.0

    def prepare(self) -> None:
        """Store a first request, open it as staff, and fill in a second one that is ready to send."""
        first = Visitor(self.site)
        review = self.fill_form(first, FIRST_NAME)
        self.clock.forward(MIN_FORM_SECONDS + 1)
        first.fill(review, "/consultation/sent")
        self.review = self.fill_form(self.patient, FORM["name"])
        self.clock.forward(MIN_FORM_SECONDS + 1)
        self.member: StaffClient = self.team.add("ann", "callbacks", "admin")
        queue = self.member.sign_in("/staff/callbacks")
        self.request_page = self.member.get(queue.main.select(".app-worklist__name a")[0]["href"])

    def fill_form(self, visitor: Visitor, name: str) -> Page:
        """Fill in the call-back form; return the review page."""
        fields: dict[str, Any] = {**FORM, "name": name}
        page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **fields)
        assert page.status == 200, page.words
        return page

    def timed(self, step: Callable[[], Page]) -> Page:
        """Run a step; fail if it takes longer than LONGEST."""
        began = time.monotonic()
        page = step()
        took = time.monotonic() - began
        self.slowest = max(self.slowest, took)
        assert took < MAX_PAGE_SECONDS, f"{took:.1f} s for {page.address}"
        return page

    def walk(self) -> Visitor:
        """Walk to the review: every answer is stored, and the most urgent answer shows the help page."""
        walker = Visitor(self.site)
        self.timed(lambda: walker.answer("sadness", "2"))
        self.timed(lambda: walker.answer("sleep", "1"))
        asked = walker.get(URGENT)
        help_page = self.timed(lambda: walker.send(asked, URGENT, follow=False, hopelessness="3"))
        assert help_page.status == 200 and help_page.main.find("a", href="tel:988") is not None
        assert "after_help" in help_page.text
        page = self.timed(lambda: walker.walk(sadness="2", sleep="1", hopelessness="3"))
        assert page.address == "/check/review"
        assert walker.get("/check/sadness").chosen() == ["2"]
        assert self.timed(lambda: walker.get("/help-now")).status == 200
        return walker

    def agree(self, walker: Visitor) -> Page:
        """Agree to store the response; the summary is shown whether or not storing succeeds."""
        page = self.timed(lambda: walker.agree())
        assert page.status == 200 and page.address == "/summary" and "3 of 7" in page.words, page.words
        return page

    def send(self, patient: Visitor | None = None) -> Page:
        """Send the call-back form."""
        return self.timed(lambda: (patient or self.patient).fill(self.review, "/consultation/sent"))

    def assert_unconfirmed(self, page: Page) -> None:
        """Check the page for a request that may not be stored: it has the typed values and the number to call."""
        assert page.status == 503 and UNCONFIRMED in page.words, (page.status, page.words)
        typed = page.typed("/consultation/sent")
        assert typed["name"] == [FORM["name"]] and typed["phone"] == [FORM["phone"]]
        assert typed["message"][0].split() == FORM["message"].split()
        assert page.main.find("a", href=re.compile("^tel:\\+1303")) is not None, "no number to call"
        self.review = page

    def run_during_fault(self) -> None:
        """Use the site while the database cannot be written to."""
        walker = self.walk()
        assert "may not have been stored" in self.agree(walker).words
        form = self.timed(lambda: Visitor(self.site).get("/consultation"))
        assert form.status == 200
        self.assert_unconfirmed(self.send())
        self.assert_unconfirmed(self.send())
        self.assert_staff_pages_fail_cleanly()

    def assert_staff_pages_fail_cleanly(self) -> None:
        """Check that viewing a request and adding a note fail with a 503 page without details of the error."""
        note = self.timed(lambda: self.member.fill(self.request_page, self._form("/note"), follow=False, note=NOTE))
        viewed = self.timed(lambda: self.member.get(self.request_page.address, follow=False))
        for page in (note, viewed):
            assert page.status == 503, (page.status, page.text[:2000])
            assert "Error" not in page.main.get_text()
        assert "give this number" in viewed.words

    def _form(self, end: str) -> str:
        return f"{self.request_page.address}{end}"

    def run_after_recovery(self) -> None:
        """Check after the fault that the form is stored once, the response is accepted, and staff see both requests."""
        sent = self.until(lambda: self.send(), lambda page: page.status == 200)
        assert sent.address == "/consultation/sent", sent.words
        reference = reference_on(sent)
        again = self.send()
        assert reference_on(again) == reference, "a retry gives the same reference"
        walker = self.walk()
        assert "may not have been stored" not in self.agree(walker).words
        queue_page = self.until(lambda: self.member.get("/staff/callbacks"), lambda page: page.status == 200)
        names = sorted(link.get_text() for link in queue_page.main.select(".app-worklist__name a"))
        assert names == sorted([FIRST_NAME, NAME]), names
        opened = self.member.get(self.request_page.address)
        assert opened.text.count(NOTE) == 0, "a refused note is not stored"
        added = self.member.fill(opened, self._form("/note"), note=NOTE)
        assert added.status == 200 and added.main.get_text().count(NOTE) == 1

    def until(self, step: Callable[[], Page], done: Callable[[Page], bool]) -> Page:
        """Repeat a step until ``done``. The circuit breaker must close within four of its periods (long tests only)."""
        end = time.monotonic() + 4 * OPEN_SECONDS
        while not done(page := step()):
            assert time.monotonic() < end, (page.status, page.words)
        return page
