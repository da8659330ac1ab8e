"""An insider with the whole database tries to link visitors' arrivals to shuffled responses.

The attacker knows the order in which 2,000 responses arrived (storage shows it), and every order that storage can reveal: by row, by byte in the files, by id, by ctid, xmin and cmin. The answers are not
part of the attack: they are the ground truth. Without shuffling the same attack must succeed, as a control.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.crypto.keyring import DRAFT, Keyring
from screening.extensions import db
from screening.responses import StoreResult, held_batches, record
from tests.support.clock import START
from tests.support.databases import close
from tests.support.linkage import (
    ARRIVALS,
    MAX_CORRELATION,
    MAX_HITS,
    codes,
    correlation,
    hits,
    orders,
    rows,
    serial_of,
    stored_bytes,
)
from tests.support.pending import opened_responses, ripen, shuffle_all

pytestmark = pytest.mark.each_database

SEED = 20261122

K = 500
"""So large that a batch of all arrivals is not held apart."""


@pytest.fixture
def commands(database_url):
    app = create_commands_app({"DATABASE_URL": database_url})
    with app.app_context():
        yield app
    close(app)


def arrive(questionnaire, keys) -> list[int]:
    """Store responses one by one; return their serials in that order."""
    rng = random.Random(SEED)
    serials = rng.sample(range(4**7), ARRIVALS)
    for serial in serials:
        agree(questionnaire, keys, rng, serial)
    return serials


def agree(questionnaire, keys, rng, serial) -> None:
    """Store the response with this serial."""
    answers, response_id = {**codes(serial), "consent": "yes", "age": "declined"}, f"{rng.getrandbits(128):032x}"
    drafts = Keyring(keys, (DRAFT,))
    assert record(drafts, response_id, questionnaire, answers, "2026-11", stored_before=False) is StoreResult.PENDING


@pytest.fixture
def read_files(request, database_kind, database_url, tmp_path):
    """Return a function that returns all bytes that the database stores."""
    cluster = request.getfixturevalue("cluster") if database_kind == "postgresql" else None
    return lambda: stored_bytes(tmp_path, database_url, cluster)


def readable(content: bytes) -> int:
    """Return how many rows of answers can be read in these bytes."""
    return content.count(b'"sadness": "') + content.count(b'"sadness":"')


def test_storage_order_links_arrivals_no_better_than_chance(
    commands, questionnaire, tmp_path, report, own_keys, read_files
):
    already = readable(read_files())  # PostgreSQL's write-ahead log holds those of other tests
    arrived = arrive(questionnaire, own_keys)
    kind = db.engines[None].dialect.name
    found = readable(read_files()) - already
    report(f"{kind}: before shuffling, {found} of {ARRIVALS} responses are readable in any byte of the files")
    assert found == 0
    before = {row[0] for row in rows("pending", "SELECT id_hash FROM pending_response")}
    assert shuffle_all(own_keys, K, START).moved == ARRIVALS
    assert readable(read_files()) - already >= ARRIVALS, "the control: the search finds shuffled responses"
    after = {row[0] for row in rows(None, "SELECT id FROM shuffled_response")}
    assert not before & after and len(after) == ARRIVALS
    attacks = orders("shuffled_response", arrived, tmp_path)
    assert len(attacks) >= 3
    for name, order in attacks.items():
        right, rho = hits(arrived, order), correlation(arrived, order)
        report(f"{kind}: {name}: {right} of {ARRIVALS} pairs right (chance: 1), correlation {rho:+.3f}")
        assert right <= MAX_HITS and abs(rho) <= MAX_CORRELATION
    if kind == "postgresql":
        (one,) = rows(None, "SELECT count(DISTINCT xmin::text) FROM shuffled_response")
        assert one == (1,), "one transaction for all rows"
    else:
        left = read_files()
        found = sum(id_.encode() in left for id_ in before)
        report(f"{kind}: {found} of {ARRIVALS} old ids found in any byte of the files")
        assert found == 0


def test_attack_succeeds_on_unshuffled_rows(commands, questionnaire, tmp_path, report):
    """The control: rows stored one by one on arrival, as in a plain table."""
    rng = random.Random(SEED)
    arrived = rng.sample(range(4**7), ARRIVALS)
    engine = db.engines[None]
    number = "INTEGER PRIMARY KEY" if engine.dialect.name == "sqlite" else "SERIAL PRIMARY KEY"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE plain (id {number}, answers TEXT)"))
    for serial in arrived:
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO plain (answers) VALUES (:a)"), {"a": json.dumps(codes(serial))})
    for name, order in orders("plain", arrived, tmp_path).items():
        right, rho = hits(arrived, order), correlation(arrived, order)
        report(
            f"{engine.dialect.name}, control without shuffling: {name}: {right} of {ARRIVALS}, correlation {rho:+.3f}"
        )
        if name.startswith(("as rows lie", "by")) and "bytes" not in name:
            assert right == ARRIVALS


def test_killed_shuffle_loses_and_duplicates_nothing(questionnaire, database_url, report, own_keys):
    app = create_commands_app({"DATABASE_URL": database_url})
    rng = random.Random(SEED)
    with app.app_context():
        arrived = sorted(arrive(questionnaire, own_keys))
        killed = finished = 0
        environment = {"SCREENING_DATABASE_URL": database_url, "PATH": "/usr/bin:/bin"}
        environment["SCREENING_KEYS_DIR"] = str(own_keys)
        command = [sys.executable, "-m", "flask", "responses", "shuffle"]
        # Runs without enough to shuffle measure the time until shuffling starts; kills occur after it. The first is slow.
        times = []
        for _ in range(3):
            began = time.monotonic()
            shuffles_nothing = environment | {"SCREENING_MIN_GROUP_SIZE": "1000000"}
            subprocess.run(command, cwd=ROOT, env=shuffles_nothing, check=True, capture_output=True)
            times.append(time.monotonic() - began)
        start_seconds = min(times)
        for attempt in range(25):
            ripen(own_keys, time.time())
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=-3, stderr=-3)
            try:
                process.wait(None if attempt % 6 == 5 else start_seconds * rng.uniform(0.7, 1.3))
                finished += 1
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            if attempt % 5 == 4:  # more visitors in between
                extra = rng.sample(sorted(set(range(4**7)) - set(arrived)), 30)
                for serial in extra:
                    agree(questionnaire, own_keys, rng, serial)
                arrived = sorted([*arrived, *extra])
        shuffle_all(own_keys, 5, time.time())
        for held in held_batches.list_held():
            held_batches.accept(held.batch, int(time.time()), "command")
        stored = sorted(serial_of(row[0]) for row in rows(None, "SELECT answers FROM shuffled_response"))
        pending = sorted(serial_of(row["answers"]) for row in opened_responses(database_url, own_keys))
        report(f"{killed} runs killed, {finished} finished: {len(stored)} shuffled, {len(pending)} pending")
        assert sorted(stored + pending) == arrived
        assert killed >= 5
    close(app)
