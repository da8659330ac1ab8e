"""How fast the walk is, beside its peers in the same run: ``make bench``.

Every server is granian with the same flags. The rounds go through the servers in turn, so that a
noisy machine disturbs all alike; what is stated are ratios and their spread. The CPU is that of the
server's whole process tree, read from the kernel, so it does not hang on how fast the visitors are.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from screening.config import ROOT
from tests.journeys.conftest import Server

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
VISITORS = 16
TARGETS = {"site": "wsgi:app", "bare": "tests.bench.peers:bare", "minimal": "tests.bench.peers:minimal"}
TARGETS["empty"] = "tests.bench.peers:empty"


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def cpu_seconds(pid: int) -> float:
    """What a process tree has used of the processors so far."""
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def megabytes(pid: int) -> float:
    """What a process tree holds of the memory, shared pages counted once a process."""
    return sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) * PAGE for p in tree(pid)) / 1e6


def run(port: int, what: str, seconds: float, journeys: int = 0) -> dict[str, float]:
    """Let the visitors loose, in a process of their own."""
    command = [sys.executable, "-m", "tests.bench.load", str(port), str(VISITORS), str(seconds), str(journeys), what]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def serve(what: str, folder: Path, workers: int) -> Server:
    """A server for one of the targets."""
    folder.mkdir(exist_ok=True)
    settings = {"BENCH_DATABASE": str(folder / "minimal.sqlite"), "SCREENING_LIMIT": "100000000 per minute"}
    flags = ("--workers", str(workers), "--log-level", "error")
    return Server(folder, *flags, target=TARGETS[what], SCREENING_HOSTS="localhost,127.0.0.1", **settings)


def measure(server: Server, what: str, seconds: float, journeys: int = 0) -> dict[str, float]:
    """One round: what the visitors saw and what the server used."""
    before = cpu_seconds(server.process.pid)
    result = run(server.port, what, seconds, journeys)
    used = cpu_seconds(server.process.pid) - before
    return {
        "journeys_per_second": result["journeys"] / result["seconds"],
        "requests_per_second": result["requests"] / result["seconds"],
        "p50_ms": result["p50_ms"],
        "p95_ms": result["p95_ms"],
        "cpu_ms_per_request": used / result["requests"] * 1000,
        "memory_mb": megabytes(server.process.pid),
    }


def noise() -> float:
    """How long a fixed piece of work takes, in ms: its spread tells how noisy the machine was."""
    began = time.perf_counter()
    sum(number * number for number in range(300_000))
    return (time.perf_counter() - began) * 1000


def spread(values: list[float]) -> dict[str, float]:
    """Middle, lowest and highest of a series."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def compare(rounds: int, seconds: float, workers: int, folder: Path) -> dict[str, Any]:
    """Interleaved rounds over all servers."""
    found: dict[str, list[dict[str, float]]] = {what: [] for what in TARGETS}
    work = []
    for _ in range(rounds):
        for what in TARGETS:
            work.append(noise())
            with serve(what, folder / what, workers) as server:
                run(server.port, what, 1)
                found[what].append(measure(server, what, seconds))
    figures = {
        what: {name: spread([one[name] for one in series]) for name in series[0]} for what, series in found.items()
    }
    ratios = {
        f"journeys: site / {peer}": spread(
            [
                a["journeys_per_second"] / b["journeys_per_second"]
                for a, b in zip(found["site"], found[peer], strict=True)
            ]
        )
        for peer in ("minimal", "bare")
    } | {
        f"CPU a request: site / {peer}": spread(
            [a["cpu_ms_per_request"] / b["cpu_ms_per_request"] for a, b in zip(found["site"], found[peer], strict=True)]
        )
        for peer in ("minimal", "empty")
    }
    return {"workers": workers, "rounds": rounds, "noise_ms": spread(work), "figures": figures, "ratios": ratios}


def growth(folder: Path, steps: list[int]) -> dict[str, Any]:
    """Journeys a second with one worker and two, and the memory after so many journeys."""
    speed = {}
    for workers in (1, 2):
        with serve("site", folder / f"grow{workers}", workers) as server:
            run(server.port, "site", 1)
            speed[workers] = measure(server, "site", 6)["journeys_per_second"]
    memory = {}
    with serve("site", folder / "memory", 2) as server:
        walked = 0
        for step in steps:
            run(server.port, "site", 86400, step - walked)
            walked = step
            memory[step] = megabytes(server.process.pid)
    return {"journeys_per_second_by_workers": speed, "memory_mb_after_journeys": memory}


def text(result: dict[str, Any]) -> str:
    """The report to read."""
    lines = [f"{VISITORS} visitors, granian, {result['workers']} workers, {result['rounds']} rounds in turn", ""]
    lines.append(f"{'':10}{'journeys/s':>12}{'requests/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'CPU ms/req':>12}{'MB':>8}")
    names = ("journeys_per_second", "requests_per_second", "p50_ms", "p95_ms", "cpu_ms_per_request", "memory_mb")
    for what, figures in result["figures"].items():
        values = [figures[name]["median"] for name in names]
        row = "{:>12.1f}{:>12.0f}{:>9.2f}{:>9.2f}{:>12.3f}{:>8.0f}".format(*values)
        lines.append(f"{what:10}{row}")
    lines.append("")
    for name, ratio in result["ratios"].items():
        lines.append(f"{name}: {ratio['median']:.2f} ({ratio['lowest']:.2f} to {ratio['highest']:.2f})")
    noisy = result["noise_ms"]
    lines.append(
        f"Noise: a fixed piece of work took {noisy['median']:.1f} ms ({noisy['lowest']:.1f} to {noisy['highest']:.1f})"
    )
    for name, values in result.get("growth", {}).items():
        lines.append(f"{name.replace('_', ' ')}: " + ", ".join(f"{k}: {v:.1f}" for k, v in values.items()))
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and leave ``journeys.json`` and ``journeys.txt`` in ``docs/bench``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--grow", type=int, nargs="*", default=[1000, 50000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result = compare(options.rounds, options.seconds, 2, folder)
        if options.grow:
            result["growth"] = growth(folder, options.grow)
    report = text(result)
    target = ROOT / "docs" / "bench"
    target.mkdir(parents=True, exist_ok=True)
    (target / "journeys.json").write_text(json.dumps(result, indent=1) + "\n")
    (target / "journeys.txt").write_text(report + "\n")
    print(report)


if __name__ == "__main__":
    main()
