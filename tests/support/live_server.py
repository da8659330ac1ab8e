"""The site under its production server, in separate processes."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from screening.config import ROOT
from screening.crypto.key_files import create_ring
from screening.crypto.keyring import PURPOSES
from screening.operations import server
from tests.support import processes
from tests.support.cgroups import ControlGroup
from tests.support.clock import process_time
from tests.support.databases import migrate
from tests.support.ports import HeldPort
from tests.support.processes import TEST_TIMEOUT

LIMITS = ("FORMS", "REQUESTS", "LOOKUPS", "SIGN_INS")
"""Rate limits that no test reaches unless it sets them: all tests come from one address."""


class LiveServer:
    """The site as ``make run`` starts it, on a free port; ``settings`` are environment variables."""

    def __init__(
        self, folder: Path, *arguments: str, scheme: str = "http", target: str = "wsgi:app", **settings: str
    ) -> None:
        self.folder = folder
        self.target = target
        self.database = settings.get("SCREENING_DATABASE_URL", f"sqlite:///{folder}/site.sqlite")
        self.log = folder / "server.log"
        self._held = HeldPort()
        self.port = self._held.number
        self.address = f"{scheme}://127.0.0.1:{self.port}"
        self.settings = {
            "SCREENING_KEYS_DIR": str(folder / "keys"),
            "SCREENING_DATABASE_URL": self.database,
            "SCREENING_CLINIC_FILE": str(folder / "none.toml"),
            **{f"SCREENING_RATE_LIMIT_{name}": "100000 per minute" for name in LIMITS},
            **settings,
        }
        self._before_start: Callable[[], None] | None = None
        self.environment = processes.environment(**self.settings)
        self.arguments = [*server.FLAGS, "--host", "127.0.0.1", "--port", str(self.port), *arguments]

    def __enter__(self) -> LiveServer:
        self.prepare()
        self.start()
        return self

    def prepare(self) -> None:
        """Create keys and tables, as ``make run`` does before it starts the server."""
        folder = Path(self.environment["SCREENING_KEYS_DIR"])
        for purpose in (purpose for surface in PURPOSES.values() for purpose in surface):
            create_ring(folder, purpose, datetime.fromtimestamp(process_time(), UTC).date())
        migrate(self.database, folder, process_time())

    def start(self) -> None:
        """Start the server, for the first time or after it was killed."""
        command = [sys.executable, "-m", "granian", *self.arguments, self.target]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self._before_start,
            )
        self._wait()

    def in_group(self, group: ControlGroup) -> LiveServer:
        """Start the server in a control group; return it."""
        self._before_start = group.join
        return self

    def kill(self) -> None:
        """Kill the server and its workers with SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(TEST_TIMEOUT)

    def flask(self, *arguments: str) -> str:
        """Run a command on the site's keys and database; return its output."""
        done = processes.flask(*arguments, **self.settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(TEST_TIMEOUT)
        self._held.release()

    def _wait(self) -> None:
        """Wait until the port is open; the server holds the first request until it is ready."""
        while True:
            assert self.process.poll() is None, self.log.read_text()
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), timeout=TEST_TIMEOUT)
            except ConnectionRefusedError:
                self._pause()
                continue
            connection.close()
            break
        if self.address.startswith("http:"):
            probe = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TEST_TIMEOUT)
            probe.request("GET", "/healthz")
            assert probe.getresponse().status < 500
            probe.close()

    def _pause(self) -> None:
        """Wait a moment for the process to end."""
        try:
            self.process.wait(0.01)
        except subprocess.TimeoutExpired:
            return
