"""An insider reads the database's files, with dead rows, write-ahead log and journal, and knows who came when.

Before the shuffle nothing of a response is readable without the worker's key; afterwards not with today's key files
either. The controls show that the attack works: on plain rows it tells all 8 visitors apart, and the key files of the
day before open all boxes.
"""

from __future__ import annotations

import shutil
from random import Random

import pytest

from screening.crypto import DecryptionError, sealed_box
from screening.crypto.keyring import DRAFT, RESPONSES, Keyring
from screening.responses import StoreResult, record, response_keys, withdraw
from tests.support.clock import START
from tests.support.databases import pending_responses
from tests.support.linkage import PlainTable, age_sentinel, sentinels_in, stored_bytes
from tests.support.pending import shuffle_all
from tests.support.visitor import SIGNS

pytestmark = pytest.mark.each_database

VISITORS = 8
CHANGED, WITHDRAWN = 3, 5
"""The visitors who change and who take back their response."""


@pytest.fixture
def read_files(request, database_kind, database_url, tmp_path):
    """Return a function that returns all bytes that the database stores."""
    cluster = request.getfixturevalue("cluster") if database_kind == "postgresql" else None
    return lambda: stored_bytes(tmp_path, database_url, cluster)


@pytest.fixture
def numbers(request):
    """Numbers of this test's visitors: PostgreSQL's write-ahead log holds those of other tests, too."""
    return Random(request.node.nodeid).sample(range(10**5), VISITORS)


@pytest.fixture
def response_ids(numbers):
    draw = Random(str(numbers))
    return {number: f"{draw.getrandbits(128):032x}" for number in numbers}


def test_plain_rows_show_who_answered_what(commands, read_files, numbers, response_ids):
    """The control: the first look gives the order of arrival, and changed and withdrawn rows stay readable."""
    table = PlainTable()
    for number in numbers:
        table.record(response_ids[number], age_sentinel(number))
    table.record(response_ids[numbers[CHANGED]], "changed")
    table.withdraw(response_ids[numbers[WITHDRAWN]])
    found = [number for number in sentinels_in(read_files()) if number in numbers]
    assert found in (numbers, numbers[::-1]), "8 of 8"


def test_pending_responses_are_unreadable_without_the_key(
    commands, read_files, numbers, response_ids, questionnaire, keys, own_keys, database_url
):
    drafts = Keyring(keys, (DRAFT,))

    def agree(number, stored_before=False, **answers):
        given = {**dict.fromkeys(SIGNS, "1"), "consent": "yes", "age": age_sentinel(number)} | answers
        result = record(drafts, response_ids[number], questionnaire, given, "2026-11", stored_before)
        assert result is StoreResult.PENDING

    snapshots, boxes = [], {}

    def look():
        snapshots.append(read_files())
        boxes.update({row["ciphertext"]: row for row in pending_responses(database_url)})

    for number in numbers:
        agree(number)
        look()
    agree(numbers[CHANGED], stored_before=True, sadness="3", age="declined")
    look()
    assert withdraw(drafts, response_ids[numbers[WITHDRAWN]], stored_before=True) is StoreResult.NONE
    look()

    readable = {number for snapshot in snapshots for number in sentinels_in(snapshot)}
    assert not readable & set(numbers)
    ids = [id_.encode() for id_ in response_ids.values()]
    assert not [id_ for id_ in ids if any(id_ in snapshot for snapshot in snapshots)]
    assert len(boxes) == VISITORS + 1 and len({len(box) for box in boxes}) == 1, "nor can they be told by size"

    old_keys = own_keys.with_name("copied before")
    shutil.copytree(own_keys, old_keys)
    assert shuffle_all(own_keys, VISITORS - 1, START).moved == VISITORS - 1
    after = set(sentinels_in(read_files())) & set(numbers)
    gone = {numbers[CHANGED], numbers[WITHDRAWN]}
    assert after == set(numbers) - gone, "what was changed and withdrawn was never readable"
    assert len(opened(boxes.values(), old_keys)) == len(boxes), "the control: the key files of before open every box"
    assert opened(boxes.values(), own_keys) == []


def opened(rows, folder):
    """Return the contents of the boxes that any key of these files opens."""
    ring, found = Keyring(folder, (RESPONSES,)), []
    for row in rows:
        for private in ring.derive_all(RESPONSES, response_keys.KEY_LABEL).values():
            try:
                found.append(sealed_box.decrypt(private, row["id_hash"], row["ciphertext"]))
            except DecryptionError:
                continue
    return found
