"""Request buffering: a body is read whole before the concurrency limit, and each address gets few such threads.

Many slow addresses are the reverse proxy's task, which buffers bodies before it passes them on.
"""

import io
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

Application = Callable[..., Iterable[bytes]]

MAX_PER_ADDRESS = 16
"""Bodies one address may have under way in a process. A form of ours is whole within a round trip."""

MAX_BUFFERED = 64
"""Bodies under way in a process, whoever sends them: half of the server's threads."""


class RequestBuffering:
    """Hands an application only what was sent whole, with the body in memory."""

    def __init__(
        self,
        application: Application,
        longest: int,
        refuse: Application,
        unlike: Application,
        most: int = MAX_BUFFERED,
        most_an_address: int = MAX_PER_ADDRESS,
    ) -> None:
        """``longest`` is in bytes; one that says it is longer is handed on unread, for the application to refuse.

        ``refuse`` answers when too many are under way; ``unlike`` what no browser sends: a body without its
        length, which may have no end, or one that breaks off, which must not be taken for a whole.
        """
        self._application, self._longest = application, longest
        self._refuse, self._unlike = refuse, unlike
        self._most, self._most_an_address = most, most_an_address
        self._lock = Lock()
        self._under_way: dict[str, int] = {}
        self._in_all = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Read the body, if there is one, and hand the request on."""
        if "HTTP_TRANSFER_ENCODING" in environ:
            return self._unlike(environ, start_response)
        announced = environ.get("CONTENT_LENGTH") or "0"
        if announced == "0" or not announced.isdecimal() or int(announced) > self._longest:
            return self._application(environ, start_response)
        address = environ.get("REMOTE_ADDR", "")
        if not self._begin(address):
            return self._refuse(environ, start_response)
        try:
            body = environ["wsgi.input"].read(int(announced))
        finally:
            self._end(address)
        if len(body) < int(announced):
            return self._unlike(environ, start_response)
        environ["wsgi.input"] = io.BytesIO(body)
        return self._application(environ, start_response)

    def _begin(self, address: str) -> bool:
        with self._lock:
            already = self._under_way.get(address, 0)
            if self._in_all >= self._most or already >= self._most_an_address:
                return False
            self._under_way[address] = already + 1
            self._in_all += 1
            return True

    def _end(self, address: str) -> None:
        with self._lock:
            self._in_all -= 1
            left = self._under_way.pop(address) - 1
            if left:
                self._under_way[address] = left
