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


class Lane:
    """One connection, and the request in flight on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0
        self.heard = b""

    def send(self, request: bytes) -> None:
        """Send a request; if the server has closed the connection, the next read reports it."""
        self.sent, self.heard = time.perf_counter(), b""
        with contextlib.suppress(OSError):
            self.socket.send(request)

    def hear(self) -> bool:
        """Read what has arrived; return False if the server has closed the connection."""
        try:
            more = self.socket.recv(262144)
        except OSError:
            return False
        self.heard += more
        return bool(more)

    def whole(self) -> bool:
        """Return whether the answer is complete."""
        end = self.heard.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = LENGTH.search(self.heard, 0, end + 2)
        return len(self.heard) >= end + 4 + (int(length[1]) if length else 0)


class Crowd:
    """The connections, the free ones among them, and the answers."""

    def __init__(self, port: int, connections: int) -> None:
        self.port = port
        self.poll = select.epoll()
        self.lanes: dict[int, Lane] = {}
        self.free: deque[Lane] = deque()
        self.times: dict[str, list[float]] = {}
        self.sent = 0
        for _ in range(connections):
            self._open()

    def send(self, request: bytes, most: int) -> None:
        """Send so many requests, at most one on each free connection."""
        for _ in range(min(most, len(self.free))):
            self.free.popleft().send(request)
            self.sent += 1

    def hear(self) -> None:
        """Read what arrives within a millisecond."""
        for number, _ in self.poll.poll(0.001):
            lane = self.lanes[number]
            if not lane.hear():
                self._close(lane)
                self._open()
            elif lane.whole():
                took = (time.perf_counter() - lane.sent) * 1000
                self.times.setdefault(lane.heard[9:12].decode(), []).append(took)
                self.free.append(lane)

    def _open(self) -> None:
        lane = Lane(self.port)
        self.lanes[lane.socket.fileno()] = lane
        self.poll.register(lane.socket, select.EPOLLIN)
        self.free.append(lane)

    def _close(self, lane: Lane) -> None:
        del self.lanes[lane.socket.fileno()]
        self.poll.unregister(lane.socket)
        lane.socket.close()
        if lane in self.free:
            self.free.remove(lane)


def rush(crowd: Crowd, rate: float, seconds: float, request: bytes) -> None:
    """Send for so many seconds, then read answers for at most two more."""
    began = time.perf_counter()
    while (now := time.perf_counter() - began) < seconds:
        crowd.send(request, int(now * rate) - crowd.sent if rate else len(crowd.free))
        crowd.hear()
    while len(crowd.free) < len(crowd.lanes) and time.perf_counter() - began < seconds + 2:
        crowd.hear()


if __name__ == "__main__":
    port, rate, seconds, connections, path, cookie = sys.argv[1:]
    text = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\nCookie: {cookie}\r\n\r\n"
    crowd = Crowd(int(port), int(connections))
    rush(crowd, float(rate), float(seconds), text.encode())
    print(json.dumps({"sent": crowd.sent, "times": crowd.times}))
