"""A flood of sign-ins on a real server: visitors go on, at the cost that passwords really have."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from urllib.parse import urlencode

import pytest

from tests.bench.load import Connection
from tests.support.live_server import LiveServer

SIGN_INS = 48
"""Sign-ins at once: twelve for each place of the walk."""

LOOKS = 60
"""Pages that the visitors open meanwhile."""


def flood(port: int, form: Connection, body: bytes, ended: Event) -> Counter[int]:
    """Send wrong passwords with a form's cookies until the event; return the number of answers by status."""
    seen: Counter[int] = Counter()
    while not ended.is_set():
        connection = Connection(port)
        connection.cookies = dict(form.cookies)
        with contextlib.closing(connection.socket):
            seen[connection.request(b"POST", b"/staff/sign-in", body)[0]] += 1
    return seen


@pytest.mark.parametrize("target", ["wsgi:app", "tests.support.shared_places:app"], ids=["own places", "the control"])
def test_flood_of_sign_ins_refuses_no_visitor(tmp_path, target, report):
    ended = Event()
    with LiveServer(tmp_path, "--workers", "1", target=target) as server, ThreadPoolExecutor(SIGN_INS) as pool:
        form = Connection(server.port)
        token = re.search(rb'name="csrf_token" value="([^"]+)"', form.request(b"GET", b"/staff/sign-in")[1])
        fields = {"csrf_token": token[1].decode(), "email": "nobody@clinic.example.org", "password": "wrong"}
        body = urlencode(fields).encode()
        flooding = [pool.submit(flood, server.port, form, body, ended) for _ in range(SIGN_INS)]
        looks: Counter[int] = Counter()
        for _ in range(LOOKS):
            with contextlib.closing((connection := Connection(server.port)).socket):
                looks[connection.request(b"GET", b"/check/sadness")[0]] += 1
        ended.set()
        answered = sum((job.result() for job in flooding), Counter())
        form.socket.close()
    report(f"{LOOKS} looks during {SIGN_INS} sign-ins at once: {dict(looks)}; sign-ins {dict(answered)}")
    assert answered[303] and answered[503], "the flood is more than is hashed"
    assert bool(looks[503]) == (target != "wsgi:app")
