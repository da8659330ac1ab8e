"""Database timeouts and the circuit breaker: a single probe after the pause, and a silent server is given up."""

from __future__ import annotations

import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as WaitedError

from screening.database import timeouts
from screening.database.timeouts import OPEN_SECONDS, CircuitBreaker
from screening.extensions import db
from tests.support.databases import plain_engine
from tests.support.processes import TEST_TIMEOUT
from tests.support.threads import run_together


@pytest.fixture
def long_pause(monkeypatch):
    """Make the pause longer than any test, whatever the speed of the machine."""
    monkeypatch.setattr(timeouts, "OPEN_SECONDS", TEST_TIMEOUT)


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(clock)


def refused(breaker):
    try:
        breaker.enter()
    except WaitedError:
        return True
    return False


def test_closed_circuit_admits_every_request(breaker):
    assert [refused(breaker) for _ in range(3)] == [False] * 3


def test_open_circuit_admits_a_single_probe_after_the_pause(breaker, clock):
    breaker.trip()
    assert refused(breaker)
    clock.forward(OPEN_SECONDS)
    assert [refused(breaker) for _ in range(3)] == [False, True, True]
    clock.forward(OPEN_SECONDS)
    assert not refused(breaker), "the probe may never have returned"
    breaker.trip()
    assert refused(breaker)
    clock.forward(OPEN_SECONDS)
    assert not refused(breaker)
    breaker.reset()
    assert [refused(breaker) for _ in range(3)] == [False] * 3


def test_silent_database_server_is_asked_only_once(make_site, long_pause, monkeypatch):
    monkeypatch.setattr("screening.database.engines.CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        site = make_site(DATABASE_URL=f"postgresql://site@127.0.0.1:{listening.getsockname()[1]}/site")
        for connections in (1, 0, 0):
            assert site.test_client().get("/consultation").status_code == 200
            assert [accepted(listening) for _ in range(connections + 1)] == [True] * connections + [False]


def accepted(listening):
    """Return whether a connection waits to be accepted."""
    try:
        listening.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_lock_wait_opens_the_circuit_and_query_error_does_not(make_site, sqlite_url, long_pause, lock):
    site = make_site()
    file = sqlite_url.removeprefix("sqlite:///")
    with site.app_context():
        breaker = db.engine.pool.circuit_breaker
        with pytest.raises(OperationalError):
            db.session.execute(text("SELECT * FROM nowhere"))
        db.session.rollback()
        assert not refused(breaker)
        db.session.execute(text("PRAGMA busy_timeout = 1"))
        other = sqlite3.connect(file, isolation_level=None)
        other.execute(f"BEGIN {lock}")
        with pytest.raises(OperationalError):
            db.session.execute(text("DELETE FROM staff_session"))
        other.close()
        db.session.rollback()
        assert refused(breaker)
        breaker.reset()


def test_statement_timeout_is_lifted_for_marked_connection_only(make_site, cluster, monkeypatch):
    """A lock is held until the statement has waited longer than either limit, as the server reports it."""
    monkeypatch.setattr(timeouts, "OPTIONS", "-c statement_timeout=300ms")
    url = cluster.copy_of("template_site")
    site = make_site(DATABASE_URL=url)
    with ThreadPoolExecutor(1) as pool, plain_engine(url) as lock_engine, lock_engine.connect() as holder:
        for marked in (False, True, False):
            holder.execute(text("SELECT pg_advisory_lock(1)"))
            waiting = pool.submit(take_lock, site, marked)
            if marked:
                assert wait_for_lock(holder, seconds=0.6)
                assert not waiting.done()
            else:
                with pytest.raises(OperationalError):
                    waiting.result(TEST_TIMEOUT)
            holder.execute(text("SELECT pg_advisory_unlock(1)"))
            if marked:
                waiting.result(TEST_TIMEOUT)


def take_lock(site, marked):
    """Wait for the lock on a connection of the site, and release it."""
    with site.app_context(), pytest.MonkeyPatch.context() as patch, db.engine.connect() as connection:
        patch.setattr(timeouts.BoundedConnection, "seconds", 0.5)
        if marked:
            timeouts.without_timeouts(connection)
        try:
            connection.execute(text("SELECT pg_advisory_lock(1)"))
            connection.execute(text("SELECT pg_advisory_unlock(1)"))
        finally:
            db.engine.pool.circuit_breaker.reset()


def wait_for_lock(holder, seconds):
    """Wait until a statement has waited this long for a lock that the holder has; fail if none waits."""
    waited = text("SELECT clock_timestamp() - query_start > make_interval(secs => :least) FROM pg_stat_activity"
                  " WHERE wait_event = 'advisory' AND datname = current_database()")  # fmt: skip
    for _ in range(TEST_TIMEOUT * 100):
        holder.rollback()
        if holder.execute(waited, {"least": seconds}).scalar():
            return True
        holder.execute(text("SELECT pg_sleep(0.01)"))
    return False


def test_open_circuit_admits_a_single_concurrent_thread(breaker, clock):
    breaker.trip()
    clock.forward(OPEN_SECONDS)
    assert run_together(8, lambda _: refused(breaker)).count(False) == 1
