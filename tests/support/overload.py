"""Send requests at a fixed rate, each without waiting for the previous answer.

Run as a separate process: ``python -m tests.support.overload PORT RATE SECONDS CONNECTIONS PATH COOKIE``; prints one
JSON object: the number of requests sent, and by status the times in ms from sending to the last byte. Each connection
carries one request at a time; if none is free the rate is not reached, which ``sent`` shows. RATE 0 sends as fast as
answers arrive.
"""

from __future__ import annotations

import contextlib
import json
import re
import select
import socket
import sys
import time
from collections import deque

LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


class Connection:
    """One connection, and the request in flight on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self.received = b""

    def send(self, request: bytes) -> None:
        """Send a request; if the server has closed the connection, the next read reports it."""
        self.sent, self.received = time.perf_counter(), b""
        with contextlib.suppress(OSError):
            self.socket.send(request)

    def receive(self) -> bool:
        """Read what has arrived; return False if the server has closed the connection."""
        try:
            more = self.socket.recv(262144)
        except OSError:
            return False
        self.received += more
        return bool(more)

    def complete(self) -> bool:
        """Return whether the answer is complete."""
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = LENGTH.search(self.received, 0, end + 2)
        return len(self.received) >= end + 4 + (int(length[1]) if length else 0)


class ConnectionPool:
    """The connections, the free ones among them, and the answers."""

    def __init__(self, port: int, connections: int) -> None:
        self.port = port
        self.poll = select.epoll()
        self.open_connections: dict[int, Connection] = {}
        self.free: deque[Connection] = deque()
        self.times: dict[str, list[float]] = {}
        self.sent = 0
        for _ in range(connections):
            self._open()

    def send(self, request: bytes, limit: int) -> None:
        """Send so many requests, at most one on each free connection."""
        for _ in range(min(limit, len(self.free))):
            self.free.popleft().send(request)
            self.sent += 1

    def receive(self) -> None:
        """Read what arrives within a millisecond."""
        for number, _ in self.poll.poll(0.001):
            connection = self.open_connections[number]
            if not connection.receive():
                self._close(connection)
                self._open()
            elif connection.complete():
                took = (time.perf_counter() - connection.sent) * 1000
                self.times.setdefault(connection.received[9:12].decode(), []).append(took)
                self.free.append(connection)

    def _open(self) -> None:
        connection = Connection(self.port)
        self.open_connections[connection.socket.fileno()] = connection
        self.poll.register(connection.socket, select.EPOLLIN)
        self.free.append(connection)

    def _close(self, connection: Connection) -> None:
        del self.open_connections[connection.socket.fileno()]
        self.poll.unregister(connection.socket)
        connection.socket.close()
        if connection in self.free:
            self.free.remove(connection)


def run(pool: ConnectionPool, rate: float, seconds: float, request: bytes) -> None:
    """Send for so many seconds, then read answers for at most two more."""
    began = time.perf_counter()
    while (now := time.perf_counter() - began) < seconds:
        pool.send(request, int(now * rate) - pool.sent if rate else len(pool.free))
        pool.receive()
    while len(pool.free) < len(pool.open_connections) and time.perf_counter() - began < seconds + 2:
        pool.receive()


if __name__ == "__main__":
    port, rate, seconds, connections, path, cookie = sys.argv[1:]
    text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\nCookie: {cookie}\r\n\r\n"
    pool = ConnectionPool(int(port), int(connections))
    run(pool, float(rate), float(seconds), text.encode())
    print(json.dumps({"sent": pool.sent, "times": pool.times}))
