"""``flask serve``: the address, a port in use, and server and worker that end together."""

from __future__ import annotations

import fcntl
import http.client
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.config import ROOT, SettingsError
from screening.operations import server
from tests.support import processes
from tests.support.ports import HeldPort
from tests.support.processes import TEST_TIMEOUT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("localhost:8000", ("127.0.0.1", 8000)),
        ("8000", ("127.0.0.9", 8000)),
        ("[::1]:8000", ("::1", 8000)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),  # noqa: S104
    ],
)
def test_address_is_understood_in_every_common_form(text, expected):
    assert server.parse_address(text, "127.0.0.9") == expected


@pytest.mark.parametrize(
    "text", ["localhost", "", ":8000", "::1:8000", "[::1]", "1.2.3.4:0", "a:65536", "a b:80", "٣٣"]
)
def test_malformed_address_is_refused_with_examples(text):
    with pytest.raises(SettingsError, match=r"is no address: use HOST:PORT, such as 127\.0\.0\.1:8000"):
        server.parse_address(text, "127.0.0.1")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64])
def test_host_that_cannot_be_found_is_refused(host):
    with pytest.raises(SettingsError, match="is no address of this machine"):
        server.parse_address(f"{host}:8000", "127.0.0.1")


@given(st.integers(1, 2**16 - 1))
def test_address_round_trips_through_its_url(port):
    for host in ("127.0.0.1", "::1"):
        assert server.parse_address(server.url(host, port).removeprefix("http://"), "127.0.0.2") == (host, port)


@pytest.mark.parametrize("shared", [True, False], ids=["SO_REUSEPORT", "exclusive"])
def test_port_in_use_is_refused_before_anything_is_served(shared):
    with HeldPort() as held, closing(socket.socket()) as other:
        server.require_free("127.0.0.1", held.number)
        if not shared:
            held.release()
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as granian does
        other.bind(("127.0.0.1", held.number))
        other.listen()
        with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{held.number}.*(another|Choose)"):
            server.require_free("127.0.0.1", held.number)


def test_serve_prints_one_line_when_the_port_is_in_use(tmp_path):
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = processes.flask("serve", "--check", str(other.getsockname()[1]))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Choose another" in done.stderr


def test_site_that_cannot_start_prints_one_line_and_ends(tmp_path):
    with HeldPort() as held:
        done = processes.flask("serve", str(held.number), SCREENING_KEYS_DIR=tmp_path / "none")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "key file draft.toml is missing: run flask keys init\n"


class Site:
    """``flask serve --with-worker`` on SQLite, in a session of its own."""

    def __init__(self, folder: Path, port: int, command: tuple[str, ...] = (), terminal: int | None = None) -> None:
        self.port, self.log = port, folder / "log"
        environment = processes.environment(
            SCREENING_KEYS_DIR=str(folder / "keys"), SCREENING_DATABASE_URL=f"sqlite:///{folder}/site.sqlite"
        )
        self._flask = [sys.executable, "-m", "flask"]
        for words in (("keys", "init"), ("db", "upgrade"), ("keys", "publish")):
            subprocess.run([*self._flask, *words], cwd=ROOT, env=environment, check=True, capture_output=True)
        self.command = command or (*self._flask, "serve", "--with-worker", "--workers", "1", str(port))
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=None if terminal is None else partial(fcntl.ioctl, terminal, termios.TIOCSCTTY, 0),
            )

    def healthz(self) -> int:
        """Return the status of ``/healthz``, once the server answers."""
        while True:
            assert self.process.poll() is None, self.log.read_text()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TEST_TIMEOUT)
            with closing(connection), suppress(ConnectionError, http.client.HTTPException):
                connection.request("GET", "/healthz")
                return connection.getresponse().status
            self.pause()

    def pids(self) -> list[int]:
        """Return the ids of all its processes: those of its session."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self.process.pid and state != "Z":
                    found.append(int(folder.name))
        return found

    def children(self, words: str) -> list[int]:
        """Return the ids of its processes whose command line contains these words, oldest first."""
        return sorted(
            pid for pid in self.pids() if words in (Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "))
        )

    def ended(self) -> bool:
        """Wait until every process has ended."""
        while self.pids():
            self.pause()
        return True

    def pause(self) -> None:
        """Wait a moment, or until the supervisor has ended."""
        try:
            self.process.wait(0.05)
        except subprocess.TimeoutExpired:
            return


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Site]:
    with HeldPort() as held:
        site = Site(tmp_path, held.number)
        try:
            assert site.healthz() == 200
            while not site.children("flask worker"):  # started after the server
                assert site.process.poll() is None
                site.pause()
            yield site
        finally:
            for pid in site.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            site.process.wait(TEST_TIMEOUT)


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGINT], ids=["closed terminal", "Ctrl+C"])
def test_signal_ends_server_and_worker(served, how):
    served.process.send_signal(how)
    assert served.process.wait(TEST_TIMEOUT) == 0 and served.ended()


def test_closed_terminal_ends_what_make_started(tmp_path):
    """The kernel tells only the leader of the terminal's session, which may be make."""
    outer, inner = pty.openpty()
    makefile = tmp_path / "Makefile"
    with HeldPort() as held:
        words = f"{sys.executable} -m flask serve --with-worker --workers 1 {held.number}"
        makefile.write_text(f"run:\n\t@exec {words}\n")
        site = Site(tmp_path, held.number, ("make", "-f", str(makefile)), terminal=inner)
        os.close(inner)
        try:
            assert site.healthz() == 200
            os.close(outer)
            site.process.wait(TEST_TIMEOUT)  # its status depends on which of the two ended first
            assert site.ended()
        finally:
            for pid in site.pids():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_killed_supervisor_leaves_no_process(served):
    served.process.kill()
    assert served.ended()


def test_ended_worker_ends_the_server(served):
    os.kill(served.children("flask worker")[0], signal.SIGKILL)
    assert served.process.wait(TEST_TIMEOUT) == 1 and served.ended()


def test_killed_server_leaves_no_process(served):
    os.kill(served.children("granian")[0], signal.SIGKILL)
    assert served.process.wait(TEST_TIMEOUT) == 1 and served.ended()


def test_killed_worker_process_is_replaced(served):
    main, *workers = served.children("granian")
    killed = workers[-1]
    os.kill(killed, signal.SIGKILL)
    while killed in served.pids() or len(served.children("granian")) <= len(workers):
        assert served.process.poll() is None
        served.pause()
    assert served.healthz() == 200 and main in served.children("granian")
