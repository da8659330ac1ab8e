"""Backups at full size, under traffic, and killed repeatedly, on both databases.

A million shuffled responses and a release of a million rows are backed up from SQLite, restored to PostgreSQL, backed
up again and restored to SQLite: both backups have the same rows, and no process needs much memory.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

import pytest

from screening.callbacks import reference_code
from screening.callbacks.patient_views import MIN_FORM_SECONDS
from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.crypto.keyring import BACKUP, Keyring
from screening.operations.backup import encryption, file_format
from tests.support import processes, release_factory
from tests.support.databases import close
from tests.support.live_patient import Patient, references_in
from tests.support.live_server import LiveServer
from tests.support.sample_responses import generate, store
from tests.support.tampering import rows_in

MILLION = 1_000_000
MEGABYTES = 192
"""Maximum memory of a command in MB; an idle one uses about 90."""

COPIES = 30_000
KILLS = 12
WAVES, A_WAVE = 3, 24
SEED = 4711


MEASURED_FLASK = """
import atexit, pathlib, re, sys, time
from flask.cli import main

@atexit.register
def tell():
    fullest = re.search("VmHWM:\\s+([0-9]+)", pathlib.Path("/proc/self/status").read_text())[1]
    print(time.process_time(), fullest, file=sys.stderr)

main()
"""
"""``flask``, which prints at its end the CPU time and memory that it used."""


def environment(url, keys):
    return processes.environment(SCREENING_DATABASE_URL=url, SCREENING_KEYS_DIR=keys)


def begin(url, keys, *arguments):
    """Start a command as a process."""
    command = [sys.executable, "-m", "flask", *(str(argument) for argument in arguments)]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=ROOT, env=environment(url, keys), stdout=quiet, stderr=quiet)


def measured(url, keys, *arguments):
    """Run a command to its end; return seconds, CPU seconds, and peak memory in MB."""
    command, began = (
        [sys.executable, "-c", MEASURED_FLASK, *(str(argument) for argument in arguments)],
        time.perf_counter(),
    )
    done = subprocess.run(command, cwd=ROOT, env=environment(url, keys), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    processor, kilobytes = done.stderr.split()[-2:]
    return time.perf_counter() - began, float(processor), int(kilobytes) / 1024


def fill(url, copies):
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context():
        responses = generate(copies)
        while several := list(islice(responses, 10_000)):
            store(several)
    close(app)


def rows_digest(file, keys):
    """Return a digest of the rows in a backup except the audit events, of which each step adds one."""
    digest = hashlib.sha256()
    with (
        file.open("rb") as source,
        gzip.GzipFile(fileobj=encryption.DecryptingReader(source, Keyring(keys, (BACKUP,)))) as lines,
    ):
        for line in lines:
            if line.startswith(b'{"table":') and json.loads(line)["table"] != "audit_event":
                digest.update(line)
    return digest.hexdigest()


def test_million_row_backup_round_trips_in_little_memory(empty_database, questionnaire, keys, tmp_path, report):
    url = empty_database("sqlite")
    fill(url, MILLION)
    app = create_commands_app({"DATABASE_URL": url})
    with app.app_context():
        release_factory.release(questionnaire, count=MILLION // 10, times=10)
    close(app)
    files = [tmp_path / "of sqlite", tmp_path / "of postgresql"]
    server = empty_database("postgresql")
    steps = [
        ("backup of SQLite", url, "backup", files[0]),
        ("restore into PostgreSQL", server, "restore", files[0]),
        ("backup of PostgreSQL", server, "backup", files[1]),
        ("restore into SQLite", empty_database("sqlite"), "restore", files[1]),
    ]
    for name, database, *arguments in steps:
        seconds, processor, megabytes = measured(database, keys, *arguments)
        size = arguments[1].stat().st_size / 1e6
        report(f"{name}: {seconds:.0f} s ({processor:.0f} s of a processor), {megabytes:.0f} MB; file {size:.0f} MB")
        assert megabytes < MEGABYTES
    assert rows_digest(files[0], keys) == rows_digest(files[1], keys)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request):
    return request.param


@pytest.fixture
def filled(kind, empty_database):
    url = empty_database(kind)
    fill(url, COPIES)
    return url


def ends_within(process, seconds):
    """Return whether a command ends by itself within this time."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill(process, seconds):
    """Kill a command after so many seconds, unless it has ended; return whether it was killed."""
    if not ends_within(process, seconds):
        process.kill()
    return process.wait(20) == -signal.SIGKILL


def written(folder):
    """Return the bytes written to a backup in progress; -1 if none is."""
    with suppress(FileNotFoundError):
        return max((part.stat().st_size for part in folder.glob(".*.part")), default=-1)
    return -1


def test_killed_backup_leaves_a_complete_file(kind, filled, keys, tmp_path, report):
    """Killed after a given number of bytes: alternately a part, and all of them plus a moment."""
    file, ring, rng = tmp_path / "backups" / "today", Keyring(keys, (BACKUP,)), random.Random(SEED)
    file.parent.mkdir()
    measured(filled, keys, "backup", file)
    size, killed, partial, replaced = file.stat().st_size, 0, 0, 0
    for number in range(KILLS):
        before, least = file.read_bytes(), (rng.randrange(size * 9 // 10), size - 1000)[number % 2]
        process = begin(filled, keys, "backup", file, "--replace")
        while written(file.parent) < least and not ends_within(process, 0.001):
            pass
        killed += kill(process, rng.uniform(0, 0.5) * (number % 2))
        partial += 0 <= written(file.parent) < size - 1000
        replaced += file.read_bytes() != before
        assert file_format.check_header(file, ring).rows["shuffled_response"] == COPIES
        for part in file.parent.glob(".*.part"):
            part.unlink()
    report(
        f"{kind}: of {KILLS} backups {killed} killed, {partial} partly written; {replaced} replaced the previous one"
    )
    assert partial >= KILLS // 4
    assert len(rows_in(filled)["shuffled_response"]) == COPIES


def test_killed_restore_stores_everything_or_nothing(kind, filled, empty_database, keys, tmp_path, report):
    """Killed after reading a given part of the file: alternately a part, and all of it plus a moment."""
    file, pipe, rng = tmp_path / "backup", tmp_path / "pipe", random.Random(SEED)
    measured(filled, keys, "backup", file)
    whole, url = file.read_bytes(), empty_database(kind)
    os.mkfifo(pipe)
    killed = everything = 0
    for number in range(KILLS):
        process = begin(url, keys, "restore", pipe)
        with pipe.open("wb", buffering=0) as writer:
            for at in range(0, (rng.randrange(len(whole)), len(whole))[number % 2], 4096):
                writer.write(whole[at : at + 4096])  # waits while the pipe is full
            if number % 2 == 0:
                killed += kill(process, 0)
        if number % 2:
            killed += kill(process, rng.uniform(0, 1))
        found = rows_in(url)
        assert (len(found["shuffled_response"]), len(found["audit_event"])) in ((0, 0), (COPIES, 1))
        if found["shuffled_response"]:
            everything, url = everything + 1, empty_database(kind)
    report(f"{kind}: of {KILLS} restores {killed} killed; {everything} stored everything, the others nothing")
    assert killed >= KILLS // 2
    measured(url, keys, "restore", file)


def test_backup_under_traffic_is_a_consistent_snapshot(kind, empty_database, request, tmp_path, report):
    """Many visitors press Send as soon as a backup starts; none waits for it, and it is a consistent snapshot."""
    settings = {"SCREENING_RATE_LIMIT_REQUESTS": "100000 per hour"}
    if kind == "postgresql":
        settings["SCREENING_DATABASE_URL"] = request.getfixturevalue("cluster").copy_of("template0")
    with LiveServer(tmp_path, "--workers", "2", **settings) as server, ThreadPoolExecutor(8) as pool:
        fill(server.database, COPIES)
        patients = list(pool.map(lambda number: Patient(server, number), range(WAVES * A_WAVE)))
        ready = time.monotonic() + MIN_FORM_SECONDS + 1
        while time.monotonic() < ready:  # the minimum time on a form
            patients[0].request("GET", "/healthz")
        known, beside, backups = [], 0, []
        for wave in range(WAVES):
            folder = tmp_path / f"wave {wave}"
            folder.mkdir()
            before, process = set(known), begin(server.database, tmp_path / "keys", "backup", folder / "backup")
            while written(folder) < 0:
                assert not ends_within(process, 0.001)
            for shown in pool.map(Patient.send, patients[wave * A_WAVE :][:A_WAVE]):
                assert shown is not None, "a backup blocks no request"
                known.append(reference_code.fingerprint(shown))
                beside += process.poll() is None
            assert process.wait(60) == 0
            backups.append((before, folder / "backup", set(known)))
        counts = []
        for before, file, after in backups:
            restored = empty_database(kind)
            measured(restored, tmp_path / "keys", "restore", file)
            found = set(references_in(restored))
            assert before <= found <= after
            counts.append(len(found))
        report(f"{kind}: {len(known)} requests came, {beside} were answered during a backup; the backups have {counts}")
        assert beside
