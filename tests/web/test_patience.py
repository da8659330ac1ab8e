"""How long the site waits for its database: one at a time tries again, and a server that says nothing is given up."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as WaitedError

from screening import patience
from screening.extensions import db
from screening.patience import PAUSE, Turnstile


@pytest.fixture
def turnstile(clock):
    return Turnstile(clock)


def refused(turnstile):
    try:
        turnstile.enter()
    except WaitedError:
        return True
    return False


def test_closed_circuit_admits_every_request(turnstile):
    assert [refused(turnstile) for _ in range(3)] == [False] * 3


def test_open_circuit_admits_a_single_probe_after_the_pause(turnstile, clock):
    turnstile.shut()
    assert refused(turnstile)
    clock.forward(PAUSE)
    assert [refused(turnstile) for _ in range(3)] == [False, True, True]
    clock.forward(PAUSE)
    assert not refused(turnstile), "who tried may have died of it"
    turnstile.shut()
    assert refused(turnstile)
    clock.forward(PAUSE)
    assert not refused(turnstile)
    turnstile.open()
    assert [refused(turnstile) for _ in range(3)] == [False] * 3


def test_silent_database_server_delays_only_the_first_request(make_site):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        site = make_site(DATABASE_URL=f"postgresql://site@127.0.0.1:{listening.getsockname()[1]}/site")
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert site.test_client().get("/consultation").status_code == 200
            took.append(time.monotonic() - began)
    assert took[0] < PAUSE and max(took[1:]) < 1, took


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_lock_wait_opens_the_circuit_and_query_error_does_not(make_site, sqlite_url, lock):
    site = make_site()
    file = sqlite_url.removeprefix("sqlite:///")
    with site.app_context():
        turnstile = db.engine.pool.turnstile
        with pytest.raises(OperationalError):
            db.session.execute(text("SELECT * FROM nowhere"))
        db.session.rollback()
        assert not refused(turnstile)
        db.session.execute(text("PRAGMA busy_timeout = 1"))
        other = sqlite3.connect(file, isolation_level=None)
        other.execute(f"BEGIN {lock}")
        with pytest.raises(OperationalError):
            db.session.execute(text("DELETE FROM staff_session"))
        other.close()
        db.session.rollback()
        assert refused(turnstile)
        turnstile.open()


def test_statement_timeout_is_lifted_for_marked_connection_only(make_site, cluster, monkeypatch):
    monkeypatch.setattr(patience, "OPTIONS", "-c statement_timeout=100ms")
    monkeypatch.setattr(patience.BoundedConnection, "seconds", 0.5)
    site = make_site(DATABASE_URL=cluster.copy_of("template_site"))
    with site.app_context():
        engine = db.engine
        for long in (False, True, False):
            with engine.connect() as connection:
                if long:
                    patience.take_time(connection)
                    connection.execute(text("SELECT pg_sleep(1)"))
                else:
                    with pytest.raises(OperationalError):
                        connection.execute(text("SELECT pg_sleep(1)"))
            engine.pool.turnstile.open()


def test_open_circuit_admits_a_single_concurrent_thread(turnstile, clock):
    turnstile.shut()
    clock.forward(PAUSE)
    begin, let_in = threading.Barrier(8), []

    def come():
        begin.wait()
        let_in.append(not refused(turnstile))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(let_in) == 1
