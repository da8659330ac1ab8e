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


def test_everybody_may_ask_a_database_that_answers(turnstile):
    assert [refused(turnstile) for _ in range(3)] == [False] * 3


def test_once_it_kept_somebody_waiting_one_at_a_time_tries_again(turnstile, clock):
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


def test_a_server_that_lets_in_and_says_nothing_is_waited_for_once(make_site):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        site = make_site(DATABASE_URL=f"postgresql://site@127.0.0.1:{listening.getsockname()[1]}/site")
        took = []
        for _ in range(3):
            began = time.monotonic()
            assert site.test_client().get("/consultation").status_code == 200
            took.append(time.monotonic() - began)
    assert took[0] < PAUSE and max(took[1:]) < 1, took


@pytest.mark.parametrize("lock", ["EXCLUSIVE", "IMMEDIATE"])
def test_the_engine_notices_what_kept_it_waiting_and_what_only_failed(make_site, sqlite_url, lock):
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


def test_work_that_is_known_to_be_long_may_take_its_time_and_the_next_is_hurried_again(make_site, cluster, monkeypatch):
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


def test_threads_that_come_together_find_one_way_in(turnstile, clock):
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
