"""The boxes of docs/container.md as they are written, in podman: built, started, broken, upgraded.

The images of the registries are stand-ins made of Debian's packages (``tests.support.container_engine``).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from screening.config import ROOT
from tests.support.container_engine import ContainerEngine
from tests.support.handbook import AS_ROOT, CONTAINER_PAGE, blocks, check_output
from tests.support.ports import HeldPort

NAME, ADMIN = "check.weir.test", "first@clinic.example.org"

SITE = "screening"

UNTIL_THE_ACCOUNT, BACKUP_AND_UPGRADE = slice(-3), slice(-3, None)

KILL_THE_SERVER = """
podman exec {site} sh -c 'read -r first rest </proc/1/task/1/children; kill -9 $first'
until [ "$(podman inspect {site} --format '{{{{.RestartCount}}}}')" -ge 1 ]; do :; done
"""

FETCH = "curl --silent --fail --retry 120 --retry-delay 2 --retry-all-errors --header 'Host: {name}' {url}{path}"


@pytest.fixture
def engine() -> Iterator[ContainerEngine]:
    # podman restarts no container whose run folder has a path of over 50 characters
    with TemporaryDirectory(prefix="engine-") as folder, ContainerEngine(Path(folder) / "engine") as made:
        yield made


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files of this checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / "site" / name)
    return tmp_path / "site"


class Site:
    """The page's boxes, run in one checkout on a port of this machine."""

    def __init__(self, engine: ContainerEngine, checkout: Path, port: int) -> None:
        self.engine, self.checkout, self.port = engine, checkout, port
        boxes = [block for block in blocks(CONTAINER_PAGE) if block.fence in (AS_ROOT, "text")]
        self.boxes = [box for box in boxes if "apt-get" not in box.text]

    def follow(self, part: slice) -> None:
        """Run the boxes of a part of the page, and check the output that they show."""
        printed = ""
        for box in self.boxes[part]:
            if box.fence == AS_ROOT:
                printed = self.run(f"exec 2>&1\n{box.text}")
            else:
                check_output(CONTAINER_PAGE, box.text, printed)

    def run(self, script: str) -> str:
        """Run a script with other values for the page's names, and one worker process."""
        names = {"site": NAME, "admin": ADMIN, "PORT": str(self.port), "WORKERS": "1"}
        script = re.sub(r"^(site|admin)=.*$", "", script, flags=re.MULTILINE)
        return self.engine.run(script.replace(":8001/", f":{self.port}/"), at=self.checkout, **names)

    def fetch(self, path: str) -> str:
        """Return a page, as soon as the site answers."""
        return self.run(FETCH.format(name=NAME, url=f"http://127.0.0.1:{self.port}", path=path))

    def in_container(self, words: str) -> str:
        """Run a command in the site's container; return its output."""
        return self.run(f"podman exec {SITE} {words}")


def test_handbook_runs_and_upgrades_the_site_in_containers(engine, checkout, report):
    with HeldPort() as held:
        number = held.number
    site = Site(engine, checkout, number)
    site.follow(UNTIL_THE_ACCOUNT)
    report("built and started; the first account was made")
    assert "Python 3.13" in site.in_container(".venv/bin/python --version")
    assert "Clinic by the Weir" in site.fetch("/")

    assert site.in_container("id -u").strip() == "10001"
    assert site.run(f"podman inspect {SITE} --format '{{{{.EffectiveCaps}}}}'").strip() == "[]"
    assert "Read-only file system" in engine.attempt(f"podman exec {SITE} touch /app/x").stderr
    assert site.run("podman run --rm --network=none screening ls -A instance").split() == [".gitignore"]
    site.run(f"podman healthcheck run {SITE}")
    processes = site.run(f"podman top {SITE} args").splitlines()
    assert sum("granian" in line for line in processes) == 2, "the server and its one worker process"
    assert site.in_container(".venv/bin/flask nginx error-page").startswith("<!DOCTYPE html>")

    site.run(KILL_THE_SERVER.format(site=SITE))
    assert "Clinic by the Weir" in site.fetch("/")
    report("started again after its server was killed")

    site.follow(BACKUP_AND_UPGRADE)
    assert site.in_container(f".venv/bin/flask staff reset {ADMIN}"), "the account is still there"
    report("upgraded")
    site.run(f"podman stop --time 60 {SITE}")
    assert site.run(f"podman inspect {SITE} --format '{{{{.State.ExitCode}}}}'").strip() == "0"
    report("stopped in order")
