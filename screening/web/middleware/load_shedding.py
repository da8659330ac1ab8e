"""Load shedding: a concurrency limit with a short queue; requests beyond it are refused at once.

Granian's threads outnumber the requests admitted here, so that a refusal needs no wait. Crisis help is never refused.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Any

from screening.web.bulkhead import Bulkhead

log = logging.getLogger(__name__)

Application = Callable[..., Iterable[bytes]]

MAX_CONCURRENT = 4
"""Requests a process answers at once. Python runs one at a time; the others may wait for a database or a
mail server. With 2 to 16 the walk was measured equally fast, and each request takes longer the more there are."""

MAX_QUEUED = 32
"""Requests that may wait in a process: about 25 ms of work, so that a burst of clicks is not refused."""

MAX_WAIT_SECONDS = 2.0
"""Seconds a request waits at most. Reached when requests are slow, not when there are many."""

HASHES_PASSWORDS = (("POST", "/staff/sign-in"), ("POST", "/staff/password"))
"""Method and path of requests that hash a password, which anyone may send."""

MAX_SIGN_INS = 8
"""Posts of passwords a process answers at once, apart from ``MAX_CONCURRENT``, so that visitors never wait for them.
More than hash or wait for it (``passwords.HASHING``): the others are refused at once."""

RETRY_SECONDS = 5
"""``Retry-After`` of a refusal: the queue is empty a second or two after a burst."""

LOG_EVERY_SECONDS = 60.0
"""Seconds between two log lines about refusals, at least."""


@dataclass(frozen=True)
class StaticResponse:
    """A WSGI application that answers with a page rendered at startup."""

    status: str
    headers: tuple[tuple[str, str], ...]
    page: bytes

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        start_response(self.status, list(self.headers))
        return [self.page]


def static_response(status: str, page: str, headers: Mapping[str, str], **more: str) -> StaticResponse:
    """Return an uncacheable response with ``headers`` and, as keyword arguments, ``more`` (``Retry_After="5"``)."""
    body = page.encode()
    own = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return StaticResponse(status, tuple({**headers, **own, **named}.items()), body)


class Refusals:
    """A WSGI application that refuses requests; it logs the first one, then their number at most once a minute.

    It starts no thread and takes no lock that is held for long: it answers when the process has nothing to spare.
    """

    def __init__(self, page: StaticResponse, form: StaticResponse, clock: Callable[[], float] = time.monotonic) -> None:
        """``form`` answers a POST, ``page`` the others. ``clock`` returns seconds."""
        self._page, self._form, self._clock = page, form, clock
        self._lock = Lock()
        self._count = 0
        self._logged_at = -math.inf
        self.watch: Callable[[], None] = _ignore
        """Called for each refusal, by the metrics."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Refuse a request."""
        now, count = self._clock(), 0
        with self._lock:
            self._count += 1
            if now >= self._logged_at + LOG_EVERY_SECONDS:
                count, self._count, self._logged_at = self._count, 0, now
        if count:
            log.warning("busy: requests refused since the last such line: %d", count)
        self.watch()
        return (self._form if environ["REQUEST_METHOD"] == "POST" else self._page)(environ, start_response)


class ConcurrencyLimiter:
    """WSGI middleware that admits a number of requests at once, queues a few more, and refuses the others."""

    def __init__(
        self,
        application: Application,
        refuse: Application,
        open_to_all: Collection[tuple[str, str]],
        apart: Mapping[tuple[str, str], Bulkhead] = MappingProxyType({}),
        at_once: int = MAX_CONCURRENT,
        waiting: int = MAX_QUEUED,
        longest_wait: float = MAX_WAIT_SECONDS,
    ) -> None:
        """``open_to_all``: method and path of requests that are never refused. ``longest_wait``: in seconds.

        ``apart``: requests that take the places of a bulkhead of their own.
        """
        self._application, self._refuse, self._open_to_all = application, refuse, frozenset(open_to_all)
        self._shared, self._apart = Bulkhead(at_once, waiting, longest_wait), apart

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass a request on, at once or after a wait in the queue, or refuse it."""
        kind = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if kind in self._open_to_all:
            return self._application(environ, start_response)
        places = self._apart.get(kind, self._shared)
        if not places.enter():
            return self._refuse(environ, start_response)
        try:
            return self._application(environ, start_response)
        finally:
            places.leave()


def places_apart() -> dict[tuple[str, str], Bulkhead]:
    """Return the places of the requests that hash a password, which share them."""
    return dict.fromkeys(HASHES_PASSWORDS, Bulkhead(MAX_SIGN_INS, MAX_QUEUED, MAX_WAIT_SECONDS))


def _ignore() -> None:
    """Do nothing: no metrics are collected."""
