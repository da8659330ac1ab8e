"""Measure the throughput of call-back requests, and the response time of staff pages with many requests.

Sending is compared with the contact form of the minimal app on the same server, in turn: send a form that is filled in,
and load the page that follows. The staff pages are measured over HTTP at growing numbers of requests; their peer is the
same page at the smallest number.
"""

from __future__ import annotations

import http.client
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import insert

from screening.app import create_app
from screening.callbacks import public_key
from screening.callbacks.models import CallbackRequest
from screening.callbacks.patient_views import MIN_FORM_SECONDS
from screening.crypto.keyring import SEARCH, Keyring
from screening.extensions import db
from tests.bench.journeys import VISITORS, serve
from tests.bench.load import TOKEN, Connection
from tests.bench.measure import as_text, noise, ratios, spread
from tests.support.databases import close
from tests.support.live_patient import Patient
from tests.support.live_server import LiveServer
from tests.support.postgres import Cluster
from tests.support.sample_patient import ROSA
from tests.support.staff_client import Team

PAGES = ("/staff/callbacks", "/staff/callbacks/today", "/staff/callbacks?tab=overdue&language=es")
DAY = 24 * 60 * 60

Ready = tuple[dict[bytes, bytes], bytes]
"""A form that is ready to send: the cookies and the body."""


def ready_at_site(server: LiveServer) -> Ready:
    """Return a call-back request, filled in and reviewed."""
    patient = Patient(server, 0)
    cookies = {name.encode(): value.encode() for name, value in patient.cookies.items()}
    return cookies, urlencode(patient.form, doseq=True).encode()


def ready_at_minimal(server: LiveServer) -> Ready:
    """Return a contact form of the minimal app, filled in and reviewed."""
    connection = Connection(server.port)
    token = TOKEN.search(connection.request(b"GET", b"/contact")[1])
    assert token
    fields = {"name": "Demo", "phone": "(303) 555-0144", "email": "demo@example.org", "message": "Demo words"}
    body = b"csrf_token=" + token[1] + b"&" + urlencode(fields).encode()
    assert connection.request(b"POST", b"/contact/review", body)[0] == 200
    return connection.cookies, body


SENDERS: dict[str, tuple[Callable[[LiveServer], Ready], bytes]] = {
    "site": (ready_at_site, b"/consultation/sent"),
    "minimal": (ready_at_minimal, b"/contact/sent"),
}


def send_all(server: LiveServer, path: bytes, forms: list[Ready]) -> dict[str, float]:
    """Send forms over so many connections at once; return forms per second and the time of each."""

    def send(number: int) -> list[float]:
        connection, took = Connection(server.port), []
        for cookies, body in forms[number::VISITORS]:
            connection.cookies = dict(cookies)
            status, _ = connection.request(b"POST", path, body)
            took.append(connection.times[-1])
            shown, _ = connection.request(b"GET", path)
            if (status, shown) != (303, 200):
                raise RuntimeError(f"{path!r}: {status}, then {shown}")
        return took

    began = time.perf_counter()
    with ThreadPoolExecutor(VISITORS) as pool:
        times = sorted(seconds_taken for several in pool.map(send, range(VISITORS)) for seconds_taken in several)
    seconds = time.perf_counter() - began
    return {"per_second": len(forms) / seconds, "p95_ms": times[int(len(times) * 0.95)] * 1000}


def sending(rounds: int, forms: int, folder: Path, cluster: Cluster) -> dict[str, Any]:
    """Run rounds of sending, the servers in turn: the site on either database, and the minimal app."""
    cluster.execute("CREATE DATABASE sending")
    urls = {"sqlite": "", "postgresql": cluster.url("sending"), "minimal": ""}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in urls}
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(
                serve(
                    "minimal" if name == "minimal" else "site",
                    folder / f"send-{name}",
                    2,
                    url,
                    requests="10000000 per hour",
                )
            )
            for name, url in urls.items()
        }
        for _ in range(rounds):
            for name, server in servers.items():
                ready, path = SENDERS["minimal" if name == "minimal" else "site"]
                forms_ready = [ready(server) for _ in range(forms)]
                sendable_at = time.monotonic() + MIN_FORM_SECONDS + 1
                while time.monotonic() < sendable_at:  # the minimum time on a form
                    ready(server)
                found[name].append(send_all(server, path, forms_ready))
    return {
        "rounds": rounds,
        "forms": forms,
        "figures": {
            name: {key: spread([result[key] for result in series]) for key in series[0]}
            for name, series in found.items()
        },
        "ratios": {
            name: ratios(
                [result["per_second"] for result in found[name]], [result["per_second"] for result in found["minimal"]]
            )
            for name in ("sqlite", "postgresql")
        },
    }


def rows(keyring: Keyring, number: int) -> Iterator[dict[str, Any]]:
    """Generate encrypted requests of the last days, three in four open, a tenth in Spanish."""
    indexed, now = keyring.active_id(SEARCH), int(time.time())
    for each in range(number):
        id_ = secrets.token_hex(16)
        waits = each % 4 != 3
        sealed, key_id = public_key.encrypt(id_, ROSA.stored())
        yield {
            "id": id_,
            "reference": secrets.token_hex(32),
            "ciphertext": sealed,
            "key_id": key_id,
            "index_key_id": indexed,
            "language": "es" if each % 10 == 0 else "en",
            "rank": 0 if each % 100 == 0 else 1,
            "asked_at": now - 3 * DAY,
            "due_at": now + (each % 11 - 5) * DAY // 2,
            "ended_at": None if waits else now - DAY,
            "state": "new" if waits else "closed",
            "state_group": "waiting" if waits else "closed",
            "attempts": 0,
            "version": 1,
        }


def queue(sizes: list[int], views: int, folder: Path, cluster: Cluster) -> dict[str, Any]:
    """Return the response times of staff pages with so many requests, in ms: the median of ``views`` loads of each."""
    found: dict[str, Any] = {}
    for kind in ("sqlite", "postgresql"):
        cluster.execute(f"CREATE DATABASE queue_{kind}")
        url = cluster.url(f"queue_{kind}") if kind == "postgresql" else ""
        with serve("site", folder / f"queue-{kind}", 1, url) as server:
            settings = {"KEYS_DIR": folder / f"queue-{kind}" / "keys", "CLINIC_FILE": folder / "none.toml"}
            site = create_app({**settings, "DATABASE_URL": server.database})
            staff, inserted = site.extensions["staff"], 0
            member = Team(site).add("bench", "callbacks")
            member.clock = time.time
            member.enter_password()
            member.send(member.get("/staff/second-factor"), "/staff/second-factor", code=member.code)
            for size in sizes:
                with staff.app_context():
                    more = rows(staff.extensions["keyring"], size - inserted)
                    while several := list(islice(more, 2000)):
                        db.session.execute(insert(CallbackRequest), several)
                    db.session.commit()
                    if kind == "postgresql":
                        db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"}).exec_driver_sql(
                            "ANALYZE"
                        )
                inserted = size
                found[f"{kind} {size}"] = {page: page_time(server, member.cookie, page, views) for page in PAGES}
            close(site)
    return {"sizes": sizes, "looks": views, "ms": found}


def page_time(server: LiveServer, cookie: str, page: str, views: int) -> float:
    """Return the median time of a page, in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    times = []
    for _ in range(views + 3):
        began = time.perf_counter()
        connection.request("GET", page, headers={"Cookie": f"staff={cookie}"})
        response = connection.getresponse()
        if response.status != 200 or b"Zentinela" not in response.read():
            raise RuntimeError(f"{page}: {response.status}")
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[3:])


def measure(rounds: int, forms: int, sizes: list[int], folder: Path) -> dict[str, Any]:
    """Measure sending and the queue, on both databases."""
    work = [noise()]
    with Cluster() as cluster:
        sent = sending(rounds, forms, folder, cluster)
        work.append(noise())
        seen = queue(sizes, 30, folder, cluster)
    return {"sending": sent, "queue": seen, "noise_ms": spread([*work, noise()])}


def growth(seen: dict[str, Any], kind: str) -> float:
    """Return the slowest page's time with the most requests, divided by that with the fewest."""
    slowest_most, slowest_fewest = (seen["ms"][f"{kind} {size}"] for size in (seen["sizes"][-1], seen["sizes"][0]))
    return max(slowest_most[page] / slowest_fewest[page] for page in PAGES)


def text(found: dict[str, Any]) -> str:
    """Return the report as text."""
    sent, seen = found["sending"], found["queue"]
    lines = [
        f"Requests for a call, sent over {VISITORS} connections, {sent['rounds']} rounds of {sent['forms']} in turn"
    ]
    for name, figures in sent["figures"].items():
        each = f"{figures['per_second']['median']:.0f} a second, p95 {figures['p95_ms']['median']:.0f} ms"
        beside = (
            f"; {as_text(sent['ratios'][name])} of the minimal app's contact form" if name in sent["ratios"] else ""
        )
        lines.append(f"{name:12}{each}{beside}")
    lines += ["", f"The team's pages, ms (median of {seen['looks']})"]
    for name, pages in seen["ms"].items():
        lines.append(f"{name:20}" + "  ".join(f"{page.removeprefix('/staff/')} {ms:.1f}" for page, ms in pages.items()))
    lines += [
        f"{kind}: at most {growth(seen, kind):.2f} times as long with {seen['sizes'][-1]} as with {seen['sizes'][0]}"
        for kind in ("sqlite", "postgresql")
    ]
    return "\n".join(lines)
