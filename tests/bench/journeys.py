"""Measure the walk beside its peers: the minimal app, the bare callable, an empty route, the site without page cache.

Every server is granian with the same flags. The rounds alternate between the servers, so that noise of the machine
affects all alike; the results are ratios and their spread. CPU time is that of the server's whole process tree, read
from the kernel, so it does not depend on the speed of the load generator.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from screening.config import ROOT
from tests.bench.measure import as_text, cpu_seconds, megabytes, noise, ratios, spread
from tests.support.live_server import LiveServer

VISITORS = 16
TARGETS = {"site": "wsgi:app", "bare": "tests.bench.peers:bare", "minimal": "tests.bench.peers:minimal"}
TARGETS |= {"empty": "tests.bench.peers:empty", "uncached": "tests.bench.uncached:app"}
COMPARED = (
    ("journeys", "journeys_per_second", ("minimal", "bare")),
    ("CPU a request", "cpu_ms_per_request", ("minimal", "empty", "uncached")),
)


def run(port: int, what: str, seconds: float, journeys: int = 0) -> dict[str, float]:
    """Run the load generator in a process of its own."""
    kind = "site" if what == "uncached" else what
    command = [sys.executable, "-m", "tests.bench.load", str(port), str(VISITORS), str(seconds), str(journeys), kind]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def serve(what: str, folder: Path, workers: int, database: str = "", requests: str = "20 per hour") -> LiveServer:
    """Return a server for one of the targets, on the database at this address or on SQLite in the folder."""
    folder.mkdir(exist_ok=True)
    settings = {
        "BENCH_DATABASE": str(folder / "minimal.sqlite"),
        "SCREENING_ALLOWED_HOSTS": "localhost,127.0.0.1",
        "SCREENING_RATE_LIMIT_FORMS": "100000000 per minute",
        "SCREENING_RATE_LIMIT_REQUESTS": requests,
        **({"SCREENING_DATABASE_URL": database} if database else {}),
    }
    return LiveServer(folder, "--workers", str(workers), "--log-level", "error", target=TARGETS[what], **settings)


def measure(server: LiveServer, what: str, seconds: float, journeys: int = 0) -> dict[str, float]:
    """Run one round; return what the load generator measured and what the server used."""
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


def compare(rounds: int, seconds: float, workers: int, folder: Path) -> dict[str, Any]:
    """Alternate rounds over all servers; an idle server uses no CPU."""
    found: dict[str, list[dict[str, float]]] = {what: [] for what in TARGETS}
    work = []
    with ExitStack() as stack:
        servers = {what: stack.enter_context(serve(what, folder / what, workers)) for what in TARGETS}
        for what, server in servers.items():
            run(server.port, what, 1)
        for _ in range(rounds):
            for what, server in servers.items():
                work.append(noise())
                found[what].append(measure(server, what, seconds))
    figures = {
        what: {name: spread([one[name] for one in series]) for name in series[0]} for what, series in found.items()
    }
    compared = {
        f"{name}: site / {peer}": ratios([one[figure] for one in found["site"]], [one[figure] for one in found[peer]])
        for name, figure, peers in COMPARED
        for peer in peers
    }
    return {"workers": workers, "rounds": rounds, "noise_ms": spread(work), "figures": figures, "ratios": compared}


def growth(folder: Path, steps: list[int]) -> dict[str, Any]:
    """Return journeys per second with one worker and two, and the memory after so many journeys."""
    speed = {}
    for workers in (1, 2):
        with serve("site", folder / f"grow{workers}", workers) as server:
            run(server.port, "site", 1)
            speed[workers] = measure(server, "site", 6)["journeys_per_second"]
    memory = {}
    with serve("site", folder / "memory", 2) as server:
        journeys_done = 0
        for step in steps:
            run(server.port, "site", 86400, step - journeys_done)
            journeys_done = step
            memory[step] = megabytes(server.process.pid)
    return {"journeys_per_second_by_workers": speed, "memory_mb_after_journeys": memory}


def text(result: dict[str, Any]) -> str:
    """Return the report as text."""
    lines = [f"{VISITORS} visitors, granian, {result['workers']} workers, {result['rounds']} rounds in turn", ""]
    lines.append(f"{'':10}{'journeys/s':>12}{'requests/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'CPU ms/req':>12}{'MB':>8}")
    names = ("journeys_per_second", "requests_per_second", "p50_ms", "p95_ms", "cpu_ms_per_request", "memory_mb")
    for what, figures in result["figures"].items():
        values = [figures[name]["median"] for name in names]
        row = "{:>12.1f}{:>12.0f}{:>9.2f}{:>9.2f}{:>12.3f}{:>8.0f}".format(*values)
        lines.append(f"{what:10}{row}")
    lines.append("")
    lines += [f"{name}: {as_text(ratio)}" for name, ratio in result["ratios"].items()]
    for name, values in result.get("growth", {}).items():
        lines.append(f"{name.replace('_', ' ')}: " + ", ".join(f"{k}: {v:.1f}" for k, v in values.items()))
    return "\n".join(lines)
