"""Concurrent users of the site through its proxy until the test stops them, and records of every answer.

Each is a client as in the other tests, with every page checked, but sends its requests over TLS to a real proxy. A
request that got no answer, or the proxy's own page with crisis help, is sent again.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable
from threading import Condition, Thread
from typing import Any

from werkzeug.test import Client

from tests.support.nginx import Nginx
from tests.support.remote_site import CONNECTION_LOST, RemoteSite
from tests.support.sample_patient import FORM, reference_on
from tests.support.staff_client import PASSWORD, StaffClient
from tests.support.visitor import SIGNS, Page, Visitor

RETRY_SECONDS = 0.05
"""Seconds before a request that got no answer is sent again."""

FORM_WAIT_SECONDS = 4
"""Minimum seconds on the call-back form; a form sent sooner is shown again."""


def site_through(nginx: Nginx, address: str) -> RemoteSite:
    """Return the site behind this nginx, requested from this client address."""
    return RemoteSite(lambda: nginx.connect(source=address))


class Traffic:
    """Concurrent users, with their counts, failures and times by phase."""

    def __init__(self, nginx: Nginx) -> None:
        self.nginx, self.changed, self.stopped = nginx, Condition(), False
        self.phase, self.done, self.failed = "", Counter[str](), Counter[tuple[str, int]]()
        self.times: dict[str, list[float]] = {}
        self.errors: list[str] = []
        self.threads: list[Thread] = []

    def start(self, user: Any) -> None:
        """Start a user in a thread."""
        self.threads.append(Thread(target=self._run, args=(user,)))
        self.threads[-1].start()

    def count_action(self, what: str) -> None:
        """Count a completed action."""
        with self.changed:
            self.done[what] += 1
            self.changed.notify_all()

    def begin_phase(self, phase: str) -> None:
        """Begin a phase; what follows is recorded under it."""
        with self.changed:
            self.phase = phase

    def wait_for(self, seconds: float = 120, **more: int) -> None:
        """Wait until so many more actions of each kind are completed. Fails on timeout or on any user's error."""
        with self.changed:
            targets = {what: self.done[what] + count for what, count in more.items()}

            def reached() -> bool:
                return bool(self.errors) or all(self.done[what] >= count for what, count in targets.items())

            assert self.changed.wait_for(reached, seconds), f"{self.phase}: {dict(self.done)}, wanted {targets}"
        assert not self.errors, self.errors

    def stop_all(self) -> None:
        """Stop all users and join their threads."""
        self.stopped = True
        for thread in self.threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self.threads)

    def _run(self, user: Any) -> None:
        try:
            while not self.stopped:
                user.run_once()
        except Exception as error:  # reported by the main thread, which waits meanwhile
            with self.changed:
                if not self.stopped:
                    self.errors.append(f"{type(user).__name__} in {self.phase}: {type(error).__name__}: {error}"[:600])
                self.changed.notify_all()


class StoppedError(Exception):
    """The test ended while a user still waited for an answer."""


def has_help(page: Page) -> bool:
    """Return whether a page gives crisis help in any form."""
    return "tel:988" in page.text and "sms:988" in page.text and "tel:911" in page.text


class Retrying:
    """Retries requests that got no answer, and checks every page for crisis help."""

    traffic: Traffic

    def get(self, address: str, follow: bool = True, **options: Any) -> Page:
        return self._retried(lambda: super(Retrying, self).get(address, follow, **options))  # type: ignore[misc]

    def post(self, address: str, fields: Any, follow: bool = True, referer: str = "/", **options: Any) -> Page:
        page = self._retried(
            lambda: super(Retrying, self).post(address, fields, False, referer, **options)  # type: ignore[misc]
        )
        return self.get(page.response.headers["Location"]) if follow and page.status == 303 else page

    def _checked(self, page: Page) -> Page:
        if page.status < 500:
            return super()._checked(page)  # type: ignore[misc, no-any-return]
        return page

    def _retried(self, send_request: Callable[[], Page]) -> Page:
        while True:
            began = time.perf_counter()
            page = send_request()
            with self.traffic.changed:
                self.traffic.times.setdefault(self.traffic.phase, []).append(time.perf_counter() - began)
            if page.status < 500:
                assert page.status != 400, f"{page.address}: {page.words[:200]}"
                return page
            with self.traffic.changed:
                self.traffic.failed[self.traffic.phase, page.status] += 1
            if page.status != CONNECTION_LOST:
                assert has_help(page), f"{page.status} without help: {page.text[:200]}"
                self.traffic.count_action("pages of the proxy")
            if self.traffic.stopped:
                raise StoppedError
            with self.traffic.changed:
                self.traffic.changed.wait(RETRY_SECONDS)


class Walker(Retrying, Visitor):
    """Repeats the walk with random answers, and checks at the end that each answer is still stored."""

    def __init__(self, traffic: Traffic, number: int) -> None:
        self.traffic, self.rng = traffic, random.Random(number)
        super().__init__(site_through(traffic.nginx, f"127.0.1.{number}"), https=True)  # type: ignore[arg-type]

    def run_once(self) -> None:
        self.client = self.site.test_client()
        answers = {sign: self.rng.choice("0123") for sign in SIGNS}
        page = self.walk(**answers)
        assert page.address == "/check/review", (page.address, page.words[:200])
        for sign in SIGNS:
            assert self.get(f"/check/{sign}").chosen() == [answers[sign]], f"the answer to {sign} is not stored"
        noticed = sum(answer != "0" for answer in answers.values())
        assert f"{noticed} of 7" in self.disagree().words
        self.traffic.count_action("journeys")


class Patient(Retrying, Visitor):
    """Repeats the call-back request, each under another name, and records the reference that the site shows."""

    def __init__(self, traffic: Traffic, number: int) -> None:
        self.traffic, self.number, self.count = traffic, number, 0
        self.acknowledged: dict[str, str] = {}
        self.begun: list[tuple[float, str, Client, Page]] = []
        super().__init__(site_through(traffic.nginx, f"127.0.2.{number}"), https=True)  # type: ignore[arg-type]

    def run_once(self) -> None:
        """Fill in another form; send those that have reached the minimum time."""
        self.client, self.count = self.site.test_client(), self.count + 1
        name = f"Zentinela {self.number} {self.count}"
        page = self.fill(self.get("/consultation"), "/consultation/review", **{**FORM, "name": name})
        assert page.status == 200, page.words[:200]
        self.begun.append((time.monotonic(), name, self.client, page))
        while self.begun and (time.monotonic() - self.begun[0][0] > FORM_WAIT_SECONDS or len(self.begun) > 8):
            _, name, self.client, page = self.begun.pop(0)
            while (sent := self.fill(page, "/consultation/sent")).address == "/consultation/review":
                with self.traffic.changed:
                    self.traffic.changed.wait(RETRY_SECONDS)
            assert sent.status == 200, (sent.status, sent.words[:200])
            self.acknowledged[name] = reference_on(sent)
            self.traffic.count_action("requests")


class StaffUser(Retrying, StaffClient):
    """Signs in once, then opens requests and adds a note to each."""

    def __init__(self, traffic: Traffic, number: int, member: StaffClient) -> None:
        self.traffic, self.count, self.notes = traffic, 0, set[str]()
        Visitor.__init__(self, site_through(traffic.nginx, f"127.0.3.{number}"), https=True)  # type: ignore[arg-type]
        self.email, self.password, self.secret, self.clock = member.email, PASSWORD, member.secret, time.time
        page = self.enter_password()
        assert self.send(page, "/staff/second-factor", code=self.code).status == 200

    def run_once(self) -> None:
        queue = self.get("/staff/callbacks")
        assert queue.address == "/staff/callbacks", f"signed out: {queue.address}"
        links = queue.main.select(".app-worklist__name a")
        if not links:
            return
        shown = self.get(random.Random(self.count).choice(links)["href"])
        self.count += 1
        if not shown.main.find("form", action=re.compile("/note$")):
            self.traffic.count_action("requests that could not be opened")
            return
        words = f"note {self.count} of {self.email}"
        sent = self.fill(shown, f"{shown.address}/note", follow=False, note=words)
        if "done=noted" in sent.response.headers.get("Location", ""):
            self.notes.add(words)
            self.traffic.count_action("notes")
