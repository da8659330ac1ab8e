"""Measurements: CPU time and memory of a process tree, noise of the machine, spreads and ratios."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process tree has used so far."""
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def megabytes(pid: int) -> float:
    """Return the memory of a process tree, with shared pages counted for each process."""
    return sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) * PAGE for p in tree(pid)) / 1e6


def noise() -> float:
    """Return the time of a fixed computation in ms: its spread shows the noise of the machine."""
    began = time.perf_counter()
    sum(number * number for number in range(300_000))
    return (time.perf_counter() - began) * 1000


def spread(values: list[float]) -> dict[str, float]:
    """Return median, minimum and maximum of a series."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def ratios(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Return median, minimum and maximum of the ratios ``ours / theirs`` by round."""
    return spread([our / their for our, their in zip(ours, theirs, strict=True)])


def as_text(ratio: dict[str, float]) -> str:
    """Return a ratio with its spread as text."""
    return f"{ratio['median']:.2f} ({ratio['lowest']:.2f} to {ratio['highest']:.2f})"
