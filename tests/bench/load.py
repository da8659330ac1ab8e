"""Load generator: visitors repeat a whole journey as fast as possible, each over one keep-alive connection.

Runs as a separate process, so that its CPU time is not counted as the server's: ``python -m tests.bench.load PORT
VISITORS SECONDS JOURNEYS WHAT``; prints one JSON object. It ends after SECONDS, or after JOURNEYS if that is not 0.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from threading import Lock, Thread

from tests.bench.peers import QUESTIONS

TOKEN = re.compile(rb'name="csrf_token"[^>]* value="([^"]+)"')
COOKIE = re.compile(rb"\r\n[Ss]et-[Cc]ookie: ([^;\r\n]+)")
LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: (\d+)")
SITE_ANSWERS = {"pain_duration": "over_a_year", "pain_average": "6", "stress": "work", "hopelessness": "1"}


class Connection:
    """A keep-alive connection with its cookies. It implements only the part of HTTP that the servers here use."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.cookies: dict[bytes, bytes] = {}
        self.times: list[float] = []

    def request(self, method: bytes, path: bytes, body: bytes = b"") -> tuple[int, bytes]:
        """Send one request; return status and body. Records the time it took, in seconds."""
        cookies = b"; ".join(name + b"=" + value for name, value in self.cookies.items())
        head = method + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\nAccept-Language: en\r\n"
        head += b"Cookie: " + cookies + b"\r\n" if cookies else b""
        if method == b"POST":
            head += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n" % len(body)
        began = time.perf_counter()
        self.socket.sendall(head + b"\r\n" + body)
        answer = self.socket.recv(65536)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._more()
        head = answer[:end]
        length = LENGTH.search(head)
        need = end + 4 + (int(length[1]) if length else 0)
        while len(answer) < need:
            answer += self._more()
        self.times.append(time.perf_counter() - began)
        for cookie in COOKIE.findall(head):
            name, _, value = cookie.partition(b"=")
            self.cookies[name] = value
        return int(answer[9:12]), answer[end + 4 :]

    def _more(self) -> bytes:
        more = self.socket.recv(65536)
        if not more:
            raise ConnectionError("closed")
        return more


def journey(connection: Connection, what: str) -> None:
    """Run one journey: start, every question with its post, review, summary: 24 requests, the same for every server."""
    connection.cookies.clear()
    forms = what in ("site", "minimal")
    connection.request(b"GET", b"/")
    for question in (*QUESTIONS, "review"):
        path = f"/check/{question}".encode()
        status, page = connection.request(b"GET", path)
        body = b"answer=1"
        if forms:
            token = TOKEN.search(page)
            if status != 200 or not token:
                raise RuntimeError(f"{what} {path!r}: {status}")
            field = ("consent" if question == "review" else question) if what == "site" else "answer"
            value = SITE_ANSWERS.get(question, "no" if question == "review" else "1") if what == "site" else "1"
            body = b"csrf_token=" + token[1] + f"&{field}={value}".encode()
        status, _ = connection.request(b"POST", path, body)
        if forms and status != 303:
            raise RuntimeError(f"{what} POST {path!r}: {status}")
    status, page = connection.request(b"GET", b"/summary")
    if what == "site" and (status != 200 or b"7 of 7" not in page):
        raise RuntimeError(f"no summary: {status}")


def main(port: int, visitors: int, seconds: float, journeys: int, what: str) -> None:
    """Repeat journeys, and print journeys, requests, seconds, and the percentiles of the request times in ms."""
    end = time.perf_counter() + seconds
    lock, done, times = Lock(), [0], []

    def run_visitor() -> None:
        connection = Connection(port)
        while time.perf_counter() < end:
            with lock:
                if journeys and done[0] >= journeys:
                    break
                done[0] += 1
            journey(connection, what)
        with lock:
            times.extend(connection.times)

    began = time.perf_counter()
    threads = [Thread(target=run_visitor) for _ in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    times.sort()
    result = {
        "journeys": done[0],
        "requests": len(times),
        "seconds": took,
        "p50_ms": times[len(times) // 2] * 1000,
        "p95_ms": times[int(len(times) * 0.95)] * 1000,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
