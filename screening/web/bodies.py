"""What is sent is read whole before anything is done with it.

A server's thread waits for a body as long as its sender likes. So waiting is done before the gate,
where it takes nobody's place, and one address may keep only a few such threads: somebody who opens
many forms and never sends them to the end is refused, and nobody else notices. Many addresses at
once are a matter for the proxy in front, which takes bodies in before it passes them on.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

Application = Callable[..., Iterable[bytes]]

MOST_AN_ADDRESS = 16
"""Bodies one address may have under way in a process. A form of ours is whole within a round trip."""

MOST = 64
"""Bodies under way in a process, whoever sends them: half of the server's threads."""


class Bodies:
    """Hands an application only what was sent whole, with the body in memory."""

    def __init__(
        self,
        application: Application,
        longest: int,
        refuse: Application,
        unlike: Application,
        most: int = MOST,
        most_an_address: int = MOST_AN_ADDRESS,
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
