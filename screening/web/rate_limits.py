"""Rate limits for forms by client network, which is stored as a keyed hash only; the key changes daily.

Counted by the library ``limits``. While a shared store is unavailable, also at the start, nothing is limited and no
request waits for it.
"""

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import limits
from flask import Flask, abort, current_app, request
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from screening import current
from screening.config import SettingsError
from screening.crypto.keyring import FORMS, Keyring
from screening.durations import DAY_SECONDS
from screening.web.rate_limit_storage import RateLimitStorage
from screening.web.repeated_line import RepeatedLine

log = logging.getLogger(__name__)


IN_MEMORY = "memory://"

SHARED = re.compile(r"(redis|valkey)(s?|\+unix)://")
"""URLs of a store shared by several processes and machines. Valkey has Redis's protocol."""

SHARED_SECONDS = 0.25
"""Timeout of the shared store."""

RECONNECT_SECONDS = 10
"""Seconds after a failure of the shared store in which a process does not use it."""


class Storage:
    """The counters: in the process, or in a shared store, which may be unavailable.

    After a failure or timeout of the shared store, everything is allowed for ``RECONNECT_SECONDS`` without another
    attempt, so that further forms do not wait for it.
    """

    def __init__(
        self, address: str, clock: Callable[[], float] = time.time, stopwatch: Callable[[], float] = time.monotonic
    ) -> None:
        """Open no connection yet. Raises SettingsError for an address that cannot be used.

        ``clock`` returns seconds since 1970, for windows counted in memory; ``stopwatch`` is a monotonic clock.
        """
        self._limiter = FixedWindowRateLimiter(
            RateLimitStorage(clock) if address == IN_MEMORY else shared_storage(address)
        )
        self._stopwatch = stopwatch
        self._skip_until = 0.0
        self._repeats = RepeatedLine()

    def allows(self, rates: list[limits.RateLimitItem], *whose: str) -> bool:
        """Count once, and return whether that is within the rates."""
        if self._stopwatch() < self._skip_until:
            return True
        try:
            return all(self._limiter.hit(rate, *whose) for rate in rates)
        except Exception as error:  # a form is not refused because a counter fails
            now = self._stopwatch()
            self._skip_until = now + RECONNECT_SECONDS
            if line := self._repeats.thinned(f"the limits cannot be counted: {type(error).__name__}", now):
                log.error(line)
            return True


def shared_storage(address: str) -> limits.storage.Storage:
    """Return a storage of the library ``limits``. Raises SettingsError for an address that cannot be used."""
    shared = SHARED.match(address)
    if shared:
        address = address.replace("valkey", "redis", 1)
    try:
        return storage_from_string(address, **_short_timeouts() if shared else {})  # type: ignore[return-value]
    except (ConfigurationError, ValueError) as error:
        raise SettingsError(f"SCREENING_RATE_LIMIT_STORAGE_URL: {error}") from error


def is_answering(address: str) -> bool:
    """Return whether the storage answers. Raises SettingsError for an address that cannot be used."""
    if address == IN_MEMORY:
        return True
    storage = shared_storage(address)
    try:
        return storage.check()
    except Exception:  # any exception of the storage's client; its message may contain the password
        return False


def _short_timeouts() -> dict[str, Any]:
    """Return options of the library ``redis`` with a short timeout and no retry; by default it retries for seconds."""
    from redis.backoff import NoBackoff  # imported only where a shared store is used: slow to load
    from redis.retry import Retry

    return {"socket_timeout": SHARED_SECONDS, "socket_connect_timeout": SHARED_SECONDS, "retry": Retry(NoBackoff(), 0)}


def client_network(purpose: str = FORMS) -> str:
    """Return a hash of the client's network that is valid for a day, keyed by the key of a purpose."""
    key = _key_of(current.keyring(), purpose, current.now() // DAY_SECONDS)
    return hmac.new(key, (request.remote_addr or "").encode(), hashlib.sha256).hexdigest()[:32]


@lru_cache(4)
def _key_of(keyring: Keyring, purpose: str, day: int) -> bytes:
    return keyring.derive(purpose, f"limits {day}")


def allow(what: str, rate: str) -> bool:
    """Return whether this client's network may do ``what`` once more at this rate (for example ``20 per hour``)."""
    allowed: Callable[[str, list[limits.RateLimitItem]], bool] = current_app.extensions["limit"]
    return allowed(what, limits.parse_many(rate))


def init_app(app: Flask, limit: str, storage: str, exempt: str = "", purpose: str = FORMS) -> None:
    """Limit the POSTs to an application, except those to the endpoint ``exempt``.

    ``purpose``: the purpose of the key that networks are hashed with, one that this machine holds.
    GETs are never limited. Raises SettingsError for a storage that cannot be used.
    """
    counted = Storage(storage, app.extensions["clock"])
    rates = limits.parse_many(limit)

    @app.before_request
    def check_limit() -> None:
        if request.method == "POST" and request.endpoint != exempt and not allowed("forms", rates):
            abort(429)

    def allowed(what: str, among: list[limits.RateLimitItem]) -> bool:
        return counted.allows(among, what, client_network(purpose))

    app.extensions["limit"] = allowed
