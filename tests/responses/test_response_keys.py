"""The daily keys of pending responses: replaced, published and destroyed by the worker, and never needed twice."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import text

from screening.crypto.key_files import activate_key, add_key, read_ring, ring_file
from screening.crypto.keyring import RESPONSES, Keyring, StaleKeysError
from screening.durations import DAY_SECONDS, HOUR_SECONDS
from screening.extensions import db
from screening.responses import response_keys, shuffling
from tests.support.absence import assert_absent
from tests.support.clock import START
from tests.support.databases import pending_responses
from tests.support.pending import ripen

NOW = int(START)
K = 11


def published() -> dict[str, tuple[int, int | None, bool]]:
    """Return publication, replacement and whether held, of each published key by its id."""
    with db.engines["pending"].connect() as connection:
        rows = connection.execute(text("SELECT id, published_at, replaced_at, held FROM pending_key")).all()
    return {row.id: (row.published_at, row.replaced_at, bool(row.held)) for row in rows}


def day_of(now: int) -> date:
    return datetime.fromtimestamp(now, UTC).date()


def ids(folder) -> list[str]:
    return [key.id for key in read_ring(folder, RESPONSES).keys]


@pytest.mark.each_database
def test_each_response_waits_one_to_two_days(commands, own_keys, agree):
    """Eleven agree just before a key is replaced, eleven just after: the worker runs hourly."""
    moved = {}
    for hour in range(80):
        if hour in (24, 25):  # the key published at START is replaced by the run at hour 24
            for number in range(K):
                agree(100 * hour + number)
        if done := shuffling.shuffle(own_keys, K, NOW + hour * HOUR_SECONDS).moved:
            moved[hour] = done
    assert moved == {48: K, 72: K}


@pytest.mark.each_database
def test_key_is_replaced_daily_and_destroyed_a_day_later(commands, own_keys):
    [first] = ids(own_keys)
    secret = ring_file(own_keys, RESPONSES).read_text().split('secret = "')[1].split('"')[0]
    shuffling.shuffle(own_keys, K, NOW + DAY_SECONDS - 1)
    assert ids(own_keys) == [first] and published() == {first: (NOW, None, True)}
    shuffling.shuffle(own_keys, K, NOW + DAY_SECONDS)
    [_, second] = ids(own_keys)
    assert published() == {first: (NOW, NOW + DAY_SECONDS, True), second: (NOW + DAY_SECONDS, None, True)}
    shuffling.shuffle(own_keys, K, NOW + 2 * DAY_SECONDS)
    [active, third] = ids(own_keys)
    assert active == second and set(published()) == {second, third}
    assert_absent([secret], own_keys)


def test_key_stays_while_fewer_than_k_responses_wait(commands, own_keys, agree):
    [first] = ids(own_keys)
    for number in range(K - 1):
        agree(number)
    for day in range(10):
        shuffling.shuffle(own_keys, K, NOW + day * DAY_SECONDS)
    assert len(ids(own_keys)) == 3 and ids(own_keys)[0] == first, "empty generations leave no key"
    agree(K)
    assert shuffling.shuffle(own_keys, K, NOW + 12 * DAY_SECONDS).moved == 0
    assert shuffling.shuffle(own_keys, K, NOW + 13 * DAY_SECONDS).moved == K
    assert first not in ids(own_keys) and first not in published()


def test_new_key_that_was_not_published_is_published_next(commands, own_keys, key_day):
    [first] = ids(own_keys)
    new = add_key(own_keys, RESPONSES, key_day).id
    activate_key(own_keys, RESPONSES, new)  # as a run leaves it that is killed before it publishes
    shuffling.shuffle(own_keys, K, NOW + 60)
    assert published() == {first: (NOW, NOW + 60, True), new: (NOW + 60, None, True)}


def test_clock_set_back_does_not_end_the_rotation(commands, own_keys):
    shuffling.shuffle(own_keys, K, NOW - 9 * DAY_SECONDS)
    shuffling.shuffle(own_keys, K, NOW - 8 * DAY_SECONDS)
    shuffling.shuffle(own_keys, K, NOW - 7 * DAY_SECONDS)
    active = read_ring(own_keys, RESPONSES).active
    assert published()[active] == (NOW - 7 * DAY_SECONDS, None, True)


@pytest.fixture
def other_machine(own_keys, tmp_path, commands, agree):
    """The key files of a second machine, copied before the worker replaced the key and K responses came."""
    shutil.copytree(own_keys, tmp_path / "other")
    shuffling.shuffle(own_keys, K, NOW + DAY_SECONDS)
    for number in range(K):
        agree(number)
    return tmp_path / "other"


@pytest.mark.each_database
def test_worker_without_the_key_leaves_responses_alone(own_keys, other_machine, database_url):
    later = NOW + 3 * DAY_SECONDS
    with pytest.raises(StaleKeysError, match=r"responses\.toml here is older than the published key"):
        shuffling.shuffle(other_machine, K, later)
    assert [held for _, _, held in published().values()].count(False) == 1, "the doctor reports this"
    assert len(pending_responses(database_url)) == K
    shutil.copy(ring_file(own_keys, RESPONSES), ring_file(other_machine, RESPONSES))
    shuffling.shuffle(other_machine, K, later)
    assert all(held for _, _, held in published().values())
    assert shuffling.shuffle(other_machine, K, later + DAY_SECONDS).moved == K


@pytest.mark.each_database
def test_unreadable_responses_count_to_k_only_when_copied(own_keys, other_machine, agree, key_day):
    """The file of the worker is lost, and this machine made and published a key of its own."""
    activate_key(other_machine, RESPONSES, add_key(other_machine, RESPONSES, day_of(NOW + 3 * DAY_SECONDS)).id)
    shuffling.shuffle(other_machine, K, NOW + 3 * DAY_SECONDS)
    agree(1000)
    ripen(other_machine, NOW + 4 * DAY_SECONDS)
    assert shuffling.shuffle(other_machine, K, NOW + 4 * DAY_SECONDS) == shuffling.ShuffleResult(0, K + 1, True)
    assert response_keys.discard_unreadable(other_machine) == K
    assert shuffling.shuffle(other_machine, 1, NOW + 4 * DAY_SECONDS).moved == 1
    assert all(held for _, _, held in published().values())


def test_interrupted_batch_without_its_key_stays(own_keys, other_machine, monkeypatch, database_url):
    with monkeypatch.context() as patch:
        patch.setattr(shuffling, "_move", lambda *arguments: 0)
        shuffling.shuffle(own_keys, K, NOW + 2 * DAY_SECONDS)
        shuffling.shuffle(own_keys, K, NOW + 3 * DAY_SECONDS)
    assert {row["batch"] is None for row in pending_responses(database_url)} == {False}
    with pytest.raises(StaleKeysError):
        shuffling.shuffle(other_machine, K, NOW + 3 * DAY_SECONDS)
    activate_key(other_machine, RESPONSES, add_key(other_machine, RESPONSES, day_of(NOW + 3 * DAY_SECONDS)).id)
    assert shuffling.shuffle(other_machine, K, NOW + 3 * DAY_SECONDS).pending == K
    assert shuffling.shuffle(own_keys, K, NOW + 3 * DAY_SECONDS).moved == K


def test_staff_application_does_not_load_the_keys_of_responses(site):
    with pytest.raises(KeyError):
        site.extensions["staff"].extensions["keyring"].active_id(RESPONSES)
    assert Keyring(site.config["SETTINGS"]["KEYS_DIR"], (RESPONSES,)).active_id(RESPONSES)
