#!/usr/bin/python3
"""A stand-in for systemctl where no systemd runs: reads unit files and starts their commands as their user.

It applies drop-ins, User, Environment, WorkingDirectory, UMask, state and runtime folders, ProtectSystem=strict with its
writable and read-only paths, PrivateTmp, and the types simple, notify, forking and oneshot. Of a timer it checks the unit
and its service. It fails on a verb, option or type that it does not know.
"""

from __future__ import annotations

import os
import pwd
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

FOLDERS = (Path("/etc/systemd/system"), Path("/lib/systemd/system"))
STATE = Path("/run/systemctl-stand-in")
LOGS = Path("/var/log/systemctl-stand-in")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STOP_SECONDS = 60

Values = dict[str, list[str]]


def fail(line: str) -> None:
    sys.exit(f"systemctl: {line}")


class Unit:
    """One unit by its name, ``screening-web@8001`` or ``screening-backup.timer``."""

    def __init__(self, name: str) -> None:
        self.name = name if name.endswith((".service", ".timer")) else f"{name}.service"
        stem, _, self.kind = self.name.rpartition(".")
        template, at, self.instance = stem.partition("@")
        self.files = [f"{template}{at}.{self.kind}"] if at else []
        found = [folder / file for file in (self.name, *self.files) for folder in FOLDERS if (folder / file).exists()]
        if not found:
            fail(f"Unit {self.name} not found.")
        prefixes = [stem[: match.end()] for match in re.finditer("-", stem)]
        folders = [*(f"{prefix}.{self.kind}.d" for prefix in prefixes), *(f"{file}.d" for file in self.files)]
        drop_ins = [
            each
            for name in (*folders, f"{self.name}.d")
            for folder in FOLDERS
            for each in sorted((folder / name).glob("*.conf"))
        ]
        self.sections: dict[str, Values] = {}
        for file in (found[0], *drop_ins):
            self.read(file)
        self.service = self.sections.get("Service", {})

    def read(self, file: Path) -> None:
        section: Values = {}
        for line in file.read_text().splitlines():
            line = line.strip()
            if match := re.fullmatch(r"\[(\w+)\]", line):
                section = self.sections.setdefault(match[1], {})
            elif line and not line.startswith(("#", ";")):
                name, _, value = line.partition("=")
                value = value.strip().replace("%i", self.instance)
                section.setdefault(name.strip(), []).append(value)

    def one(self, name: str, default: str = "") -> str:
        return self.service.get(name, [default])[-1]

    def words(self, name: str) -> list[str]:
        return [word.removeprefix("-") for line in self.service.get(name, []) for word in line.split()]

    @property
    def group_file(self) -> Path:
        return STATE / self.name

    def environment(self) -> dict[str, str]:
        account = pwd.getpwnam(self.one("User", "root"))
        found = {"PATH": PATH, "LANG": "C.UTF-8", "HOME": account.pw_dir, "USER": account.pw_name}
        for line in self.service.get("Environment", []):
            found |= dict(word.split("=", 1) for word in shlex.split(line))
        for kind, parent in (("State", "/var/lib"), ("Runtime", "/run")):
            for name in self.words(f"{kind}Directory"):
                folder = Path(parent) / name
                folder.mkdir(exist_ok=True)
                folder.chmod(int(self.one(f"{kind}DirectoryMode", "0755"), 8))
                os.chown(folder, account.pw_uid, account.pw_gid)
                found[f"{kind.upper()}_DIRECTORY"] = str(folder)
        return found

    def command(self, line: str, environment: dict[str, str]) -> list[str]:
        """The words that run a line of the unit with its user and its view of the file system."""
        line = re.sub(r"\$\{(\w+)\}", lambda match: environment[match[1]], line.replace("%%", "%"))
        words = shlex.split(line.replace("$$", "$"))
        steps = []
        if self.one("ProtectSystem") == "strict":
            own = [environment[name] for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY") if name in environment]
            paths = [*self.words("ReadWritePaths"), *self.words("ReadWriteDirectories"), *own]
            writable = [str(path.resolve()) for path in map(Path, dict.fromkeys(paths)) if path.exists()]
            steps += [f"mount --bind {path} {path}" for path in writable]
            mounts = [each.split()[1] for each in Path("/proc/self/mounts").read_text().splitlines()]
            spared = (*writable, "/dev", "/proc", "/sys", "/tmp")  # noqa: S108
            closed = [each for each in dict.fromkeys(mounts) if not each.startswith(spared)]
            steps += [f"mount -o remount,bind,ro {each}" for each in closed]
        for path in (path for path in self.words("ReadOnlyPaths") if Path(path).exists()):
            steps += [f"mount --bind {path} {path}", f"mount -o remount,bind,ro {path}"]
        if self.one("PrivateTmp") == "true":
            steps += ["mount -t tmpfs -o mode=1777 tmpfs /tmp"]
        user = self.one("User")
        become = f"setpriv --reuid={user} --regid={user} --init-groups --no-new-privs " if user else ""
        steps += [f"umask {self.one('UMask', '0022')}", f"cd {self.one('WorkingDirectory', '/')}", f'exec {become}"$@"']
        return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", "\n".join(steps), "sh", *words]

    def spawn(self, line: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        LOGS.mkdir(parents=True, exist_ok=True)
        with (LOGS / self.name).open("ab") as log:
            words = self.command(line, environment)
            return subprocess.Popen(
                words, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def run(self, name: str, environment: dict[str, str]) -> None:
        """Run every line of this name to its end; a line that begins with a hyphen may fail."""
        for line in self.service.get(name, []):
            if self.spawn(line.lstrip("-"), environment).wait() and not line.startswith("-"):
                fail(f"Job for {self.name} failed, see {LOGS / self.name}.")

    def start(self) -> None:
        if self.kind == "timer":
            Unit(self.name.removesuffix(".timer"))
            return
        if self.processes():
            return
        environment, kind = self.environment(), self.one("Type", "simple")
        self.run("ExecStartPre", environment)
        if kind in ("oneshot", "forking"):
            self.run("ExecStart", environment)
        elif kind in ("simple", "notify"):
            (line,) = self.service["ExecStart"]
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
                if kind == "notify":
                    environment["NOTIFY_SOCKET"] = f"\0{self.name}"
                    ready.bind(environment["NOTIFY_SOCKET"])
                    environment["NOTIFY_SOCKET"] = f"@{self.name}"
                process = self.spawn(line, environment)
                STATE.mkdir(exist_ok=True)
                self.group_file.write_text(str(process.pid))
                while kind == "notify" and b"READY=1" not in ready.recv(4096):
                    continue
        else:
            fail(f"{self.name}: Type={kind} is unknown here")
        self.run("ExecStartPost", environment)

    def processes(self) -> list[int]:
        """The processes of a running service."""
        if pid_file := self.one("PIDFile") if self.one("Type") == "forking" else "":
            return [int(Path(pid_file).read_text())] if Path(pid_file).exists() else []
        if not self.group_file.exists():
            return []
        group, found = int(self.group_file.read_text()), []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, process_group = stat.read_text().rpartition(")")[2].split()[:3]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(process_group) == group and state != "Z":
                found.append(int(stat.parent.name))
        return found

    def stop(self) -> None:
        """Ask all processes of the service to end, and wait for them."""
        if self.kind == "service":
            for process in self.processes():
                os.kill(process, signal.SIGTERM)
            while running := self.processes():
                self.wait_for_end(running[0])
            self.group_file.unlink(missing_ok=True)

    def wait_for_end(self, process: int) -> None:
        """Return once a process has ended; fail after STOP_SECONDS."""
        try:
            handle = os.pidfd_open(process)
        except ProcessLookupError:
            return
        ended, _, _ = select.select([handle], [], [], STOP_SECONDS)
        os.close(handle)
        if not ended:
            fail(f"{self.name} does not end")

    def reload(self) -> None:
        if not self.processes():
            fail(f"{self.name} is not active, cannot reload.")
        self.run("ExecReload", self.environment())

    def restart(self) -> None:
        self.stop()
        self.start()

    def enable(self) -> None:
        wanted = self.sections.get("Install", {}).get("WantedBy")
        if not wanted:
            fail(f"{self.name} has no [Install] section")


def main(words: list[str]) -> None:
    options = [word for word in words if word.startswith("-")]
    verb, *names = [word for word in words if not word.startswith("-")]
    if set(options) - {"--now", "--quiet"}:
        fail(f"unknown option in {words}")
    if verb == "daemon-reload":
        return
    units = [Unit(name) for name in names]
    if verb == "is-active":
        sys.exit(0 if all(unit.processes() for unit in units) else 3)
    if verb not in ("start", "stop", "restart", "reload", "enable"):
        fail(f"Unknown command verb {verb}.")
    for unit in units:
        getattr(unit, verb)()
        if verb == "enable" and "--now" in options:
            unit.start()


main(sys.argv[1:])
