"""Shuffling: responses leave the pending database together or not at all, and none is lost or duplicated."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from screening.cli.commands_app import create_commands_app
from screening.extensions import db
from screening.questionnaires.model import Questionnaire
from screening.responses import StoreResult, record, shuffling, withdraw
from tests.support.absence import assert_absent
from tests.support.databases import close
from tests.support.threads import run_together
from tests.support.visitor import SIGNS

K = 11


def agree(questionnaire: Questionnaire, number: int) -> str:
    """Store one visitor's response; its average pain identifies it."""
    response_id = f"{number:032x}"
    answers = {**dict.fromkeys(SIGNS, "1"), "pain_duration": "over_a_year", "pain_average": str(number % 11)}
    outcome = record(
        response_id, questionnaire, {**answers, "consent": "yes", "age": "declined"}, "2026-11", stored_before=False
    )
    assert outcome is StoreResult.PENDING
    return response_id


def stored(table: str, bind: str | None) -> list[tuple[str, str]]:
    with db.engines[bind].connect() as connection:
        rows = connection.execute(text(f"SELECT id, answers FROM {table}")).all()
    return [(id_, answers if isinstance(answers, str) else json.dumps(answers)) for id_, answers in rows]


def shuffled() -> list[tuple[str, str]]:
    return stored("shuffled_response", None)


def pending() -> list[tuple[str, str]]:
    return stored("pending_response", "pending")


def test_fewer_than_k_responses_stay_pending(commands, questionnaire):
    for number in range(K - 1):
        agree(questionnaire, number)
    assert shuffling.shuffle(K) == shuffling.ShuffleResult(moved=0, pending=K - 1, scrubbed=True)
    assert len(pending()) == K - 1 and shuffled() == []


@pytest.mark.each_database
def test_k_responses_are_shuffled_together_under_fresh_ids(commands, questionnaire):
    ids = {agree(questionnaire, number) for number in range(K)}
    before = sorted(answers for _, answers in pending())
    assert shuffling.shuffle(K).moved == K
    assert pending() == []
    after = shuffled()
    assert sorted(answers for _, answers in after) == before
    assert not ids & {id_ for id_, _ in after} and len({id_ for id_, _ in after}) == K


def test_second_shuffle_moves_nothing(commands, questionnaire):
    for number in range(K):
        agree(questionnaire, number)
    shuffling.shuffle(K)
    assert shuffling.shuffle(K).moved == 0 and len(shuffled()) == K


@pytest.mark.parametrize("step", ["_move", "_clear", "scrub"])
@pytest.mark.each_database
def test_killed_shuffle_is_finished_by_the_next_run(commands, questionnaire, monkeypatch, step):
    class KilledError(Exception):
        pass

    def killed(*arguments, **options):
        raise KilledError

    for number in range(K):
        agree(questionnaire, number)
    calls = {"count": 0}
    original = getattr(shuffling, step)

    def second_time(*arguments, **options):
        calls["count"] += 1
        # _clear runs once before any claim; the second call is the one under test.
        return killed() if step != "_clear" or calls["count"] == 2 else original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(shuffling, step, second_time)
        with pytest.raises(KilledError):
            shuffling.shuffle(K)
    agree(questionnaire, 100)
    shuffling.shuffle(K)
    assert len(shuffled()) == K and len(pending()) == 1


@pytest.mark.each_database
def test_started_shuffle_refuses_change_and_withdrawal(commands, questionnaire, monkeypatch):
    ids = [agree(questionnaire, number) for number in range(K)]
    monkeypatch.setattr(shuffling, "_move", lambda *arguments: 0)
    shuffling.shuffle(K)
    monkeypatch.undo()
    assert withdraw(ids[0], stored_before=True) is StoreResult.SHUFFLED
    answers = {**dict.fromkeys(SIGNS, "3"), "consent": "yes"}
    for before in (True, False):
        assert record(ids[1], questionnaire, answers, "2026-11", stored_before=before) is StoreResult.SHUFFLED
    shuffling.shuffle(K)
    assert len(shuffled()) == K and not [
        answers for _, answers in shuffled() if '"3"' in answers.replace('"pain_average": "3"', "")
    ]


@pytest.mark.each_database
def test_concurrent_shuffles_lose_and_duplicate_nothing(commands, questionnaire, database_url, clock):
    for number in range(5 * K):
        agree(questionnaire, number)
    before = sorted(answers for _, answers in pending())

    def run(_):
        app = create_commands_app({"DATABASE_URL": database_url, "CLOCK": clock})
        with app.app_context():
            try:
                shuffling.shuffle(K)
            except Exception as error:  # a locked database is a valid result, too: the next run resumes
                assert "locked" in str(error), error
        close(app)

    run_together(4, run)
    shuffling.shuffle(K)
    assert sorted(answers for _, answers in shuffled()) == before and pending() == []


def test_shuffle_leaves_no_pending_ids_in_database_files(commands, questionnaire, tmp_path):
    ids = [agree(questionnaire, 10**30 + number * 7919) for number in range(50)]
    everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert all(id_.encode() in everything for id_ in ids), "the control: the ids were stored"
    assert shuffling.shuffle(K).scrubbed
    assert_absent(ids, tmp_path)
    one = agree(questionnaire, 10**31)
    withdraw(one, stored_before=True)
    shuffling.shuffle(K)
    assert_absent([one], tmp_path)


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
def test_failed_response_insert_logs_no_values(commands, questionnaire, caplog):
    answers = {**dict.fromkeys(SIGNS, "1"), "pain_duration": "under_3_months", "consent": "yes", "age": "declined"}
    with db.engines["pending"].begin() as connection:
        connection.execute(text("DROP TABLE pending_response"))
    assert record("f" * 32, questionnaire, answers, "zentinelperiod", stored_before=False) is StoreResult.UNAVAILABLE
    assert "pending responses cannot be reached" in caplog.text
    assert_absent(["zentinelperiod", "under_3_months", "f" * 32], caplog.text)
