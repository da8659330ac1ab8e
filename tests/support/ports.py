"""Ports of this machine, reserved while a test needs them."""

from __future__ import annotations

import socket
from types import TracebackType


class HeldPort:
    """A reserved port of 127.0.0.1 (``number``): bound and not listening, so that no other process is assigned it.

    Servers that set SO_REUSEADDR or SO_REUSEPORT, such as nginx, Redis and granian, can listen on it meanwhile.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def __enter__(self) -> HeldPort:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Release the port."""
        self._socket.close()
