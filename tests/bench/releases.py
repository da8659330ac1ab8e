"""Measure creation and download of releases beside their peers in the same run: ``make bench``.

Creation is measured at growing numbers of responses on both databases; a download of a million rows beside ``sqlite3
-csv`` and ``psql`` with COPY of the same table; the workbook beside xlsxwriter in its constant-memory mode. Memory is
the process's peak, less what it used before.
"""

from __future__ import annotations

import csv
import http.client
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import xlsxwriter
from sqlalchemy import text as sql

from screening.app import create_app
from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.crypto.key_files import create_ring
from screening.crypto.keyring import PURPOSES
from screening.extensions import db
from screening.releases import downloads, exporters, file_store, service
from screening.releases.models import Release
from screening.releases.policy import ReleasePolicy
from tests.bench.measure import as_text, megabytes, noise, spread
from tests.support.databases import close, migrate
from tests.support.live_server import LiveServer
from tests.support.postgres import Cluster, binaries
from tests.support.sample_responses import generate, store
from tests.support.staff_client import Team

MONTHS = ("2025-09", "2025-10", "2025-11")
COLUMNS = (
    "period, age_band, pain_duration, sadness, sleep, hopelessness, interest, appetite, motivation, pain, pain_average"
)


def fill(url: str, number: int) -> None:
    """Return the URL of a database with so many responses."""
    migrate(url)
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context():
        copies = generate(number, months=MONTHS)
        while several := list(islice(copies, 10_000)):
            store(several)
    close(app)


def alone(work: str, *arguments: str) -> dict[str, float]:
    """Run a measurement in a process of its own; return its time and memory."""
    command = [sys.executable, "-m", "tests.bench.releases", work, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Return the seconds, and the peak memory in MB beyond that before."""
    before, began = _fullest(), time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - began, "megabytes": _fullest() - before}


def _fullest() -> float:
    """Return the peak memory in MB. ``ru_maxrss`` would include that of the process that started this one."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def create(url: str) -> dict[str, float]:
    """Create a release."""
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context():
        policy, now = ReleasePolicy.of(app.config["SETTINGS"]), time.time()
        return measured(lambda: service.create(service.preview(policy, now), now, "command"))


def workbook(url: str, target: str) -> dict[str, float]:
    """Write the workbook of the release, as the site does."""
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context():
        release = db.session.get_one(Release, 1)
        return measured(
            lambda: exporters.build(release, "full.xlsx", file_store.read_file(1, "full.csv"), Path(target))
        )


def peer_workbook(source: str, target: str) -> dict[str, float]:
    """Write the same rows with xlsxwriter, one row at a time."""

    def write() -> None:
        book = xlsxwriter.Workbook(target, {"constant_memory": True})
        sheet = book.add_worksheet("responses")
        with Path(source).open(encoding="utf-8", newline="") as rows:
            for number, row in enumerate(csv.reader(rows)):
                for column, cell in enumerate(row):
                    sheet.write_string(number, column, cell)
        book.close()

    return measured(write)


def download(server: LiveServer, cookie: str, name: str) -> dict[str, float]:
    """Download a file over HTTP; return seconds, bytes, and the growth of the server's peak memory."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    before = fullest = megabytes(server.process.pid)
    began, size = time.perf_counter(), 0
    connection.request("GET", f"/staff/releases/1/{name}", headers={"Cookie": f"staff={cookie}"})
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"{name}: {response.status}")
    announced = int(response.headers["Content-Length"])
    while piece := response.read(1 << 20):
        size += len(piece)
        fullest = max(fullest, megabytes(server.process.pid))
    if size != announced:
        raise RuntimeError(f"{name}: {size} bytes of {announced}")
    return {"seconds": time.perf_counter() - began, "bytes": size, "megabytes": fullest - before}


def timed(command: list[str]) -> float:
    """Return the time of a command whose output is read and discarded."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        while process.stdout.read(1 << 20):
            pass
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return time.perf_counter() - began


def plain_table(url: str, source: Path) -> None:
    """Copy the rows of a file to a table ``plain``, for the peers."""
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context(), db.engines[None].begin() as connection, source.open(newline="") as rows:
        lines = csv.reader(rows)
        header = next(lines)
        connection.execute(sql(f"CREATE TABLE plain ({', '.join(f'{name} TEXT' for name in header)})"))
        places = ", ".join(f":{name}" for name in header)
        while several := [dict(zip(header, line, strict=True)) for line in islice(lines, 10_000)]:
            connection.execute(sql(f"INSERT INTO plain VALUES ({places})"), several)
    close(app)


def peers(url: str) -> list[str]:
    """Return the command that prints the table ``plain`` as CSV."""
    if url.startswith("sqlite"):
        return ["sqlite3", "-csv", url.removeprefix("sqlite:///"), f"SELECT {COLUMNS} FROM plain"]
    return [
        shutil.which("psql") or str(binaries() / "psql"),
        url,
        "-c",
        f"COPY (SELECT {COLUMNS} FROM plain) TO STDOUT (FORMAT csv)",
    ]


def sign_in(folder: Path, url: str) -> str:
    """Return the cookie of an account that may download every file."""
    site = create_app({"KEYS_DIR": folder / "keys", "DATABASE_URL": url, "CLINIC_FILE": folder / "none.toml"})
    member = Team(site).add("bench", "responses", "rows")
    member.clock = time.time
    member.enter_password()
    member.send(member.get("/staff/second-factor"), "/staff/second-factor", code=member.code)
    close(site)
    return member.cookie


def compare(folder: Path, url: str, rounds: int) -> dict[str, Any]:
    """Measure downloads of the release in a database beside its peer."""
    app = create_commands_app({"DATABASE_URL": url})
    source = folder / "full.csv"
    with app.app_context():
        _, pieces = downloads.open_file(db.session.get_one(Release, 1), "full.csv")
        with source.open("wb") as file:
            file.writelines(pieces)
    close(app)
    plain_table(url, source)
    (folder / "keys").mkdir(exist_ok=True)
    for purpose in {purpose for surface in PURPOSES.values() for purpose in surface}:
        create_ring(folder / "keys", purpose, date.today())
    ours, theirs = [], []
    with LiveServer(folder, "--workers", "1", "--log-level", "error", SCREENING_DATABASE_URL=url) as server:
        cookie = sign_in(folder, url)
        for _ in range(rounds):
            ours.append(download(server, cookie, "full.csv"))
            theirs.append(timed(peers(url)))
    return {
        "seconds": spread([one["seconds"] for one in ours]),
        "peer_seconds": spread(theirs),
        "ratio": spread([one["seconds"] / peer for one, peer in zip(ours, theirs, strict=True)]),
        "megabytes": max(one["megabytes"] for one in ours),
        "bytes": ours[0]["bytes"],
    }


def measure(sizes: list[int], rounds: int) -> dict[str, Any]:
    """Measure everything, on both databases."""
    found: dict[str, Any] = {"create": {}, "download": {}, "noise_ms": []}
    with tempfile.TemporaryDirectory() as name, Cluster() as cluster:
        for kind in ("sqlite", "postgresql"):
            for size in sizes:
                folder = Path(name) / f"{kind}{size}"
                folder.mkdir()
                url = f"sqlite:///{folder}/site.sqlite" if kind == "sqlite" else cluster.url(f"bench{size}")
                if kind == "postgresql":
                    cluster.execute(f"CREATE DATABASE bench{size}")
                fill(url, size)
                found["noise_ms"].append(noise())
                found["create"][f"{kind} {size}"] = alone("create", url)
            found["download"][kind] = {"rows": size} | compare(folder, url, rounds)
            if kind == "sqlite":
                ours = alone("workbook", url, str(folder / "ours.xlsx"))
                theirs = alone("peer_workbook", str(folder / "full.csv"), str(folder / "theirs.xlsx"))
                found["workbook"] = {"rows": size, "ours": ours, "xlsxwriter": theirs}
    found["noise_ms"] = spread(found["noise_ms"])
    return found


def text(found: dict[str, Any]) -> str:
    """Return the report as text."""
    lines = ["Making a release", f"{'':24}{'seconds':>9}{'MB':>7}"]
    for what, one in found["create"].items():
        lines.append(f"{what + ' copies':24}{one['seconds']:>9.1f}{one['megabytes']:>7.0f}")
    ours, theirs = found["workbook"]["ours"], found["workbook"]["xlsxwriter"]
    for kind in found["download"]:
        made = found["create"][f"{kind} {found['workbook']['rows']}"]["seconds"] / theirs["seconds"]
        lines.append(f"{kind}: {made:.2f} times as long as xlsxwriter takes to write a workbook of the rows")
    lines += ["", "CSV of the full release over HTTP"]
    for kind, one in found["download"].items():
        peer = {"sqlite": "sqlite3 -csv", "postgresql": "psql COPY"}[kind]
        seconds, peer_seconds = one["seconds"]["median"], one["peer_seconds"]["median"]
        lines.append(
            f"{kind}: {one['rows']} rows, {one['bytes'] / 1e6:.0f} MB in {seconds:.2f} s, server grew by {one['megabytes']:.0f} MB; "
            f"{peer} {peer_seconds:.2f} s: {as_text(one['ratio'])} times as long"
        )
    lines += ["", "Workbook", f"{found['workbook']['rows']} rows in {ours['seconds']:.1f} s, {ours['megabytes']:.0f} MB; xlsxwriter "
              f"{theirs['seconds']:.1f} s, {theirs['megabytes']:.0f} MB: {theirs['seconds'] / ours['seconds']:.1f} times as fast"]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":  # one measurement in a process of its own: see ``alone``
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
