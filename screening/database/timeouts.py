"""Statement timeouts and a circuit breaker, so that a slow database cannot hold the threads of visitors' requests.

No statement takes longer than ``RESPONSE_TIMEOUT_SECONDS``, enforced by server and client. After a timeout one request
at a time retries. Commands, the worker and release transactions (``without_timeouts``) are not limited.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable, QueryCanceled
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine, ExceptionContext
from sqlalchemy.exc import TimeoutError as WaitedError
from sqlalchemy.pool import QueuePool

LOCK_TIMEOUT_SECONDS = 2
"""How long PostgreSQL lets a statement wait for another's lock; for SQLite see ``busy_timeout``."""

STATEMENT_TIMEOUT_SECONDS = 3
"""How long PostgreSQL lets a statement run."""

RESPONSE_TIMEOUT_SECONDS = 4
"""How long we wait for a server that does not even say so."""

OPEN_SECONDS = 5
"""Seconds after which a database that kept somebody waiting is tried again, by one request of this process."""

OPTIONS = f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"


class CircuitBreaker:
    """Who may ask a database: everybody, until it kept somebody waiting; then one at a time until it answers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._opens_at: float | None = None
        self.silent = False
        """Whether it kept somebody waiting and nobody has begun to try again: not even who is inside need go on."""

    def enter(self) -> None:
        """Go in, or raise WaitedError at once."""
        if self._opens_at is None:
            return
        with self._lock:
            now = self._clock()
            if self._opens_at is not None and now < self._opens_at:
                raise WaitedError("the database did not answer just now")
            self._opens_at, self.silent = now + OPEN_SECONDS, False  # the others wait for what this one finds

    def shut(self) -> None:
        """It kept somebody waiting."""
        with self._lock:
            self._opens_at, self.silent = self._clock() + OPEN_SECONDS, True

    def open(self) -> None:
        """It answered."""
        self._opens_at, self.silent = None, False


@lru_cache(64)
def circuit_breaker_of(address: URL) -> CircuitBreaker:
    """The turnstile before a database: one for the whole process, since its threads are what is kept."""
    return CircuitBreaker()


class BreakerPool(QueuePool):
    """Connections that are to be had through a turnstile."""

    turnstile: CircuitBreaker | None = None
    """None while nobody is hurried."""

    def connect(self) -> Any:
        """A connection. Raises WaitedError."""
        if self.turnstile is not None:
            self.turnstile.enter()
        return super().connect()

    def recreate(self) -> BreakerPool:
        """A fresh pool behind the same turnstile."""
        fresh: BreakerPool = super().recreate()  # type: ignore[assignment]
        fresh.turnstile = self.turnstile
        return fresh


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is given up when the server does not answer: what it was asked may be done or not."""

    seconds: float | None = RESPONSE_TIMEOUT_SECONDS
    """How long it waits for an answer; None for as long as it takes."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server. Raises OperationalError."""
        try:
            return super().wait(gen, interval, self.seconds if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:  # psycopg gives it no public name
            self.pgconn.finish()
            raise psycopg.errors.ConnectionTimeout("the server did not answer") from None


def without_timeouts(connection: Connection) -> None:
    """Let the statements of one connection take as long as they need, which leaves the pool and ends with its use.

    For work that somebody at a page has asked for and knows to be long. It still waits no longer for locks.
    """
    driven = connection.connection.dbapi_connection
    if isinstance(driven, BoundedConnection):
        connection.detach()
        driven.seconds = None
        connection.exec_driver_sql("SET statement_timeout = 0")


def set_timeouts(engine: Engine) -> None:
    """Let nobody wait long for a database. To be called once for an engine whose pool is a ``BreakerPool``."""
    turnstile = circuit_breaker_of(engine.url)
    engine.pool.turnstile = turnstile  # type: ignore[attr-defined]

    def connect(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> BoundedConnection:
        if turnstile.silent:  # the connection kept in the pool has just found out
            raise psycopg.errors.ConnectionTimeout("the server did not answer just now")
        told = f"{options.pop('options', '')} {OPTIONS}".strip()
        return BoundedConnection.connect(*arguments, **options, options=told)

    def failed(context: ExceptionContext) -> None:
        if _waited(context.original_exception):
            turnstile.shut()

    def answered(*_: Any) -> None:
        turnstile.open()

    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", connect)
    event.listen(engine, "handle_error", failed)
    event.listen(engine, "after_cursor_execute", answered)


def _waited(error: BaseException | None) -> bool:
    """Whether it is the kind of error that comes after a wait."""
    if isinstance(error, sqlite3.OperationalError):
        code = error.sqlite_errorcode  # a reader who would write after somebody else wrote is told at once
        return code & 0xFF == sqlite3.SQLITE_BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT
    late = (psycopg.errors.ConnectionTimeout, QueryCanceled, LockNotAvailable)
    return isinstance(error, late)
