"""Three nodes behind the shipped nginx, with PostgreSQL and Redis, under faults and maintenance.

Visitors walk, patients send call-back requests and staff work all the time. Meanwhile a node is killed and restarted,
keys are replaced and the call-back key is rotated by the steps of docs/several-machines.md, the database is migrated under the
running code, Redis stops, and all nodes are killed at once. No answer and no acknowledged request is lost, every page
gives crisis help, and every session stays signed in.
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
from tests.support.traffic import Patient, StaffUser, Traffic, Walker

WALKERS, PATIENTS, STAFF = 4, 2, 2

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
"""An additive migration, as a next version could contain."""


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

    def distribute_keys(self, *purposes: str) -> None:
        """Copy key files from the first node to the others that need them, each atomically."""
        for node in (self.second, self.third):
            needed = PURPOSES["visitor"] + (PURPOSES["staff"] if node is self.second else ())
            for purpose in set(purposes) & set(needed):
                fresh = node.folder / "keys" / f"{purpose}.new"
                shutil.copy(self.first.folder / "keys" / f"{purpose}.toml", fresh)
                fresh.rename(fresh.with_suffix(".toml"))

    def restart_each(self, nginx: Nginx) -> None:
        """Restart the nodes in turn, each out of rotation: the script's command prints that it is out, and waits."""
        for node in self.all:
            with nginx.out_of_rotation(node.port, "sh", "-c", "echo out; read back") as out_of_rotation:
                assert out_of_rotation.stdout.readline() == "out\n", out_of_rotation.stderr.read()
                stop(node)
                node.start()
                _, stderr = out_of_rotation.communicate("back\n", timeout=120)
            assert (out_of_rotation.returncode, stderr) == (0, "")

    def __enter__(self) -> Fleet:
        self.first.flask("keys", "init")
        self.first.flask("db", "upgrade")
        self.first.flask("keys", "publish")
        self.distribute_keys(*PURPOSES["visitor"], *PURPOSES["staff"])
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
    """Stop a node as a service manager does."""
    node.process.terminate()
    node.process.wait(60)


def readiness(node: LiveServer) -> str:
    """Return what a node's ``/readyz`` reports."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    connection.request("GET", "/readyz")
    printed = connection.getresponse().read().decode()
    connection.close()
    return printed


def decrypted(database: str, keys: Path) -> tuple[set[str], set[str]]:
    """Return the names and notes that these key files decrypt."""
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
        accounts = [team.add(f"colleague{number}", "callbacks", https=True) for number in range(STAFF)]
        with Nginx(tmp_path / "nginx", visitors=ports, staff=ports[:2]) as nginx:
            traffic = Traffic(nginx)
            traffic.begin_phase("at rest")
            patients = [Patient(traffic, number) for number in range(1, PATIENTS + 1)]
            staff_users = [StaffUser(traffic, number, member) for number, member in enumerate(accounts, 1)]
            for user in (*patients, *staff_users, *(Walker(traffic, n) for n in range(1, WALKERS + 1))):
                traffic.start(user)
            try:
                run_phases(traffic, fleet, store, tmp_path)
            finally:
                traffic.stop_all()
        report_phases(traffic, report)
        assert_all_acknowledged_stored(fleet, database, patients, staff_users, report)
        assert_no_personal_data_stored(fleet, nginx, store, report)


def run_phases(traffic: Traffic, fleet: Fleet, store: Redis, folder: Path) -> None:
    """Run every phase, one after the other, under traffic."""
    traffic.wait_for(journeys=4, requests=8, notes=4)

    traffic.begin_phase("second node killed")
    fleet.second.kill()
    traffic.wait_for(journeys=4, requests=4, notes=2)
    fleet.second.start()

    traffic.begin_phase("each node restarted")
    traffic.wait_for(journeys=2)
    fleet.restart_each(traffic.nginx)
    traffic.wait_for(journeys=2)

    traffic.begin_phase("keys of drafts and forms rotated")
    fresh = {purpose: fleet.first.flask("keys", "add", purpose).strip() for purpose in (DRAFT, FORMS)}
    fleet.distribute_keys(DRAFT, FORMS)
    fleet.restart_each(traffic.nginx)
    for purpose, key in fresh.items():
        fleet.first.flask("keys", "activate", purpose, key)
    fleet.distribute_keys(DRAFT, FORMS)
    fleet.restart_each(traffic.nginx)
    traffic.wait_for(journeys=4, requests=4, notes=2)

    traffic.begin_phase("call-back key rotated")
    printed = fleet.first.flask("keys", "rotate", CALLBACK)
    assert "unreadable\t0" in printed and "reencrypted\t0" not in printed, printed
    fleet.distribute_keys(CALLBACK, SEARCH)
    traffic.wait_for(journeys=2, requests=6, notes=4)

    traffic.begin_phase("database migrated")
    migrations = folder / "migrations"
    shutil.copytree(MIGRATIONS, migrations)
    (migrations / "versions" / "added.py").write_text(ADDED.format(head=migration_state.latest_revision()))
    fleet.first.flask("db", "upgrade", "--directory", str(migrations))
    assert readiness(fleet.first) == "database ok\nkeys ok\nmigrations behind\n"
    traffic.wait_for(journeys=4, requests=4, notes=4)

    traffic.begin_phase("Redis halted, then killed")
    store.halt()
    traffic.wait_for(journeys=4, requests=4)
    store.go_on()
    store.kill()
    traffic.wait_for(journeys=4, requests=4)
    store.start()

    traffic.begin_phase("all nodes killed")
    for node in fleet.all:
        node.kill()
    traffic.wait_for(**{"pages of the proxy": 50})
    for node in fleet.all:
        node.start()
    traffic.wait_for(journeys=4, requests=4, notes=2)

    traffic.begin_phase("at rest again")
    traffic.wait_for(journeys=4, requests=4, notes=2)


FAULTLESS = ("at rest", "keys of drafts and forms rotated", "each node restarted", "call-back key rotated")
FAULTLESS += ("database migrated", "Redis halted, then killed", "at rest again")
"""Phases in which no request may fail."""


def report_phases(traffic: Traffic, report) -> None:
    """Report times and failures of each phase; fail on too many failures."""
    users = WALKERS + PATIENTS + STAFF
    report(f"{users} users, three nodes of one worker each: {dict(traffic.done)}")
    for phase, times in traffic.times.items():
        times.sort()
        failed = {status: count for (where, status), count in traffic.failed.items() if where == phase}
        middle, slow = times[len(times) // 2] * 1000, times[int(len(times) * 0.99)] * 1000
        report(
            f"{phase}: {len(times)} requests, half within {middle:.0f} ms, 99 % within {slow:.0f} ms, "
            f"longest {times[-1] * 1000:.0f} ms; failed: {failed or 'none'}"
        )
    for phase in FAULTLESS:
        assert not [count for (where, _), count in traffic.failed.items() if where == phase], phase
    killed = sum(count for (where, _), count in traffic.failed.items() if where == "second node killed")
    assert killed <= users, "only requests in flight on the killed node"
    assert traffic.done["pages of the proxy"] >= 50


def assert_all_acknowledged_stored(fleet: Fleet, database: str, patients, staff_users, report) -> None:
    """Check that each acknowledged request and note is stored once, and decryptable with the keys of both staff nodes."""
    acknowledged = {name: shown for patient in patients for name, shown in patient.acknowledged.items()}
    fingerprints = references_in(database)
    lost = [name for name, shown in acknowledged.items() if reference_code.fingerprint(shown) not in fingerprints]
    assert lost == [] and len(fingerprints) == len(set(fingerprints))
    notes = set().union(*(staff_user.notes for staff_user in staff_users))
    for node in (fleet.first, fleet.second):
        names, read = decrypted(database, node.folder / "keys")
        assert set(acknowledged) <= names and notes <= read
        assert len(names) == len(fingerprints), "no duplicates, and every request decrypts"
    report(
        f"{len(acknowledged)} requests acknowledged, {len(fingerprints)} stored, {len(lost)} lost; "
        f"{len(notes)} notes acknowledged, none lost; all decrypted with the key files of each staff node"
    )


def assert_no_personal_data_stored(fleet: Fleet, nginx: Nginx, store: Redis, report) -> None:
    """Check that neither proxy, nodes, worker nor Redis store an address, a name or a page."""
    texts = {"nginx": nginx.log_text(), "redis": f"{store.holds()}{(store.folder / 'redis.log').read_text()}"}
    texts |= {node.folder.name: node.log.read_text() for node in fleet.all}
    texts["worker"] = (fleet.first.folder / "worker.log").read_text()
    for place, printed in texts.items():
        for word in ("127.0.1.", "127.0.2.", "127.0.3.", "Zentinela", "/check/", "/summary", "hopelessness=", "note "):
            assert word not in printed, (
                f"{word} in {place}: {printed[max(0, printed.find(word) - 200) : printed.find(word) + 100]}"
            )
    assert not [file for file in (nginx.folder / "temp").rglob("*") if file.is_file()]
    report(f"no address, name or page in {', '.join(texts)}: {sum(map(len, texts.values()))} characters searched")
