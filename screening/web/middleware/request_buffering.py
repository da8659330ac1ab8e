"""Request buffering: a body is read completely before the concurrency limit, so that a slow sender takes no slot of it.

Bodies being read are limited by network and in all. Slow senders from many addresses are the reverse proxy's task:
it buffers bodies before it passes them on.
"""

import io
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from screening.web.client_network import client_network

Application = Callable[..., Iterable[bytes]]

MAX_PER_NETWORK = 16
"""Bodies that a process reads at once from one network. Our forms arrive within a round trip."""

MAX_BUFFERED = 64
"""Bodies that a process reads at once from all addresses: half of the server's threads."""


class RequestBuffering:
    """WSGI middleware that passes on only requests whose body is complete, and in memory."""

    def __init__(
        self,
        application: Application,
        longest: int,
        refuse: Application,
        unlike: Application,
        most: int = MAX_BUFFERED,
        most_a_network: int = MAX_PER_NETWORK,
    ) -> None:
        """``longest``: bytes; a body announced as longer is passed on unread, for the application to refuse.

        ``refuse`` answers when too many bodies are being read; ``unlike`` answers what no browser sends: a chunked
        body, which may be endless, and one shorter than its ``Content-Length``, which is incomplete.
        """
        self._application, self._longest = application, longest
        self._refuse, self._unlike = refuse, unlike
        self._most, self._most_a_network = most, most_a_network
        self._lock = Lock()
        self._reading: dict[str, int] = {}
        self._total = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Read the body, if there is one, and pass the request on."""
        if "HTTP_TRANSFER_ENCODING" in environ:
            return self._unlike(environ, start_response)
        announced = environ.get("CONTENT_LENGTH") or "0"
        if announced == "0" or not announced.isdecimal() or int(announced) > self._longest:
            return self._application(environ, start_response)
        network = client_network(environ.get("REMOTE_ADDR", ""))
        if not self._begin(network):
            return self._refuse(environ, start_response)
        try:
            body = environ["wsgi.input"].read(int(announced))
        finally:
            self._end(network)
        if len(body) < int(announced):
            return self._unlike(environ, start_response)
        environ["wsgi.input"] = io.BytesIO(body)
        return self._application(environ, start_response)

    def _begin(self, network: str) -> bool:
        with self._lock:
            already = self._reading.get(network, 0)
            if self._total >= self._most or already >= self._most_a_network:
                return False
            self._reading[network] = already + 1
            self._total += 1
            return True

    def _end(self, network: str) -> None:
        with self._lock:
            self._total -= 1
            left = self._reading.pop(network) - 1
            if left:
                self._reading[network] = left
