"""The web server: granian's command line, the address it listens on, and the worker beside it."""

import ctypes
import os
import re
import signal
import socket
import subprocess  # nosec B404  # starts two programs with fixed words
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn

from screening.config import ROOT, SettingsError

FLAGS = (
    *("--interface", "wsgi", "--http", "1", "--no-ws"),
    # More threads than screening/web/middleware lets wait (load_shedding.py: 4 + 32, request_buffering.py: 64), so that
    # one is free to refuse a request. granian warns about the number, hence the log level, which does not affect the
    # site's own log.
    *("--blocking-threads", "128", "--log-level", "error"),
    # Connections per worker process, below the limit of 1,024 open files.
    *("--backpressure", "900", "--backlog", "4096"),
    # In milliseconds: a connection without a complete request header is closed then. In bytes: a header holds the 50
    # cookies of 4 kB that browsers store.
    *("--http1-header-read-timeout", "5000", "--http1-buffer-size", "262144"),
    # A worker process that was killed is replaced. In seconds: one that misses a stop signal during its startup.
    *("--respawn-failed-workers", "--workers-kill-timeout", "15"),
)
"""granian's options besides address and number of worker processes."""

ADDRESS = re.compile(r"(?:(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[\w.-]+)):)?(?P<port>[0-9]{1,5})", re.ASCII)

ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
"""Signals that end server and worker."""

TERMINAL_SECONDS = 2
"""Seconds between two looks at the terminal that the site was started in."""

PR_SET_PDEATHSIG = 1
"""Option of Linux's prctl(2): the signal that a process receives when its parent ends."""


def parse_address(text: str, default_host: str) -> tuple[str, int]:
    """Return IP address and port of ``HOST:PORT``, ``[IPv6]:PORT`` or ``PORT``. Raises SettingsError."""
    found = ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 2**16:
        raise SettingsError(f"{text!r} is no address: use HOST:PORT, such as 127.0.0.1:8000, [::1]:8000 or 8000")
    host, port = found["six"] or found["host"] or default_host, int(found["port"])
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: a label of over 63 characters
        raise SettingsError(f"{host} is no address of this machine") from None
    addresses.sort(key=lambda found: found[0] != socket.AF_INET)
    return str(addresses[0][4][0]), port


def require_free(host: str, port: int) -> None:
    """Raise SettingsError if the server cannot listen here, such as on a port in use.

    granian itself would share the port with another granian (SO_REUSEPORT), and each answer some of the requests.
    """
    where = url(host, port).removeprefix("http://")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(f"The site cannot listen on {where}: {error.strerror}. Choose another") from None
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        raise SettingsError(f"Another program listens on {where}. End it, or choose another port")


def url(host: str, port: int) -> str:
    """Return the server's own URL, without a proxy."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def command(host: str, port: int, workers: int) -> list[str]:
    """Return granian's command line."""
    address = ["--host", host, "--port", str(port), "--workers", str(workers)]
    return [sys.executable, "-m", "granian", *FLAGS, *address, "wsgi:app"]


def run(server: list[str]) -> NoReturn:
    """Replace this process by the server."""
    os.chdir(ROOT)
    os.execve(server[0], server, _environment())  # noqa: S606  # nosec B606  # fixed words, no shell


def run_with_worker(server: list[str]) -> int:
    """Run the server and a worker until a signal comes or one of them ends, then end both; return the exit status.

    So does a closed terminal: its SIGHUP may reach ``make`` alone, which only waits. A second signal kills them. If
    this process is killed, the kernel ends them. Each is a process group of its own, so that no process of a killed
    server remains.
    """
    watched = {signal.SIGCHLD, *ENDING}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    came, in_terminal = signal.SIGCHLD, _has_terminal()
    children = [_start(server), _start([sys.executable, "-m", "flask", "worker"])]
    while came not in ENDING and all(child.poll() is None for child in children):
        if received := signal.sigtimedwait(watched, TERMINAL_SECONDS):
            came = signal.Signals(received.si_signo)
        elif in_terminal and not _has_terminal():
            came = signal.SIGHUP
    for child in children:
        child.terminate()
    while any(child.poll() is None for child in children):
        if signal.sigwait(watched) in ENDING:
            _kill(children)
    _kill(children)
    return 0 if came in ENDING else 1


def _has_terminal() -> bool:
    """Return whether this process has a controlling terminal, which is open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # nosec B603  # fixed words, no shell
        words, cwd=ROOT, env=_environment(), process_group=0, preexec_fn=_in_child
    )


def _in_child() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _kill(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _environment() -> Mapping[str, str]:
    """Return the environment without Flask's mark of its command line, by which ``wsgi.py`` chooses the application."""
    return {name: value for name, value in os.environ.items() if name != "FLASK_RUN_FROM_CLI"}
