"""Rate limits by client network or other subject, stored as a keyed hash only; the key changes daily.

Counted by the library ``limits``. While a shared store is unavailable, also at the start, nothing is limited and no
request waits for it.
"""

import hashlib
import hmac
import logging
import math
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import limits
from flask import Flask, current_app, request
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from screening import current
from screening.config import SettingsError
from screening.crypto.keyring import FORMS, Keyring
from screening.durations import DAY_SECONDS
from screening.web.client_network import client_network, client_site
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

SITE_FACTOR = 4
"""How much more the networks of one site may do together: the /64 of an IPv6 /48."""


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
        self._clock, self._stopwatch = clock, stopwatch
        self._skip_until = 0.0
        self._repeats = RepeatedLine()

    def wait_for(self, rates: list[limits.RateLimitItem], *whose: str) -> int:
        """Count once; return 0 if that is within the rates, else the seconds until the next is, at least 1."""
        if self._stopwatch() < self._skip_until:
            return 0
        try:
            full = next((rate for rate in rates if not self._limiter.hit(rate, *whose)), None)
            return 0 if full is None else self._seconds_left(full, *whose)
        except Exception as error:  # a form is not refused because a counter fails
            now = self._stopwatch()
            self._skip_until = now + RECONNECT_SECONDS
            if line := self._repeats.thinned(f"the limits cannot be counted: {type(error).__name__}", now):
                log.error(line)
            return 0

    def _seconds_left(self, rate: limits.RateLimitItem, *whose: str) -> int:
        """Return the seconds until a window ends, at most its length: clocks may differ."""
        left = math.ceil(self._limiter.get_window_stats(rate, *whose).reset_time - self._clock())
        return min(max(left, 1), rate.get_expiry())


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


@lru_cache(4)
def _key_of(keyring: Keyring, purpose: str, day: int) -> bytes:
    return keyring.derive(purpose, f"limits {day}")


def wait_for(what: str, rate: str) -> int:
    """Count ``what`` for this client's network (``rate``: for example ``20 per hour``).

    Return 0 if it may do so, else the seconds after which it may.
    """
    count: Callable[..., int] = current_app.extensions["limit"]
    narrow, wide = _parsed(rate)
    network, site = client_network(request.remote_addr or ""), client_site(request.remote_addr or "")
    wait = count(narrow, what, network)
    return count(wide, f"{what} of a site", site) if not wait and site != network else wait


@lru_cache(8)
def _parsed(rate: str) -> tuple[list[limits.RateLimitItem], list[limits.RateLimitItem]]:
    """Return the rates of a network, and those of its site."""
    narrow = limits.parse_many(rate)
    return narrow, [type(each)(each.amount * SITE_FACTOR, each.multiples) for each in narrow]


def allows_subject(what: str, rate: str, subject: str) -> bool:
    """Count ``what`` for a subject other than the client's network; return whether it is within the rate."""
    count: Callable[..., int] = current_app.extensions["limit"]
    return not count(_parsed(rate)[0], what, subject)


def init_app(app: Flask, limit: str, storage: str, exempt: str = "", purpose: str = FORMS) -> None:
    """Limit the POSTs to an application, except those to the endpoint ``exempt``.

    ``purpose``: the purpose of the key that networks are hashed with, one that this machine holds.
    GETs are never limited. Raises SettingsError for a storage that cannot be used.
    """
    counted = Storage(storage, app.extensions["clock"])

    @app.before_request
    def check_limit() -> None:
        wait = request.method == "POST" and request.endpoint != exempt and wait_for("forms", limit)
        if wait:
            raise TooManyRequests(retry_after=wait)

    def count(rates: list[limits.RateLimitItem], what: str, subject: str) -> int:
        key = _key_of(current.keyring(), purpose, current.now() // DAY_SECONDS)
        return counted.wait_for(rates, what, hmac.new(key, subject.encode(), hashlib.sha256).hexdigest()[:32])

    app.extensions["limit"] = count
