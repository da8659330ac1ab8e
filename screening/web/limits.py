"""How many forms one address may send.

The address is only ever seen as a keyed hash whose key changes every day, so the counts tell
nobody's address, in memory or in a shared store. The counting is the library ``limits``'; Flask-Limiter
on top of it looks at every request, which took a tenth of the time of a page.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from functools import lru_cache

import limits
from flask import Flask, abort, current_app, request
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from screening.config import SettingsError
from screening.keyring import FORMS, Keyring
from screening.web.counts import Counts

log = logging.getLogger(__name__)

DAY = 24 * 60 * 60

IN_MEMORY = "memory://"


def sender(purpose: str = FORMS) -> str:
    """A name for the sending address that holds for a day, made with the key of a purpose."""
    key = _key_of(current_app.extensions["keyring"], purpose, int(time.time()) // DAY)
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
    try:
        limiter = FixedWindowRateLimiter(Counts() if storage == IN_MEMORY else storage_from_string(storage))
    except ConfigurationError as error:
        raise SettingsError(f"SCREENING_LIMIT_STORAGE: {error}") from error
    rates = limits.parse_many(limit)

    @app.before_request
    def check_limit() -> None:
        if request.method == "POST" and request.endpoint != exempt and not allowed("forms", rates):
            abort(429)

    def allowed(what: str, among: list[limits.RateLimitItem]) -> bool:
        try:
            return all(limiter.hit(rate, what, sender(purpose)) for rate in among)
        except Exception as error:  # a limit is not worth a visit
            log.error("the limits cannot be counted: %s", type(error).__name__)
            return True

    app.extensions["limit"] = allowed
