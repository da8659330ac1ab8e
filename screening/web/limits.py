"""How many forms one address may send.

The address is only ever seen as a keyed hash whose key changes every day, so the counts tell
nobody's address, in memory or in a shared store.
"""

from __future__ import annotations

import hashlib
import hmac
import time

from flask import Flask, current_app, request
from flask_limiter import Limiter
from limits.errors import ConfigurationError

from screening.config import SettingsError
from screening.keyring import FORMS, Keyring

DAY = 24 * 60 * 60


def sender() -> str:
    """A name for the sending address that holds for a day."""
    keyring: Keyring = current_app.extensions["keyring"]
    key = keyring.derive(FORMS, f"limits {int(time.time()) // DAY}")
    return hmac.new(key, (request.remote_addr or "").encode(), hashlib.sha256).hexdigest()[:32]


def init_app(app: Flask, limit: str, storage: str, exempt: str) -> None:
    """Limit the forms an application takes, but for the endpoint ``exempt``.

    Raises SettingsError for a storage that cannot be used.
    Reading is never limited, and a limiter out of order limits nothing.
    """
    app.config.update(RATELIMIT_STORAGE_URI=storage, RATELIMIT_SWALLOW_ERRORS=True)
    limiter = Limiter(key_func=sender, application_limits=[limit], headers_enabled=False)
    limiter.request_filter(lambda: request.method != "POST" or request.endpoint == exempt)
    try:
        limiter.init_app(app)
    except ConfigurationError as error:
        raise SettingsError(f"SCREENING_LIMIT_STORAGE: {error}") from error
    limiter.logger.disabled = True  # it would log endpoints
