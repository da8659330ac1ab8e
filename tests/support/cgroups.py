"""A control group with the limits of a systemd unit on tasks and memory. It needs root."""

from __future__ import annotations

import os
import re
import signal
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from screening.config import ROOT

MOUNT = Path("/sys/fs/cgroup")

WEB_UNIT = ROOT / "deploy" / "systemd" / "screening-web@.service"


def limits_of_the_web_unit() -> tuple[int, int]:
    """Return the tasks and the bytes of memory that the shipped unit grants a node."""
    unit = WEB_UNIT.read_text()
    (tasks,), (gigabytes,) = (
        re.findall(rf"^{name}=(\d+)G?$", unit, re.MULTILINE) for name in ("TasksMax", "MemoryMax")
    )
    return int(tasks), int(gigabytes) * 2**30


class ControlGroup:
    """A group for the time of the ``with`` block; its processes are killed at the end. ``memory`` is in bytes."""

    def __init__(self, tasks: int, memory: int) -> None:
        name = f"test-{uuid.uuid4().hex[:12]}"
        if (MOUNT / "cgroup.controllers").exists():  # version 2
            self._limits = {MOUNT / name: {"pids.max": tasks, "memory.max": memory}}
        else:
            pids, bytes_ = {"pids.max": tasks}, {"memory.limit_in_bytes": memory}
            self._limits = {MOUNT / "pids" / name: pids, MOUNT / "memory" / name: bytes_}

    def __enter__(self) -> ControlGroup:
        assert os.geteuid() == 0, "only root can limit tasks and memory"
        for folder, limits in self._limits.items():
            folder.mkdir()
            for file, limit in limits.items():
                (folder / file).write_text(str(limit))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for folder in self._limits:
            while pids := (folder / "cgroup.procs").read_text().split():
                for pid in pids:
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            with suppress(OSError):
                folder.rmdir()

    def join(self) -> None:
        """Move this process into the group."""
        for folder in self._limits:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self) -> tuple[int, int]:
        """Return the most tasks at once, and the most bytes of memory."""
        names = ("pids.peak", "memory.peak", "memory.max_usage_in_bytes")
        found = [
            int((folder / name).read_text()) for name in names for folder in self._limits if (folder / name).exists()
        ]
        return found[0], found[1]
