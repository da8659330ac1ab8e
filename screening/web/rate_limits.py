"""Rate limits for forms by client network, seen only as a keyed hash whose key changes daily.

Counted by ``limits``. When a shared store is unavailable nothing is limited, and nobody waits for it.
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

log = logging.getLogger(__name__)


IN_MEMORY = "memory://"

SHARED = re.compile(r"(redis|valkey)(s?|\+unix)://")
"""Addresses of a store that several processes and machines count in. Valkey speaks Redis's language."""

SHARED_SECONDS = 0.25
"""A form waits no longer than this for the shared store."""

RECONNECT_SECONDS = 10
"""So long a process asks no more after the shared store has failed it."""


class Storage:
    """Where forms are counted: in the process, or in a shared store that may be away.

    When the shared store fails or is slow, one form has waited ``SHARED_SECONDS``; for the next
    ``RECONNECT_SECONDS`` this process asks it nothing and allows everything, so that others need not wait.
    """

    def __init__(
        self, address: str, clock: Callable[[], float] = time.time, stopwatch: Callable[[], float] = time.monotonic
    ) -> None:
        """Connects to nothing yet. Raises SettingsError for an address that cannot be used.

        ``clock`` gives seconds since 1970, for windows counted in memory; ``stopwatch`` seconds that never run back.
        """
        self._limiter = FixedWindowRateLimiter(
            RateLimitStorage(clock) if address == IN_MEMORY else shared_storage(address)
        )
        self._stopwatch = stopwatch
        self._rests_until = 0.0

    def allows(self, rates: list[limits.RateLimitItem], *whose: str) -> bool:
        """Count once more, and say whether that is within the rates."""
        if self._stopwatch() < self._rests_until:
            return True
        try:
            return all(self._limiter.hit(rate, *whose) for rate in rates)
        except Exception as error:  # a limit is not worth a visit
            self._rests_until = self._stopwatch() + RECONNECT_SECONDS
            log.error("the limits cannot be counted: %s", type(error).__name__)
            return True


def shared_storage(address: str) -> limits.storage.Storage:
    """A storage of the library ``limits``. Raises SettingsError for an address that cannot be used."""
    shared = SHARED.match(address)
    if shared:
        address = address.replace("valkey", "redis", 1)
    try:
        return storage_from_string(address, **_impatient() if shared else {})  # type: ignore[return-value]
    except (ConfigurationError, ValueError) as error:
        raise SettingsError(f"SCREENING_RATE_LIMIT_STORAGE_URL: {error}") from error


def _impatient() -> dict[str, Any]:
    """Options of the library ``redis`` by which nobody waits long; its own way is three tries, seconds apart."""
    from redis.backoff import NoBackoff  # only where a shared store is used: it takes a while to load
    from redis.retry import Retry

    return {"socket_timeout": SHARED_SECONDS, "socket_connect_timeout": SHARED_SECONDS, "retry": Retry(NoBackoff(), 0)}


def client_network(purpose: str = FORMS) -> str:
    """A name for the sending address that holds for a day, made with the key of a purpose."""
    key = _key_of(current.keyring(), purpose, current.now() // DAY_SECONDS)
    return hmac.new(key, (request.remote_addr or "").encode(), hashlib.sha256).hexdigest()[:32]


@lru_cache(4)
def _key_of(keyring: Keyring, purpose: str, day: int) -> bytes:
    return keyring.derive(purpose, f"limits {day}")


def allow(what: str, rate: str) -> bool:
    """Whether the address that sends the present form may do ``what`` once more, at most ``20 per hour``, say."""
    allowed: Callable[[str, list[limits.RateLimitItem]], bool] = current_app.extensions["limit"]
    return allowed(what, limits.parse_many(rate))


def init_app(app: Flask, limit: str, storage: str, exempt: str = "", purpose: str = FORMS) -> None:
    """Limit the forms an application takes, but for the endpoint ``exempt``.

    ``purpose`` names the key that blurs the addresses: one that this application's machine holds.
    Reading is never limited, and a storage out of order limits nothing.
    Raises SettingsError for a storage that cannot be used.
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
