"""podman with storage of its own, and images that stand for those of the registries: Debian 13 by debootstrap.

Everything is in one folder and gone at the end. It needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

from tests.support.processes import TEST_TIMEOUT

STAND_INS = Path(__file__).parent / "container_stand_ins"

PYTHON_IMAGE = "docker.io/library/python:3.13-slim-trixie"
POSTGRES_IMAGE, VALKEY_IMAGE = "docker.io/library/postgres:17-trixie", "docker.io/valkey/valkey:8"

STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n'

ENGINE = """
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:2048"]
[network]
network_config_dir = "{folder}/networks"
"""
"""No systemd, and limits that a machine inside another one may set."""

BASE = """
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie {folder}/trixie >{folder}/debootstrap.log
cp /etc/ssl/certs/ca-certificates.crt {folder}/trixie/etc/ssl/certs/
printf '[global]\\ncert = /etc/ssl/certs/ca-certificates.crt\\n' >{folder}/trixie/etc/pip.conf
tar --directory {folder}/trixie --create . | podman import --quiet - {image}
"""
"""The packages' index is reached as this machine reaches it: with its certificates."""

SERVERS = f"""
FROM {PYTHON_IMAGE}
RUN apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 \\
    --no-install-recommends postgresql valkey-server
COPY --chmod=755 postgres /usr/local/bin/postgres-entry-point
"""


class ContainerEngine:
    """The engine for the time of the ``with`` block, with the three images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": f"{STAND_INS.parent / 'server_stand_ins'}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(folder),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }

    def __enter__(self) -> ContainerEngine:
        assert os.geteuid() == 0, "only root can debootstrap"
        self.folder.mkdir()
        (self.folder / "storage.conf").write_text(STORAGE.format(folder=self.folder))
        (self.folder / "containers.conf").write_text(ENGINE.format(folder=self.folder))
        try:
            self.run(BASE.format(folder=self.folder, image=PYTHON_IMAGE))
            self.build("servers", SERVERS)
            self.build(POSTGRES_IMAGE, 'FROM localhost/servers\nENTRYPOINT ["postgres-entry-point"]\n')
            self.run(f"podman tag localhost/servers {VALKEY_IMAGE}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for words in ("rm --all --force --time=5", "network prune --force", "rmi --all --force"):
            self.attempt(f"podman {words}")
        self.attempt(f"umount {self.folder}/store/overlay")
        shutil.rmtree(self.folder)

    def build(self, tag: str, steps: str) -> None:
        """Build an image of the tests' own."""
        (self.folder / "steps").write_text(steps)
        self.run(f"podman build --quiet --file {self.folder}/steps --tag {tag} {STAND_INS}")

    def attempt(self, script: str, at: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=at or self.folder.parent,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TEST_TIMEOUT * 2,
        )

    def run(self, script: str, at: Path | None = None, **variables: str) -> str:
        """Run a shell script that must succeed; return its output."""
        done = self.attempt(script, at, **variables)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout
