"""Three nodes behind the shipped nginx, one PostgreSQL, one Redis; and everything that happens to them meanwhile.

Visitors walk, patients ask for calls and staff work all the time. Meanwhile a node is killed and comes
back, keys are changed and the call-back key is turned by the steps of docs/several-machines.md, the database is
migrated under the running code, Redis stops, and all nodes die at once. No answer and no acknowledged
request is lost, every page gives crisis help, and whoever is signed in stays signed in.
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from screening.callbacks import reference_code, staff_service
from screening.callbacks.models import CallbackRequest
from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.crypto.keyring import CALLBACK, DRAFT, FORMS, PURPOSES, SEARCH, Keyring
from screening.database.engines import MIGRATIONS
from screening.extensions import db
from screening.operations import migration_state
from tests.support.databases import close
from tests.support.live_patient import references_in
from tests.support.live_server import LiveServer
from tests.support.nginx import Nginx
from tests.support.redis_server import Redis
from tests.support.staff_client import Team
from tests.support.traffic import Colleague, Crowd, Patient, Walker

WALKERS, PATIENTS, COLLEAGUES = 4, 2, 2

ADDED = """
import sqlalchemy as sa
from alembic import op

revision = "added"
down_revision = {head!r}


def upgrade(name):
    if name == "main":
        op.add_column("callback_request", sa.Column("added", sa.String(12)))
        op.create_table("added", sa.Column("id", sa.Integer, primary_key=True))
"""
"""A migration as a next version might bring: it only adds."""


class Fleet:
    """The nodes: ``first`` has every key and the worker, ``second`` serves staff too, ``third`` only visitors."""

    def __init__(self, folder: Path, database: str, store: str) -> None:
        common = {
            "SCREENING_DATABASE_URL": database,
            "SCREENING_RATE_LIMIT_STORAGE_URL": store,
            "SCREENING_RATE_LIMIT_REQUESTS": "100000 per hour",
            "SCREENING_HTTPS": "true",
            "SCREENING_TRUSTED_PROXY_COUNT": "1",
            "SCREENING_ALLOWED_HOSTS": "localhost",
        }
        arguments = ("--workers", "1", "--backlog", "1024", "--workers-kill-timeout", "15")
        self.first, self.second, self.third = (
            LiveServer(folder / name, *arguments, **common, SCREENING_SERVE=surfaces)
            for name, surfaces in (("first", "visitor,staff"), ("second", "visitor,staff"), ("third", "visitor"))
        )
        self.all = (self.first, self.second, self.third)
        for node in self.all:
            (node.folder / "keys").mkdir(parents=True, mode=0o700)

    def lay(self, *purposes: str) -> None:
        """Copy key files from the first node to every other that needs them, whole or not at all."""
        for node in (self.second, self.third):
            needed = PURPOSES["visitor"] + (PURPOSES["staff"] if node is self.second else ())
            for purpose in set(purposes) & set(needed):
                fresh = node.folder / "keys" / f"{purpose}.new"
                shutil.copy(self.first.folder / "keys" / f"{purpose}.toml", fresh)
                fresh.rename(fresh.with_suffix(".toml"))

    def restart_each(self, nginx: Nginx) -> None:
        """One node after the other, while nobody is on it: the script's command says that it is out, and waits."""
        for node in self.all:
            with nginx.around(node.port, "sh", "-c", "echo out; read back") as around:
                assert around.stdout.readline() == "out\n", around.stderr.read()
                stop(node)
                node.start()
                _, said = around.communicate("back\n", timeout=120)
            assert (around.returncode, said) == (0, "")

    def __enter__(self) -> Fleet:
        self.first.flask("keys", "init")
        self.first.flask("db", "upgrade")
        self.first.flask("keys", "publish")
        self.lay(*PURPOSES["visitor"], *PURPOSES["staff"])
        for node in self.all:
            node.start()
        words = [sys.executable, "-m", "flask", "worker"]
        with (self.first.folder / "worker.log").open("wb") as log:
            self.worker = subprocess.Popen(words, cwd=ROOT, env=self.first.environment, stdout=log, stderr=log)
        return self

    def __exit__(self, *error: object) -> None:
        self.worker.terminate()
        self.worker.wait(60)
        for node in self.all:
            node.__exit__()


def stop(node: LiveServer) -> None:
    """As a service manager stops it."""
    node.process.terminate()
    node.process.wait(60)


def readiness(node: LiveServer) -> str:
    """What a node says of itself to who runs it."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    connection.request("GET", "/readyz")
    told = connection.getresponse().read().decode()
    connection.close()
    return told


def opened(database: str, keys: Path) -> tuple[set[str], set[str]]:
    """The names and notes that the key files of a machine open."""
    app, ring = create_commands_app({"DATABASE_URL": database, "KEYS_DIR": keys}), Keyring(keys, (CALLBACK, SEARCH))
    names, notes = set(), set()
    with app.app_context():
        for request in db.session.query(CallbackRequest):
            details = staff_service.decrypt(ring, request)
            names |= {details.name} if details else set()
            notes |= {words for _, words in staff_service.notes(ring, request) if words}
    close(app)
    return names, notes


@pytest.fixture
def database(cluster):
    return cluster.copy_of("template0")


def test_node_failures_and_rotations_lose_no_acknowledged_data(tmp_path, database, make_site, report):
    with Redis(tmp_path / "redis") as store, Fleet(tmp_path / "nodes", database, store.url) as fleet:
        ports = [node.port for node in fleet.all]
        assert {file.stem for file in (fleet.third.folder / "keys").iterdir()} == {DRAFT, FORMS}
        team = Team(make_site(DATABASE_URL=database, KEYS_DIR=fleet.first.folder / "keys", HTTPS=True, CLOCK=time.time))
        hired = [team.add(f"colleague{number}", "callbacks", https=True) for number in range(COLLEAGUES)]
        with Nginx(tmp_path / "nginx", visitors=ports, staff=ports[:2]) as nginx:
            crowd = Crowd(nginx)
            crowd.enter("at rest")
            patients = [Patient(crowd, number) for number in range(1, PATIENTS + 1)]
            colleagues = [Colleague(crowd, number, member) for number, member in enumerate(hired, 1)]
            for person in (*patients, *colleagues, *(Walker(crowd, n) for n in range(1, WALKERS + 1))):
                crowd.bring(person)
            try:
                live_through(crowd, fleet, store, tmp_path)
            finally:
                crowd.go_home()
        tell(crowd, report)
        look_whether_all_is_there(fleet, database, patients, colleagues, report)
        look_whether_nobody_was_written_down(fleet, nginx, store, report)


def live_through(crowd: Crowd, fleet: Fleet, store: Redis, folder: Path) -> None:
    """Everything that happens, one after the other, while everybody goes on."""
    crowd.until(journeys=4, requests=8, notes=4)

    crowd.enter("second node killed")
    fleet.second.kill()
    crowd.until(journeys=4, requests=4, notes=2)
    fleet.second.start()

    crowd.enter("each node restarted")
    crowd.until(journeys=2)
    fleet.restart_each(crowd.nginx)
    crowd.until(journeys=2)

    crowd.enter("keys of drafts and forms changed")
    fresh = {purpose: fleet.first.flask("keys", "add", purpose).strip() for purpose in (DRAFT, FORMS)}
    fleet.lay(DRAFT, FORMS)
    fleet.restart_each(crowd.nginx)
    for purpose, key in fresh.items():
        fleet.first.flask("keys", "activate", purpose, key)
    fleet.lay(DRAFT, FORMS)
    fleet.restart_each(crowd.nginx)
    crowd.until(journeys=4, requests=4, notes=2)

    crowd.enter("call-back key turned")
    told = fleet.first.flask("keys", "rotate", CALLBACK)
    assert "unreadable\t0" in told and "resealed\t0" not in told, told
    fleet.lay(CALLBACK, SEARCH)
    crowd.until(journeys=2, requests=6, notes=4)

    crowd.enter("database migrated")
    migrations = folder / "migrations"
    shutil.copytree(MIGRATIONS, migrations)
    (migrations / "versions" / "added.py").write_text(ADDED.format(head=migration_state.latest_revision()))
    fleet.first.flask("db", "upgrade", "--directory", str(migrations))
    assert readiness(fleet.first) == "database ok\nkeys ok\nmigrations behind\n"
    crowd.until(journeys=4, requests=4, notes=4)

    crowd.enter("Redis halted, then killed")
    store.halt()
    crowd.until(journeys=4, requests=4)
    store.go_on()
    store.kill()
    crowd.until(journeys=4, requests=4)
    store.start()

    crowd.enter("all nodes killed")
    for node in fleet.all:
        node.kill()
    crowd.until(**{"pages of the proxy": 50})
    for node in fleet.all:
        node.start()
    crowd.until(journeys=4, requests=4, notes=2)

    crowd.enter("at rest again")
    crowd.until(journeys=4, requests=4, notes=2)


QUIET = ("at rest", "keys of drafts and forms changed", "each node restarted", "call-back key turned")
QUIET += ("database migrated", "Redis halted, then killed", "at rest again")
"""Phases in which no request may fail: nothing dies in them without notice."""


def tell(crowd: Crowd, report) -> None:
    """The figures of each phase; and that no more failed than may."""
    people = WALKERS + PATIENTS + COLLEAGUES
    report(f"{people} people, three nodes of one worker each: {dict(crowd.done)}")
    for phase, times in crowd.times.items():
        times.sort()
        failed = {status: count for (where, status), count in crowd.failed.items() if where == phase}
        middle, late = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
        report(
            f"{phase}: {len(times)} requests, half within {middle:.0f} ms, 99 % within {late:.0f} ms, "
            f"longest {times[-1] * 1000:.0f} ms; failed: {failed or 'none'}"
        )
    for phase in QUIET:
        assert not [count for (where, _), count in crowd.failed.items() if where == phase], phase
    killed = sum(count for (where, _), count in crowd.failed.items() if where == "second node killed")
    assert killed <= people, "only what was under way on the node that was killed"
    assert crowd.done["pages of the proxy"] >= 50


def look_whether_all_is_there(fleet: Fleet, database: str, patients, colleagues, report) -> None:
    """Every acknowledged request and note, once, and readable with the key files of both machines of the staff."""
    acknowledged = {name: shown for patient in patients for name, shown in patient.acknowledged.items()}
    fingerprints = references_in(database)
    lost = [name for name, shown in acknowledged.items() if reference_code.fingerprint(shown) not in fingerprints]
    assert lost == [] and len(fingerprints) == len(set(fingerprints))
    notes = set().union(*(colleague.notes for colleague in colleagues))
    for node in (fleet.first, fleet.second):
        names, read = opened(database, node.folder / "keys")
        assert set(acknowledged) <= names and notes <= read
        assert len(names) == len(fingerprints), "nobody is there twice, and every box opens"
    report(
        f"{len(acknowledged)} requests acknowledged, {len(fingerprints)} kept, {len(lost)} lost; "
        f"{len(notes)} notes acknowledged, none lost; all opened with the key files of each staff node"
    )


def look_whether_nobody_was_written_down(fleet: Fleet, nginx: Nginx, store: Redis, report) -> None:
    """Neither proxy, nodes, worker nor Redis hold an address, a name or a page of anybody."""
    texts = {"nginx": nginx.told(), "redis": f"{store.holds()}{(store.folder / 'redis.log').read_text()}"}
    texts |= {node.folder.name: node.log.read_text() for node in fleet.all}
    texts["worker"] = (fleet.first.folder / "worker.log").read_text()
    for place, told in texts.items():
        for word in ("127.0.1.", "127.0.2.", "127.0.3.", "Zentinela", "/check/", "/summary", "hopelessness=", "note "):
            assert word not in told, f"{word} in {place}: {told[max(0, told.find(word) - 200) : told.find(word) + 100]}"
    assert not [file for file in (nginx.folder / "temp").rglob("*") if file.is_file()]
    report(f"no address, name or page in {', '.join(texts)}: {sum(map(len, texts.values()))} characters looked through")
