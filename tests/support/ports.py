"""Ports of this machine that nobody else is given while a test wants one."""

from __future__ import annotations

import socket
from types import TracebackType


class HeldPort:
    """A port of 127.0.0.1, as ``number``, bound and never listened on, so that no other process is given it.

    A server that sets SO_REUSEADDR or SO_REUSEPORT, as nginx, Redis and granian do, can listen on it meanwhile.
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
        """Give the port up."""
        self._socket.close()
