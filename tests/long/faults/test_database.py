"""Database faults while the site is in use: no data is lost, and the pages state what to do."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy.engine import make_url

from screening.callbacks import reference_code
from screening.callbacks.patient_views import MIN_FORM_SECONDS
from screening.database.timeouts import OPEN_SECONDS, RESPONSE_TIMEOUT_SECONDS
from tests.support.databases import close, migrate
from tests.support.faults import MAX_PAGE_SECONDS, Proxy, SiteUsers, fill, small_disk
from tests.support.live_patient import Patient
from tests.support.live_server import LiveServer
from tests.support.postgres import Cluster
from tests.support.sample_patient import FORM, reference_on
from tests.support.visitor import Visitor

MAX_REQUESTS = 40
"""More than a page of 8 kB in PostgreSQL can hold of encrypted requests."""

TABLES = "audit_event, callback_request, callback_contact, callback_key, callback_closed_day, pending_response, staff_session"


@pytest.fixture(scope="module")
def own_cluster(keys):
    """A server for this module, to be stopped and filled."""
    with Cluster() as running:
        running.execute("CREATE DATABASE template_site")
        migrate(running.url("template_site"), keys)
        yield running


@pytest.fixture
def proxy(own_cluster):
    with Proxy(own_cluster.folder / ".s.PGSQL.5432") as running:
        yield running


@contextmanager
def stopped(cluster, url, proxy):
    """The server is down."""
    cluster.stop()
    yield
    cluster.start()


@contextmanager
def silent(cluster, url, proxy):
    """The network accepts everything and delivers nothing."""
    proxy.mode = "silent"
    yield
    proxy.mode = "pass"


@contextmanager
def locked(cluster, url, proxy):
    """Another connection locks every table, as a migration may, and every query blocks."""
    with psycopg.connect(url) as other:
        other.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        yield
        other.rollback()


@contextmanager
def read_only(cluster, url, proxy):
    """The server is read-only, like a standby."""
    name = make_url(url).database
    cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    _drop_connections(cluster, name)
    yield
    cluster.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    _drop_connections(cluster, name)


def _drop_connections(cluster, name):
    cluster.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


@pytest.mark.parametrize("fault", [stopped, silent, locked, read_only])
def test_postgresql_fault_loses_no_answers_and_no_request(
    fault, own_cluster, proxy, make_site, clock, checked_log, report
):
    url = own_cluster.copy_of("template_site")
    users = SiteUsers(make_site(DATABASE_URL=proxied_url(proxy, url)), clock)
    users.prepare()
    with fault(own_cluster, url, proxy):
        users.run_during_fault()
    users.run_after_recovery()
    checked_log()
    report(f"postgresql {fault.__name__}: the slowest page took {users.slowest:.1f} s")


def proxied_url(proxy, url):
    """Return the URL of a database through a proxy."""
    name = make_url(url).database
    return f"postgresql://site@127.0.0.1:{proxy.port}/{name}"


def test_full_postgresql_disk_loses_no_acknowledged_request(own_cluster, make_site, clock, checked_log, report):
    """The tables are on a small disk. Patients send requests until it is full; no acknowledged reference is lost."""
    with small_disk(24) as disk:
        place = disk / "tables"
        place.mkdir()
        shutil.chown(place, "postgres")
        own_cluster.execute(f"CREATE TABLESPACE small LOCATION '{place}'")
        own_cluster.execute("CREATE DATABASE on_small TEMPLATE template_site TABLESPACE small")
        url = own_cluster.url("on_small")
        site = make_site(DATABASE_URL=url, RATE_LIMIT_REQUESTS="1000 per hour")
        users, acknowledged = SiteUsers(site, clock), []
        users.prepare()
        ballast = fill(disk)
        while (page := users.send()).status == 200 and len(acknowledged) < MAX_REQUESTS:
            acknowledged.append(reference_on(page))
            users.patient = Visitor(site)
            users.review = users.fill_form(users.patient, FORM["name"])
            clock.forward(MIN_FORM_SECONDS + 1)
        users.assert_unconfirmed(page)
        users.walk()
        assert users.member.get("/staff/callbacks").status in (200, 503)  # the session row is written at intervals
        ballast.unlink()
        acknowledged.append(reference_on(users.until(users.send, lambda page: page.status == 200)))
        stored = {stored for (stored,) in rows(url, "SELECT reference FROM callback_request")}
        assert {reference_code.fingerprint(reference) for reference in acknowledged} < stored and len(stored) == len(
            acknowledged
        ) + 1
        checked_log()
        close(site)
        own_cluster.execute("DROP DATABASE on_small WITH (FORCE)")
        own_cluster.execute("DROP TABLESPACE small")
        report(f"postgresql disk full: {len(acknowledged) - 1} references acknowledged before, none lost")


@contextmanager
def locked_files(folder):
    """Another process locks both files for longer than the timeout."""
    held = [sqlite3.connect(file, isolation_level=None) for file in sorted(folder.glob("*.sqlite"))]
    for lock in held:
        lock.execute("BEGIN IMMEDIATE")
    yield
    for lock in held:
        lock.rollback()
        lock.close()


@contextmanager
def full_disk(folder):
    """The disk is full."""
    ballast = fill(folder)
    yield
    ballast.unlink()


@contextmanager
def mounted_read_only(folder):
    """The disk is mounted read-only, as the kernel does after an error."""
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    yield
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


@pytest.mark.parametrize("fault", [locked_files, full_disk, mounted_read_only])
def test_sqlite_fault_loses_no_answers_and_no_request(fault, sqlite_template, make_site, clock, checked_log, report):
    with small_disk(8) as disk:
        for file in sqlite_template.glob("*.sqlite"):
            shutil.copy(file, disk / file.name)
        site = make_site(DATABASE_URL=f"sqlite:///{disk}/site.sqlite")
        users = SiteUsers(site, clock)
        users.prepare()
        if fault is mounted_read_only:
            close(site)  # the kernel does not remount a disk while a file is open for writing
        with fault(disk):
            users.run_during_fault()
            if fault is mounted_read_only:
                close(site)
        users.run_after_recovery()
        checked_log()
        close(site)
        report(f"sqlite {fault.__name__}: the slowest page took {users.slowest:.1f} s")


@pytest.mark.parametrize("mode", ["cut before", "cut after"])
def test_connection_lost_during_commit_stores_a_single_request(
    mode, own_cluster, proxy, make_site, clock, checked_log, report
):
    """The client cannot know whether it was stored; a retry gives one request, under the reference stored first."""
    url = own_cluster.copy_of("template_site")
    users = SiteUsers(make_site(DATABASE_URL=proxied_url(proxy, url)), clock)
    users.prepare()
    proxy.mode = mode
    users.assert_unconfirmed(users.send())
    proxy.mode = "pass"
    assert proxy.cut == 1
    stored = rows(url, "SELECT reference FROM callback_request ORDER BY asked_at")
    assert len(stored) == (1 if mode == "cut before" else 2)
    sent = users.until(users.send, lambda page: page.status == 200)
    shown = reference_on(sent)
    after = rows(url, "SELECT reference FROM callback_request ORDER BY asked_at")
    assert len(after) == 2 and after[: len(stored)] == stored and after[1][0] == reference_code.fingerprint(shown)
    received = rows(url, "SELECT count(*) FROM audit_event WHERE action = 'request.received'")
    assert received == [(2,)] and rows(url, "SELECT count(*) FROM audit_event WHERE action = 'request.changed'") == [
        (0,)
    ]
    checked_log()
    report(f"postgresql {mode} its COMMIT: {len(stored) - 1} stored, then 1 request under one reference")


@pytest.mark.parametrize("mode", ["cut before", "cut after"])
def test_unconfirmed_response_is_stored_once_or_withdrawn(mode, own_cluster, proxy, make_site, clock):
    url = own_cluster.copy_of("template_site")
    site = make_site(DATABASE_URL=proxied_url(proxy, url))
    for choice, left in (("agree", 1), ("disagree", 0)):
        users = SiteUsers(site, clock)
        walker = users.walk()
        proxy.mode = mode
        assert "may not have been stored" in users.agree(walker).words
        proxy.mode = "pass"
        page = users.until(getattr(walker, choice), lambda page: "may not have been stored" not in page.words)
        assert page.status == 200
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM pending_response").fetchall() == [(left,)]
            connection.execute("DELETE FROM pending_response")


def test_withdrawal_lost_during_commit_succeeds_on_retry(own_cluster, proxy, make_site, clock):
    url = own_cluster.copy_of("template_site")
    users = SiteUsers(make_site(DATABASE_URL=proxied_url(proxy, url)), clock)
    users.prepare()
    assert users.send().status == 200
    status = users.patient.get("/consultation/status")
    proxy.mode = "cut after"
    page = users.patient.send(status, "/consultation/status/withdraw")
    proxy.mode = "pass"
    assert page.status == 503 and page.main.find("a", href=re.compile("^tel:")) is not None
    page = users.until(
        lambda: users.patient.post("/consultation/status/withdraw", {"csrf_token": status.token}),
        lambda page: page.status == 200,
    )
    assert "canceled" in page.words
    assert rows(url, "SELECT count(*) FROM callback_request WHERE ciphertext IS NOT NULL") == [(1,)]


def rows(url, statement):
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_silent_database_leaves_threads_for_the_walk(own_cluster, proxy, tmp_path, report):
    """The real server has two threads: many open the call-back form, whose pages wait, while others walk."""
    url = own_cluster.copy_of("template_site")
    settings = {"SCREENING_DATABASE_URL": proxied_url(proxy, url)}
    with LiveServer(tmp_path, **settings) as server:
        walker = Patient(server, 0)
        proxy.mode = "silent"
        done, form_loads = threading.Event(), []

        def open_forms():
            while not done.is_set():
                began = time.monotonic()
                status, _, body = Patient.request(new_visitor(server), "GET", "/consultation")
                form_loads.append((time.monotonic() - began, status, "tel:988" in body))

        others = [threading.Thread(target=open_forms) for _ in range(6)]
        for other in others:
            other.start()
        steps, refused, first = [], [], time.monotonic()
        while time.monotonic() < first + 4 * OPEN_SECONDS:
            began = time.monotonic()
            status, _, body = walker.request("GET", "/check/sadness")
            assert status in (200, 503) and "tel:988" in body
            (steps if status == 200 else refused).append(time.monotonic() - began)
            assert status == 200 or began < first + RESPONSE_TIMEOUT_SECONDS + 1, "only until the circuit opens"
        done.set()
        for other in others:
            other.join()
        proxy.mode = "pass"
        slow = [step for step in steps if step > 1]
        report(
            f"silent database: {len(steps)} pages of the walk, the slowest {max(steps):.1f} s, {len(slow)} over a second, "
            f"{len(refused)} refused in the first seconds; "
            f"{len(form_loads)} forms for a call, the slowest {max(took for took, _, _ in form_loads):.1f} s"
        )
        assert max(steps) < MAX_PAGE_SECONDS and len(slow) <= 2 and len(steps) > 100
        assert all(status in (200, 503) and strip for _, status, strip in form_loads)
        assert len(refused) <= 3 and [status for _, status, _ in form_loads].count(200) > 100
        assert max(took for took, _, _ in form_loads) < 2 * MAX_PAGE_SECONDS
        assert "entinel" not in server.log.read_text()


def new_visitor(server):
    """Return a visitor without cookies."""
    visitor = Patient.__new__(Patient)
    visitor.server, visitor.cookies = server, {}
    return visitor
