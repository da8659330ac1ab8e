"""Clients that send the start of a request and then little or nothing, from 127.0.0.2 and following addresses."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections import Counter
from threading import Event, Thread

from tests.support.live_server import LiveServer

HOST = b"Host: localhost\r\n"
FORM = HOST + b"Content-Type: application/x-www-form-urlencoded\r\n"
POST = b"POST /check/sadness HTTP/1.1\r\n" + FORM

MISSING_FORM = POST + b"Content-Length: 60000\r\n\r\n"
"""A request whose form never arrives. Each occupies a thread of the server."""


class SlowClients:
    """Connections for the time of the ``with`` block. Closed ones are reopened."""

    def __init__(
        self, server: LiveServer, count: int, begin: bytes, trickle: bytes = b"", addresses: int = 1, reads: bool = True
    ) -> None:
        self.target = ("127.0.0.1", server.port)
        self.count, self.begin, self.trickle, self.reads = count, begin, trickle, reads
        self.sources = [f"127.0.0.{2 + n}" for n in range(addresses)]
        self.answers: Counter[str] = Counter()
        self.opened = 0
        self._waits = selectors.DefaultSelector()
        self._all_open, self._over = Event(), Event()
        self._thread = Thread(target=self._attack)

    def __enter__(self) -> SlowClients:
        self._thread.start()
        assert self._all_open.wait(60)
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
        for key in list(self._waits.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._waits.close()

    def _attack(self) -> None:
        for _ in range(self.count):
            self._open()
        self._all_open.set()
        while not self._over.wait(0 if self.reads else 0.3):
            for key, _ in self._waits.select(0.3) if self.reads else ():
                self._hear(key.fileobj)  # type: ignore[arg-type]
            if self.trickle:
                for key in list(self._waits.get_map().values()):
                    with contextlib.suppress(OSError):
                        key.fileobj.send(self.trickle)  # type: ignore[union-attr]

    def _open(self) -> None:
        one = socket.socket()
        if not self.reads:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.bind((self.sources[self.opened % len(self.sources)], 0))
        one.setblocking(False)
        one.connect_ex(self.target)
        self.opened += 1
        self._waits.register(one, selectors.EVENT_READ)
        if self.begin:
            one.setblocking(True)
            one.settimeout(5)
            with contextlib.suppress(OSError):
                one.sendall(self.begin)
        one.setblocking(False)

    def _hear(self, one: socket.socket) -> None:
        try:
            heard = one.recv(65536)
        except OSError:
            heard = b""
        if heard.startswith(b"HTTP"):
            self.answers[heard[9:12].decode()] += 1
        if not heard:
            self._waits.unregister(one)
            one.close()
            self._open()
