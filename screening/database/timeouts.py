"""Statement timeouts and a circuit breaker, so that a slow database cannot hold the threads of visitors' requests.

No statement takes longer than ``RESPONSE_TIMEOUT_SECONDS``, enforced by server and client. After a timeout the circuit
is open: requests fail fast, and one at a time retries. Commands, the worker and release transactions
(``without_timeouts``) are not limited.
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
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

LOCK_TIMEOUT_SECONDS = 2
"""PostgreSQL's ``lock_timeout``; for SQLite see ``busy_timeout`` in ``engines``."""

STATEMENT_TIMEOUT_SECONDS = 3
"""PostgreSQL's ``statement_timeout``."""

RESPONSE_TIMEOUT_SECONDS = 4
"""Client-side timeout, for a server that does not enforce the other two because it hangs."""

OPEN_SECONDS = 5
"""Seconds that the circuit stays open after a timeout, before one request of this process retries."""

OPTIONS = f"-c lock_timeout={LOCK_TIMEOUT_SECONDS}s -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s"


class CircuitBreaker:
    """Admits every request until one times out; then one every ``OPEN_SECONDS``, until the database answers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._retry_at: float | None = None
        self.is_open = False
        """True from a timeout until the next probe: requests already waiting for a connection fail fast, too."""

    def enter(self) -> None:
        """Return if the request may use the database; else raise PoolTimeoutError without waiting."""
        if self._retry_at is None:
            return
        with self._lock:
            now = self._clock()
            if self._retry_at is not None and now < self._retry_at:
                raise PoolTimeoutError("the circuit breaker is open: the database timed out a moment ago")
            self._retry_at, self.is_open = now + OPEN_SECONDS, False  # this request probes; the others still fail fast

    def trip(self) -> None:
        """Open the circuit, after a timeout."""
        with self._lock:
            self._retry_at, self.is_open = self._clock() + OPEN_SECONDS, True

    def reset(self) -> None:
        """Close the circuit, after an answer."""
        self._retry_at, self.is_open = None, False


@lru_cache(64)
def circuit_breaker_of(address: URL) -> CircuitBreaker:
    """Return the circuit breaker of a database: one for the process, since it protects the threads of the process."""
    return CircuitBreaker()


class BreakerPool(QueuePool):
    """A connection pool behind a circuit breaker."""

    circuit_breaker: CircuitBreaker | None = None
    """None where no timeouts apply."""

    def connect(self) -> Any:
        """Return a connection. Raises PoolTimeoutError."""
        if self.circuit_breaker is not None:
            self.circuit_breaker.enter()
        return super().connect()

    def recreate(self) -> BreakerPool:
        """Return a new pool behind the same circuit breaker."""
        fresh: BreakerPool = super().recreate()  # type: ignore[assignment]
        fresh.circuit_breaker = self.circuit_breaker
        return fresh


class BoundedConnection(psycopg.Connection[Any]):
    """A connection with a client-side timeout. After a timeout it is unknown whether the statement was executed."""

    seconds: float | None = RESPONSE_TIMEOUT_SECONDS
    """The timeout of each answer; None for no limit."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server's answer. Raises OperationalError."""
        try:
            return super().wait(gen, interval, self.seconds if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:  # psycopg gives it no public name
            self.pgconn.finish()
            raise psycopg.errors.ConnectionTimeout("the server did not answer") from None


def without_timeouts(connection: Connection) -> None:
    """Lift the statement timeout of one connection, which is detached from the pool and closed after use.

    For requests that are known to be slow, such as making a release. The lock timeout still applies.
    """
    raw = connection.connection.dbapi_connection
    if isinstance(raw, BoundedConnection):
        connection.detach()
        raw.seconds = None
        connection.exec_driver_sql("SET statement_timeout = 0")


def set_timeouts(engine: Engine) -> None:
    """Apply timeouts and circuit breaker. Called once per engine, whose pool must be a ``BreakerPool``."""
    breaker = circuit_breaker_of(engine.url)
    engine.pool.circuit_breaker = breaker  # type: ignore[attr-defined]

    def connect(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> BoundedConnection:
        if breaker.is_open:  # a pooled connection timed out just before: do not wait for a new one
            raise psycopg.errors.ConnectionTimeout("the circuit breaker is open: the server timed out a moment ago")
        server_options = f"{options.pop('options', '')} {OPTIONS}".strip()
        return BoundedConnection.connect(*arguments, **options, options=server_options)

    def failed(context: ExceptionContext) -> None:
        if _is_timeout(context.original_exception):
            breaker.trip()

    def answered(*_: Any) -> None:
        breaker.reset()

    if engine.dialect.name == "postgresql":
        event.listen(engine, "do_connect", connect)
    event.listen(engine, "handle_error", failed)
    event.listen(engine, "after_cursor_execute", answered)


def _is_timeout(error: BaseException | None) -> bool:
    """Return whether the error was raised after a timeout."""
    if isinstance(error, sqlite3.OperationalError):
        code = error.sqlite_errorcode  # SQLITE_BUSY_SNAPSHOT is raised at once, without a wait for the lock
        return code & 0xFF == sqlite3.SQLITE_BUSY and code != sqlite3.SQLITE_BUSY_SNAPSHOT
    late = (psycopg.errors.ConnectionTimeout, QueryCanceled, LockNotAvailable)
    return isinstance(error, late)
