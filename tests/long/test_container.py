"""The steps of the container file, executed on this machine in a folder that stands for ``/app``.

No container engine is needed: a step copies files of the build context, or is a command that is run in that folder.
Then the site is started by the file's own command and asked for a page.
"""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from screening.config import ROOT
from tests.support.containerfile import build_context, command, copies, steps
from tests.support.ports import HeldPort


class Container:
    """A folder in which the steps are executed, and the container's command afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        python = str(Path(sys.base_prefix) / "bin")
        own = {name: text for name, text in os.environ.items() if name in ("HOME", "LANG") or name.startswith("PIP_")}
        self.environment = {**own, "PATH": f"{python}:/usr/bin:/bin"}

    def build(self) -> None:
        """Execute every step, in order."""
        seen, copied = list(build_context(ROOT)), copies()
        for name, rest in steps():
            if name == "ENV":
                self.environment = dict(pair.split("=", 1) for pair in rest.split()) | self.environment
            elif name == "WORKDIR":
                assert rest == "/app"
                self.folder.mkdir()
            elif name == "COPY":
                self.copy(seen, *next(copied))
            elif name == "RUN":
                self.run("/bin/sh", "-euc", rest)

    def copy(self, seen: list[str], source: str, target: str) -> None:
        """Copy a file, to a folder if the target ends with a slash; or the contents of a folder to another."""
        files = [file for file in seen if file == source or file.startswith(f"{source}/")]
        assert files, f"nothing to copy as {source}"
        for file in files:
            inside = Path(file).relative_to(source) if file != source else Path(Path(file).name)
            to = self.folder / target / inside
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, to)

    def run(self, *words: str) -> str:
        """Run a command in the folder; return its output."""
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def files(self) -> dict[str, int]:
        """Return every file outside ``instance/`` with its modification time."""
        found = (file for file in self.folder.rglob("*") if file.is_file())
        paths = {str(file.relative_to(self.folder)): file.stat().st_mtime_ns for file in found}
        return {path: at for path, at in paths.items() if not path.startswith("instance/")}


@pytest.fixture
def container(tmp_path):
    return Container(tmp_path / "app")


def test_container_build_serves_the_site(container, report, tmp_path):
    container.build()
    before = container.files()
    report(f"built: {len(before)} files, {sum((container.folder / f).stat().st_size for f in before) >> 20} MB")
    flask = str(container.folder / ".venv" / "bin" / "flask")
    for words in (("keys", "init"), ("db", "upgrade"), ("keys", "publish")):
        container.run(flask, *words)
    held = HeldPort()
    port = held.number
    words = [*command()[:-1], f"127.0.0.1:{port}"]
    assert words[:2] == [".venv/bin/flask", "serve"]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(words, cwd=container.folder, env=container.environment, stdout=log, stderr=log)
    try:
        page = fetch(port, running)
        assert b"tel:988" in page and b"Demo Spine and Pain Clinic" in page
        ready = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        ready.request("GET", "/readyz")
        assert ready.getresponse().read() == b"database ok\nkeys ok\nmigrations ok\n"
        ready.close()
    finally:
        running.terminate()
        running.wait(30)
        held.release()
    assert container.files() == before, "only instance/ is written to"
    report("served its start page; wrote to instance/ only")


def fetch(port: int, running: subprocess.Popen) -> bytes:
    """Return the start page, as soon as the server accepts connections."""
    while True:
        assert running.poll() is None, "the server ended"
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert answer.status == 200
            return answer.read()
        except ConnectionRefusedError:
            continue
        finally:
            connection.close()
