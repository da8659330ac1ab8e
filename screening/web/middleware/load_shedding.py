"""Load shedding: a concurrency limit with a short queue; requests beyond it are refused at once.

Granian hands on more requests than are let in here, so refusing is cheap. Crisis help is never refused.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Timer
from typing import Any

log = logging.getLogger(__name__)

Application = Callable[..., Iterable[bytes]]

MAX_CONCURRENT = 4
"""Requests a process answers at once. Python runs one at a time; the others may wait for a database or a
mail server. With 2 to 16 the walk was equally fast, and the more there are, the longer each one takes."""

MAX_QUEUED = 32
"""Requests that may wait in a process: about 25 ms of work, so a burst of clicks is served and not refused."""

MAX_WAIT_SECONDS = 2.0
"""Seconds a request waits at most. Only reached when requests are slow, not when they are many."""

RETRY_SECONDS = 5
"""What a refused browser is told to wait: the site is itself again a second or two after a rush."""

LOG_EVERY_SECONDS = 60.0
"""Seconds between two lines of the log."""


@dataclass(frozen=True)
class StaticResponse:
    """An answer made at the start: its status, headers and page."""

    status: str
    headers: tuple[tuple[str, str], ...]
    page: bytes

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Give it, as a WSGI application."""
        start_response(self.status, list(self.headers))
        return [self.page]


def static_response(status: str, page: str, headers: Mapping[str, str], **more: str) -> StaticResponse:
    """Make an answer ready that nobody may store on the way, with the site's ``headers`` and ``more``."""
    body = page.encode()
    own = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return StaticResponse(status, tuple({**headers, **own, **named}.items()), body)


class Refusals:
    """Says no, counts how often, and tells the operator once a minute for as long as it goes on."""

    def __init__(
        self,
        page: StaticResponse,
        form: StaticResponse,
        later: Callable[[float, Callable[[], None]], None] | None = None,
    ) -> None:
        """``page`` answers who asked for a page, ``form`` who sent one. ``later(seconds, call)`` calls then."""
        self._page, self._form = page, form
        self._later = later or _later
        self._lock = Lock()
        self._count = 0
        self.watch: Callable[[], None] = _nobody
        """Called for each one."""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Refuse a request, as a WSGI application."""
        with self._lock:
            self._count += 1
            first = self._count == 1
        if first:
            self._later(LOG_EVERY_SECONDS, self._tell)
        self.watch()
        return (self._form if environ["REQUEST_METHOD"] == "POST" else self._page)(environ, start_response)

    def _tell(self) -> None:
        with self._lock:
            count, self._count = self._count, 0
        log.warning("busy: %d requests refused in the last minute", count)


class ConcurrencyLimiter:
    """Lets so many requests in at once, lets so many wait, refuses the others."""

    def __init__(
        self,
        application: Application,
        refuse: Application,
        open_to_all: Collection[tuple[str, str]],
        at_once: int = MAX_CONCURRENT,
        waiting: int = MAX_QUEUED,
        longest_wait: float = MAX_WAIT_SECONDS,
    ) -> None:
        """``open_to_all`` holds method and path of what is never refused; ``longest_wait`` is in seconds."""
        self._application, self._refuse, self._open_to_all = application, refuse, frozenset(open_to_all)
        self._places, self._seats = claim_queue(at_once), claim_queue(waiting)
        self._longest_wait = longest_wait

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Let a request in, now or soon, or refuse it."""
        if (environ["REQUEST_METHOD"], environ["PATH_INFO"]) in self._open_to_all:
            return self._application(environ, start_response)
        if not (_take(self._places) or self._wait()):
            return self._refuse(environ, start_response)
        try:
            return self._application(environ, start_response)
        finally:
            self._places.put(None)

    def _wait(self) -> bool:
        """Wait for a place where a seat is free; whether one was had."""
        if not _take(self._seats):
            return False
        try:
            return _take(self._places, self._longest_wait)
        finally:
            self._seats.put(None)


def claim_queue(count: int) -> SimpleQueue[None]:
    """So many tickets, to be taken and put back: a semaphore as quick as C, which costs a request a microsecond."""
    queue: SimpleQueue[None] = SimpleQueue()
    for _ in range(count):
        queue.put(None)
    return queue


def _take(queue: SimpleQueue[None], seconds: float = 0) -> bool:
    """Take a ticket, if one is there within so many seconds."""
    try:
        queue.get(seconds > 0, seconds)
    except Empty:
        return False
    return True


def _nobody() -> None:
    """Nobody counts."""


def _later(seconds: float, call: Callable[[], None]) -> None:
    timer = Timer(seconds, call)
    timer.daemon = True
    timer.start()
