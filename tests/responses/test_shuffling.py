"""Shuffling: ripe responses leave the pending database together or not at all, and none is lost or duplicated."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from screening.cli.commands_app import create_commands_app
from screening.crypto import sealed_box
from screening.extensions import db
from screening.responses import StoreResult, response_keys, shuffling
from tests.support.absence import assert_absent
from tests.support.clock import START
from tests.support.pending import ripen, shuffle_all
from tests.support.threads import run_in_own_sites

K = 11
NOW = int(START)

WHOLE = {"period": "2026-11", "questionnaire": "q", "version": 1, "age_band": "x", "pain_duration": "x", "answers": {}}
"""What fits the columns of a shuffled response."""


class KilledError(Exception):
    """Stands for SIGKILL."""


def shuffled() -> list[tuple[str, str]]:
    """Return id and answers of each shuffled response."""
    with db.engines[None].connect() as connection:
        rows = connection.execute(text("SELECT id, answers FROM shuffled_response")).all()
    return [(id_, answers if isinstance(answers, str) else json.dumps(answers)) for id_, answers in rows]


def pending() -> list[str]:
    """Return the hash of each pending response."""
    with db.engines["pending"].connect() as connection:
        return list(connection.execute(text("SELECT id_hash FROM pending_response")).scalars())


def averages() -> list[int]:
    """Return the average pain of each shuffled response, which identifies it."""
    return sorted(int(json.loads(answers)["pain_average"]) for _, answers in shuffled())


def store_box(content, key_id=None, id_hash="d" * 64):
    """Store something encrypted to the published key, as an attacker can who writes to the database."""
    with db.engines["pending"].begin() as connection:
        active, public = response_keys.active_key(connection)
        box = content if isinstance(content, bytes) else sealed_box.encrypt(public, id_hash, content)
        connection.execute(
            text("INSERT INTO pending_response (id_hash, key_id, ciphertext) VALUES (:id, :key, :box)"),
            {"id": id_hash, "key": key_id or active, "box": box},
        )


def test_fewer_than_k_responses_stay_pending(commands, own_keys, agree):
    for number in range(K - 1):
        agree(number)
    assert shuffle_all(own_keys, K, NOW) == shuffling.ShuffleResult(moved=0, pending=K - 1, scrubbed=True)
    assert len(pending()) == K - 1 and shuffled() == []
    agree(K - 1)
    assert shuffle_all(own_keys, K, NOW).moved == K, "those of several days are shuffled together"


@pytest.mark.each_database
def test_k_responses_are_shuffled_together_under_fresh_ids(commands, own_keys, agree):
    for number in range(K):
        agree(number)
    before = pending()
    assert shuffle_all(own_keys, K, NOW).moved == K
    assert pending() == [] and averages() == sorted(number % 11 for number in range(K))
    ids = {id_ for id_, _ in shuffled()}
    assert len(ids) == K and not ids & set(before)


def test_second_shuffle_moves_nothing(commands, own_keys, agree):
    for number in range(K):
        agree(number)
    shuffle_all(own_keys, K, NOW)
    assert shuffle_all(own_keys, K, NOW).moved == 0 and len(shuffled()) == K


@pytest.mark.parametrize("step", ["_move", "_clear", "scrub", "destroy_retired_keys", "destroy_keys"])
@pytest.mark.each_database
def test_killed_shuffle_is_finished_by_the_next_run(commands, own_keys, agree, monkeypatch, step):
    for number in range(K):
        agree(number)
    module = shuffling if hasattr(shuffling, step) else response_keys
    original, calls = getattr(module, step), []

    def killed(*arguments, **options):
        calls.append(step)
        if step == "_clear" and len(calls) == 1:  # _clear runs once before any claim
            return original(*arguments, **options)
        raise KilledError

    ripen(own_keys, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(module, step, killed)
        with pytest.raises(KilledError):
            shuffling.shuffle(own_keys, K, NOW)
    agree(100)
    shuffling.shuffle(own_keys, K, NOW)
    assert averages() == sorted(number % 11 for number in range(K)) and len(pending()) == 1
    assert len(response_keys.read_ring(own_keys, "responses").keys) == 2, "only today's keys are left"


@pytest.mark.each_database
def test_started_shuffle_refuses_change_and_withdrawal(commands, own_keys, agree, take_back, monkeypatch):
    for number in range(K):
        agree(number)
    monkeypatch.setattr(shuffling, "_move", lambda *arguments: 0)
    shuffle_all(own_keys, K, NOW)
    monkeypatch.undo()
    assert take_back(0) is StoreResult.SHUFFLED
    for before in (True, False):
        assert agree(1, sadness="3", stored_before=before) is StoreResult.SHUFFLED
    shuffling.shuffle(own_keys, K, NOW)
    assert len(shuffled()) == K and not [answers for _, answers in shuffled() if '"sadness": "3"' in answers]


@pytest.mark.each_database
def test_concurrent_shuffles_lose_and_duplicate_nothing(commands, own_keys, agree, database_url, clock):
    for number in range(4 * K):
        agree(number)
    ripen(own_keys, NOW)

    def make():
        return create_commands_app({"DATABASE_URL": database_url, "CLOCK": clock})

    def run(_site):
        try:
            shuffling.shuffle(own_keys, K, NOW)
        except Exception as error:  # a locked database is a valid result, too: the next run resumes
            assert "locked" in str(error), error

    run_in_own_sites(4, make, run)
    shuffling.shuffle(own_keys, K, NOW)
    assert averages() == sorted(number % 11 for number in range(4 * K)) and pending() == []


def test_shuffle_leaves_no_pending_hashes_in_database_files(commands, own_keys, agree, take_back, tmp_path):
    for number in range(50):
        agree(number)
    hashes = pending()
    everything = b"".join(file.read_bytes() for file in tmp_path.glob("site*"))
    assert all(id_.encode() in everything for id_ in hashes), "the control: the hashes were stored"
    assert shuffle_all(own_keys, K, NOW).scrubbed
    for file in tmp_path.glob("site*"):
        assert_absent(hashes, file)
    agree(100)
    (one,) = pending()
    take_back(100)
    shuffle_all(own_keys, K, NOW)
    for file in tmp_path.glob("site*"):
        assert_absent([one], file)


@pytest.mark.each_database
@pytest.mark.parametrize(
    "content",
    [
        b"zentinel" * 20,
        {"period": "2026-11"},
        WHOLE | {"version": "1"},
        WHOLE | {"answers": ["sadness"]},
        WHOLE | {"answers": {"sadness": "\0"}},
        WHOLE | {"period": "2026-11-26"},
        WHOLE | {"version": 2**31},
    ],
    ids=["no box", "incomplete", "wrong type", "no codes", "zero byte", "long", "large"],
)
def test_damaged_response_is_deleted_and_not_counted(commands, own_keys, agree, caplog, content):
    """Else damaged rows could fill up a batch until one visitor's row stands alone, or stop every later shuffle."""
    for number in range(K - 1):
        agree(number)
    store_box(content)
    assert shuffle_all(own_keys, K, NOW).moved == 0
    assert len(pending()) == K - 1 and "damaged and were deleted: 1" in caplog.text
    agree(K)
    assert shuffle_all(own_keys, K, NOW).moved == K


@pytest.mark.each_database
def test_box_moved_to_another_row_is_refused(commands, own_keys, agree):
    for number in range(K):
        agree(number)
    with db.engines["pending"].begin() as connection:
        first, second = connection.execute(text("SELECT id_hash, ciphertext FROM pending_response LIMIT 2")).all()
        swap = text("UPDATE pending_response SET ciphertext = :box WHERE id_hash = :id")
        connection.execute(swap, {"id": first.id_hash, "box": second.ciphertext})
    assert shuffle_all(own_keys, K, NOW) == shuffling.ShuffleResult(moved=0, pending=K - 1, scrubbed=True)


@pytest.mark.each_database
def test_pending_table_is_unlogged_or_without_rowid(commands):
    engine = db.engines["pending"]
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            kind = connection.execute(
                text("SELECT relpersistence FROM pg_class WHERE relname = 'pending_response'")
            ).scalar()
            assert kind == "u"
        else:
            sql = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = 'pending_response'")).scalar()
            assert "WITHOUT ROWID" in str(sql)


@pytest.mark.each_database
def test_failed_response_insert_logs_no_values(commands, agree, caplog):
    with db.engines["pending"].begin() as connection:
        connection.execute(text("DROP TABLE pending_response"))
    assert agree(0xFFFFFFFFFFFFFFFF) is StoreResult.UNAVAILABLE
    assert "pending responses cannot be reached" in caplog.text
    assert_absent(["under_3_months", "f" * 16], caplog.text)
