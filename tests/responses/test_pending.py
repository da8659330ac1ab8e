"""Pending responses: one encrypted row each, which its visitor finds again whatever key is active."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from screening.crypto.key_files import activate_key, add_key
from screening.crypto.keyring import DRAFT, Keyring
from screening.extensions import db
from screening.questionnaires.loader import LIBRARY, load
from screening.questionnaires.model import DECLINED
from screening.responses import StoreResult, pending, record, withdraw
from tests.support.clock import START
from tests.support.databases import pending_responses
from tests.support.pending import opened_responses, ripen
from tests.support.visitor import SIGNS

NOW = int(START)

ANSWERS = {**dict.fromkeys(SIGNS, "1"), "pain_duration": "over_a_year", "pain_average": "5"}
ANSWERS |= {"consent": "yes", "age": "declined"}

RESPONSE = "0123456789abcdef" * 2


def keep(folder, questionnaire, stored_before=False, **answers):
    return record(Keyring(folder, (DRAFT,)), RESPONSE, questionnaire, ANSWERS | answers, "2026-11", stored_before)


@pytest.mark.each_database
def test_draft_key_activation_stores_no_second_row(commands, own_keys, questionnaire, key_day, database_url):
    assert keep(own_keys, questionnaire) is StoreResult.PENDING
    (before,) = pending_responses(database_url)
    activate_key(own_keys, DRAFT, add_key(own_keys, DRAFT, key_day).id)
    for stored_before in (False, True):  # the form sent again with the cookies of before, and with those of after
        assert keep(own_keys, questionnaire, stored_before, sadness="3") is StoreResult.PENDING
    (row,), (content,) = pending_responses(database_url), opened_responses(database_url, own_keys)
    assert row["id_hash"] == before["id_hash"] and content["answers"]["sadness"] == "3"
    assert withdraw(Keyring(own_keys, (DRAFT,)), RESPONSE, stored_before=True) is StoreResult.NONE
    assert pending_responses(database_url) == []


@pytest.mark.each_database
def test_changed_response_is_encrypted_to_the_new_key(commands, own_keys, questionnaire, database_url):
    keep(own_keys, questionnaire)
    (before,) = pending_responses(database_url)
    ripen(own_keys, NOW)
    assert keep(own_keys, questionnaire, stored_before=True, sadness="3") is StoreResult.PENDING
    (after,) = pending_responses(database_url)
    assert after["key_id"] != before["key_id"] and after["id_hash"] == before["id_hash"]


@pytest.mark.each_database
def test_missing_public_key_stores_nothing_and_says_so(commands, own_keys, questionnaire, database_url, caplog):
    keep(own_keys, questionnaire)
    assert withdraw(Keyring(own_keys, (DRAFT,)), RESPONSE, stored_before=True) is StoreResult.NONE
    with db.engines["pending"].begin() as connection:
        connection.execute(text("DELETE FROM pending_key"))
    assert keep(own_keys, questionnaire) is StoreResult.UNAVAILABLE
    assert pending_responses(database_url) == [] and "run flask keys publish on the worker's machine" in caplog.text


def test_hash_differs_between_installations_and_responses(own_keys, keys, key_day):
    ours = Keyring(keys, (DRAFT,))
    activate_key(own_keys, DRAFT, add_key(own_keys, DRAFT, key_day).id)
    theirs = Keyring(own_keys, (DRAFT,))
    assert pending.id_hashes(theirs, RESPONSE)[1:] == pending.id_hashes(ours, RESPONSE)
    assert pending.id_hashes(theirs, RESPONSE)[0] not in pending.id_hashes(ours, RESPONSE)
    assert not set(pending.id_hashes(ours, RESPONSE)) & set(pending.id_hashes(ours, "0" * 32))


WARNING_SIGNS = load(LIBRARY / "warning_signs.toml")


def box_size(questionnaire, answers):
    content = pending.response_values(questionnaire, answers, "2026-11")
    return len(pending.sealed_box.encrypt(bytes(range(32)), "f" * 64, content, pending.BOX_BYTES))


@given(st.dictionaries(st.sampled_from(SIGNS), st.sampled_from(["0", "1", "2", "3", DECLINED])))
def test_every_response_has_the_same_size(answers):
    assert box_size(WARNING_SIGNS, answers) == box_size(WARNING_SIGNS, dict.fromkeys(SIGNS, DECLINED))


def test_response_of_60_signs_has_the_same_size():
    first = WARNING_SIGNS.signs[0]
    more = [dataclasses.replace(first, id=f"sign_with_a_longer_name_{number}") for number in range(53)]
    large = dataclasses.replace(WARNING_SIGNS, questions=(*more, *WARNING_SIGNS.questions))
    assert len(large.signs) == 60
    assert box_size(large, {sign.id: DECLINED for sign in large.signs}) == box_size(WARNING_SIGNS, {})
