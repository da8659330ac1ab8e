"""A flood of responses is held apart from the pool until a releaser accepts or discards it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, text

from screening.audit import AuditEvent
from screening.extensions import db
from screening.responses import held_batches, shuffling
from screening.responses.models import ShuffledBatch
from tests.support.clock import START
from tests.support.pending import ripen, shuffle_all
from tests.support.threads import run_together

K = 5
NOW = int(START)
USUAL = 6
FLOOD = 31
"""More than five times the usual size, and than five times k."""


def count(table: str) -> int:
    with db.engines[None].connect() as connection:
        return connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def past(*sizes: int, state: str = held_batches.ACCEPTED) -> None:
    """Store batches of these sizes, the newest last."""
    with db.engines[None].begin() as connection:
        for number, size in enumerate(sizes):
            values = {"batch": f"{state}{number}", "shuffled_at": NOW - 1000 + number, "rows": size, "state": state}
            connection.execute(insert(ShuffledBatch).values(values))


@pytest.fixture
def flood(commands, own_keys, agree):
    """Shuffle FLOOD responses after a month of the usual number."""
    past(*[USUAL] * 28)
    for number in range(FLOOD):
        agree(number)
    assert shuffle_all(own_keys, K, NOW).moved == FLOOD
    [held] = held_batches.list_held()
    return held.batch


@pytest.mark.each_database
def test_flood_is_held_apart_and_then_accepted(flood):
    assert (count("shuffled_response"), count("held_response")) == (0, FLOOD)
    assert held_batches.accept(flood, NOW + 1, "rita")
    assert (count("shuffled_response"), count("held_response")) == (FLOOD, 0)
    assert held_batches.list_held() == []
    event = db.session.query(AuditEvent).one()
    assert (event.action, event.actor, event.at) == ("responses.accepted", "rita", NOW + 1)
    assert (event.subject, event.detail) == (flood, {"rows": str(FLOOD)})


@pytest.mark.each_database
def test_flood_is_held_apart_and_then_discarded(flood):
    assert held_batches.discard(flood, NOW + 1, "rita")
    assert (count("shuffled_response"), count("held_response")) == (0, 0)
    assert db.session.query(AuditEvent).one().action == "responses.discarded"


@pytest.mark.each_database
def test_batch_is_decided_on_only_once(flood, commands):
    def decide(number):
        with commands.app_context():
            return (held_batches.accept if number % 2 else held_batches.discard)(flood, NOW, "rita")

    assert sorted(run_together(4, decide)) == [False, False, False, True]
    assert count("shuffled_response") in (0, FLOOD) and count("held_response") == 0
    assert not held_batches.accept("f" * 32, NOW, "rita"), "an unknown batch"


def test_killed_run_stores_a_held_batch_once(commands, own_keys, agree, monkeypatch):
    past(*[USUAL] * 28)
    for number in range(FLOOD):
        agree(number)
    ripen(own_keys, NOW)
    clear, calls = shuffling._clear, []

    def killed(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise SystemExit
        return clear(*arguments)

    monkeypatch.setattr(shuffling, "_clear", killed)
    with pytest.raises(SystemExit):
        shuffling.shuffle(own_keys, K, NOW)
    shuffling.shuffle(own_keys, K, NOW)
    assert count("held_response") == FLOOD and len(held_batches.list_held()) == 1


@pytest.mark.parametrize(
    ("earlier", "size", "is_held"),
    [
        ([USUAL] * 28, 30, False),
        ([USUAL] * 28, 31, True),
        ([2] * 28, 24, False),  # under five times k
        ([2] * 28, 25, True),
        ([100] * 20 + [1] * 28, 25, True),  # only the last 28 count
        ([1] * 13 + [100] * 15, 500, False),
        ([], 24, False),
        ([1000] * 6, 25, True),  # fewer than seven: k alone decides
        ([1000] * 7, 25, False),
    ],
)
def test_size_of_a_batch_decides(commands, earlier, size, is_held):
    past(*earlier)
    with db.engines[None].connect() as connection:
        assert held_batches.is_conspicuous(size, K, held_batches.past_sizes(connection)) is is_held


def test_held_and_discarded_batches_do_not_raise_the_limit(commands):
    past(*[USUAL] * 28)
    past(*[10**6] * 28, state=held_batches.HELD)
    past(*[10**6] * 28, state=held_batches.DISCARDED)
    with db.engines[None].connect() as connection:
        assert held_batches.past_sizes(connection) == [USUAL] * 28


@given(st.integers(0, 10**6), st.integers(5, 100), st.lists(st.integers(0, 10**5), max_size=28))
def test_larger_batch_is_held_if_a_smaller_one_is(size, k, earlier):
    if held_batches.is_conspicuous(size, k, earlier):
        assert size >= 5 * k and held_batches.is_conspicuous(size + 1, k, earlier)


@given(st.integers(5, 100), st.lists(st.integers(1, 10**4), min_size=7, max_size=28))
def test_batch_of_the_usual_size_is_never_held(k, earlier):
    assert not held_batches.is_conspicuous(sorted(earlier)[len(earlier) // 2], k, earlier)
