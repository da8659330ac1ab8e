"""A server to set up: an overlay over this machine's root file system, in namespaces of its own.

Users, packages, configuration files and services are real. Everything written is in memory and disappears with the last
process, so nothing on the machine changes. It needs root. No systemd runs there; ``server_stand_ins`` has a systemctl.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from types import TracebackType

from tests.support.processes import TEST_TIMEOUT

STAND_INS = Path(__file__).parent / "server_stand_ins"

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

SET_UP = """
mount --make-rprivate /
mount -t tmpfs -o size=8g tmpfs {work}
mkdir {work}/changes {work}/work {work}/root
mount -t overlay -o lowerdir=/,upperdir={work}/changes,workdir={work}/work overlay {work}/root
cd {work}/root
mount -t proc proc proc
mount --rbind /dev dev
for folder in dev/shm run srv; do mount -t tmpfs -o mode=755 tmpfs $folder; done
for folder in dev/shm tmp; do mount -t tmpfs -o mode=1777 tmpfs $folder; done
mount --bind {share} mnt
cp --dereference --remove-destination /etc/resolv.conf etc/resolv.conf
ip link set lo up
trap '' CHLD
exec chroot . sh -c 'echo ready; exec cat'
"""
"""Its last line is the first process of the namespaces: it lives until its input is closed, and all others end with it.
It ignores SIGCHLD, so that the kernel reaps orphans."""

PREPARE = """
printf '127.0.0.1 localhost %s %s\\n' {name} "$(hostname)" >/etc/hosts
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
install /mnt/stand-ins/certbot /mnt/stand-ins/editor /usr/local/sbin/
install /mnt/stand-ins/systemctl.py /usr/local/sbin/systemctl
git config --system safe.directory /mnt/repository/.git
"""

IN_ONE_SHELL = r"""
[ ! -e /var/lib/test-shell ] || . /var/lib/test-shell
trap '{{ declare -p | grep -E "^declare -- [a-z]+=" || true; printf "cd %q\n" "$PWD"; }} >/var/lib/test-shell' EXIT
{script}
"""
"""Runs a script with the variables and in the folder of the script before, and saves its own for the next."""


class Server:
    """The server, for the time of the ``with`` block. Its folder /mnt is ``share``."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.share, self._work = name, folder / "share", folder / "work"
        self.share.mkdir(mode=0o755)
        self._work.mkdir()
        shutil.copytree(STAND_INS, self.share / "stand-ins")

    def __enter__(self) -> Server:
        assert os.geteuid() == 0, "only root can make namespaces and mount"
        script = SET_UP.format(work=self._work, share=self.share)
        spaces = ["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child"]
        self._first = subprocess.Popen(
            ["unshare", *spaces, "sh", "-euc", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            self._prepare()
        except BaseException:
            self._end()
            raise
        return self

    def _prepare(self) -> None:
        assert self._first.stdout is not None
        assert self._first.stdout.readline() == b"ready\n", "this machine refuses namespaces or an overlay"
        (child,) = Path(f"/proc/{self._first.pid}/task/{self._first.pid}/children").read_text().split()
        self._enter = ["nsenter", f"--target={child}", "--mount", "--ipc", "--pid", "--root", "--wd"]
        self.run(PREPARE.format(name=self.name))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        with self._first:  # closes its input, which ends it and all that runs there
            pass

    def attempt(self, script: str, network: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a script as root. With ``network`` it reaches other machines, but no service of the server."""
        net = [] if network else ["--net"]
        return subprocess.run(
            [*self._enter, *net, "bash", "-euo", "pipefail", "-c", IN_ONE_SHELL.format(script=script)],
            env={"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TEST_TIMEOUT * 6 if network else TEST_TIMEOUT,
        )

    def run(self, script: str, network: bool = False) -> str:
        """Run a script that must succeed; return its output."""
        done = self.attempt(script, network)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        """The last lines of each service's output."""
        return self.attempt("tail -n 30 /var/log/systemctl-stand-in/*").stdout

    def browse(self, path: str, **fields: str) -> str:
        """Fetch a page through nginx over https, with the cookies of earlier ones, or send a form with these fields.

        A page is fetched again while no node answers.
        """
        words = ["curl", "--silent", "--show-error", "--fail", "--location"]
        words += ["--cookie", "/var/lib/test-cookies", "--cookie-jar", "/var/lib/test-cookies"]
        words += [] if fields else ["--retry", "60", "--retry-delay", "1"]
        for name, value in fields.items():
            words += ["--data-urlencode", f"{name}={value}"]
        return self.run(shlex.join([*words, f"https://{self.name}{path}"]))
