"""A temporary Redis on loopback, without persistence."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import redis

from tests.support.ports import HeldPort
from tests.support.processes import TEST_TIMEOUT


class Redis:
    """A server for the duration of a ``with`` block, which can be killed, suspended and restarted."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self._held = folder, HeldPort()
        self.port = self._held.number
        self.url = f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Redis:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self._held.release()

    def start(self) -> None:
        """Start it, empty, and wait until it accepts connections."""
        assert shutil.which("redis-server"), "redis-server is missing: make test-long installs it, or prints how"
        options = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), "save": "", "appendonly": "no"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self.folder / "redis.log").open("ab") as log:
            self.process = subprocess.Popen(["redis-server", *words], stdout=log, stderr=log)
        while True:
            assert self.process.poll() is None, (self.folder / "redis.log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                continue

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()
        self.process.wait(TEST_TIMEOUT)

    def halt(self) -> None:
        """Suspend it: it accepts connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Resume it."""
        self.process.send_signal(signal.SIGCONT)

    def holds(self) -> dict[str, str]:
        """Return every key and its value."""
        with redis.Redis(port=self.port, decode_responses=True) as client:
            return {key: client.get(key) for key in client.scan_iter()}
