"""Load shedding: a concurrency limit with a short queue; requests beyond it are refused at once.

Granian's threads outnumber the requests admitted here, so that a refusal needs no wait. Crisis help is never refused.
"""

import logging
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

log = logging.getLogger(__name__)

Application = Callable[..., Iterable[bytes]]

MAX_CONCURRENT = 4
"""Requests a process answers at once. Python runs one at a time; the others may wait for a database or a
mail server. With 2 to 16 the walk was measured equally fast, and each request takes longer the more there are."""

MAX_QUEUED = 32
"""Requests that may wait in a process: about 25 ms of work, so that a burst of clicks is not refused."""

MAX_WAIT_SECONDS = 2.0
"""Seconds a request waits at most. Reached when requests are slow, not when there are many."""

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
        at_once: int = MAX_CONCURRENT,
        waiting: int = MAX_QUEUED,
        longest_wait: float = MAX_WAIT_SECONDS,
    ) -> None:
        """``open_to_all``: method and path of requests that are never refused. ``longest_wait``: in seconds."""
        self._application, self._refuse, self._open_to_all = application, refuse, frozenset(open_to_all)
        self._running, self._queued = claim_queue(at_once), claim_queue(waiting)
        self._longest_wait = longest_wait

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Pass a request on, at once or after a wait in the queue, or refuse it."""
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) in self._open_to_all:
            return self._application(environ, start_response)
        if not (_acquire(self._running) or self._wait()):
            return self._refuse(environ, start_response)
        try:
            return self._application(environ, start_response)
        finally:
            self._running.put(None)

    def _wait(self) -> bool:
        """Wait in the queue, if it has room; return whether the request was admitted."""
        if not _acquire(self._queued):
            return False
        try:
            return _acquire(self._running, self._longest_wait)
        finally:
            self._queued.put(None)


def claim_queue(count: int) -> SimpleQueue[None]:
    """Return a semaphore of ``count`` permits: a queue implemented in C, which takes a microsecond a request."""
    queue: SimpleQueue[None] = SimpleQueue()
    for _ in range(count):
        queue.put(None)
    return queue


def _acquire(queue: SimpleQueue[None], seconds: float = 0) -> bool:
    """Acquire a permit within ``seconds``; return whether there was one."""
    try:
        queue.get(seconds > 0, seconds)
    except Empty:
        return False
    return True


def _ignore() -> None:
    """Do nothing: no metrics are collected."""
