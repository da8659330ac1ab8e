"""The two words by which a patient knows that the clinic calls: the list, the derivation, and where they are shown."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from screening.callbacks import call_words as module
from screening.callbacks import key_rotation, reference_code
from screening.callbacks.call_words import WORDS, call_words
from screening.extensions import db
from tests.support.absence import assert_absent
from tests.support.queue_pages import open_request
from tests.support.sample_patient import FORM, reference_on
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

SENTINELS = ("zentinelmaple", "zentinellantern")
SAID = " ".join(SENTINELS)

MEANINGS = {
    *("arma", "bala", "barra", "beaver", "bicho", "blade", "bomb", "bone", "bolsa"),
    *("breast", "bridge", "bullet", "burro", "caca", "cajeta", "cerda", "cerdo", "chile"),
    *("cliff", "cock", "coffin", "coger", "concha", "conejo", "cow", "cuerno", "cuchillo"),
    *("culo", "death", "doctor", "donkey", "drug", "elefante", "elephant", "gun", "gusano"),
    *("hippo", "hospital", "huevo", "knife", "leche", "monkey", "muerte", "nabo", "needle"),
    *("nude", "nut", "pain", "paja", "pantera", "papaya", "pastilla", "pato", "pepino"),
    *("perra", "perro", "pico", "pig", "pill", "pinga", "pito", "polla", "puente"),
    *("puta", "rabo", "rope", "soga", "sapo", "snake", "teta", "torre", "tower"),
    *("train", "tren", "vaca", "vena", "veneno", "whale", "zorra", "zorro"),
}
"""Words that are rude, insults, bodies, weapons or heights somewhere English or Spanish is spoken."""


@pytest.fixture
def said(monkeypatch):
    """Make every request's words sentinels: real ones would occur elsewhere by chance."""
    monkeypatch.setattr(module, "WORDS", dict.fromkeys(WORDS, SENTINELS))
    return "zentinelmaple zentinellantern", "zentinellantern zentinelmaple"


def sound(word, language):
    """Return a word roughly as it is heard."""
    letters = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
    spanish = (("qu", "k"), ("ch", "X"), ("ll", "y"), ("h", ""), ("v", "b"), ("z", "s"), ("ce", "se"), ("ci", "si"))
    english = (("ph", "f"), ("ck", "k"), ("qu", "kw"), ("ce", "se"), ("ci", "si"), ("z", "s"))
    for written, heard in (*(spanish if language == "es" else english), ("c", "k")):
        letters = letters.replace(written, heard)
    return letters if language == "es" else re.sub(r"(.)\1", r"\1", letters)


def distance(one, other):
    """Return the Levenshtein distance."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, row = row, [i]
        for j, against in enumerate(other, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != against)))
    return row[-1]


@pytest.mark.parametrize("language", sorted(WORDS))
def test_word_list_has_seven_bits_of_short_plain_words(language):
    words = WORDS[language]
    assert len(words) == len(set(words)) == 128
    assert all(5 <= len(word) <= 9 and word.isalpha() and word.islower() for word in words)
    assert not set(words) & MEANINGS


@pytest.mark.parametrize("language", sorted(WORDS))
def test_no_two_words_of_a_language_sound_alike(language):
    for one, other in combinations(WORDS[language], 2):
        heard = sound(one, language), sound(other, language)
        assert distance(*heard) > 2 and heard[0][:4] != heard[1][:4], (one, other)


@given(st.binary(min_size=8), st.sampled_from([*WORDS, "fr"]))
def test_words_are_two_different_ones_of_the_list(secret, language):
    reference = reference_code.derive(secret.hex())
    first, second = call_words(reference, language).split()
    assert first != second and {first, second} <= set(WORDS.get(language, WORDS["en"]))
    assert call_words(reference, language) == f"{first} {second}"


def test_words_of_many_references_use_nearly_every_pair():
    """At random, 16,256 draws of 16,256 pairs leave 37 % of the pairs out."""
    pairs = 128 * 127
    found = {call_words(reference_code.derive(f"secret {number}"), "en") for number in range(pairs)}
    assert 0.6 < len(found) / pairs < 0.66


def shown_words(page):
    card = page.main.find("dl", class_="app-words")
    assert card is not None, page.words
    return card.find("dd").get_text(), card.find("dd")["lang"]


@pytest.mark.parametrize("language", ["en", "es"])
def test_patient_and_desk_see_the_same_words(team, ann, request_call, language):
    visitor = Visitor(team.site)
    page = request_call(visitor, language=language)
    expected = call_words(reference_on(page), language)
    assert shown_words(page) == (expected, language)
    assert shown_words(visitor.get("/consultation/status")) == (expected, language)
    assert f"“{expected}”" in open_request(ann).words


@pytest.mark.each_database
def test_changed_list_leaves_the_words_of_both_sides_equal(team, ann, request_call, monkeypatch, clock):
    visitor = Visitor(team.site)
    before = shown_words(request_call(visitor))
    monkeypatch.setattr(module, "WORDS", {code: tuple(reversed(words)) for code, words in WORDS.items()})
    assert shown_words(visitor.get("/consultation/status")) == before
    assert f"“{before[0]}”" in open_request(ann).words
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    page = visitor.fill(page, "/consultation/review", **{**FORM, "message": "another"})
    clock.forward(5)
    assert shown_words(visitor.fill(page, "/consultation/sent")) == before, "the patient may have written them down"
    assert f"“{before[0]}”" in open_request(ann).words


@given(st.text(st.characters(categories=["L"], max_codepoint=591), max_size=9), st.binary(min_size=8))
def test_sealed_words_open_with_their_reference_only(word, secret):
    reference, other = (reference_code.derive(text) for text in (secret.hex(), secret.hex() + "0"))
    sealed = module.seal(f"{word} {word}", reference)
    assert module.unseal(sealed, reference) == f"{word} {word}".rstrip()
    assert module.unseal(sealed, other) == module.unseal(b"", reference) == ""
    assert len(sealed) == len(module.seal("", reference))


def test_changed_language_changes_the_words_on_both_sides(team, ann, request_call, clock):
    visitor = Visitor(team.site)
    reference = reference_on(request_call(visitor))
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    page = visitor.fill(page, "/consultation/review", **{**FORM, "language": "es"})
    clock.forward(5)
    page = visitor.fill(page, "/consultation/sent")
    assert shown_words(page) == (call_words(reference, "es"), "es")
    assert f"“{call_words(reference, 'es')}”" in open_request(ann).words


def test_words_at_the_desk_survive_key_rotation(make_site, own_keys, request_call, clock):
    site = make_site(KEYS_DIR=own_keys)
    team = Team(site)
    expected = call_words(reference_on(request_call(Visitor(site))), "en")
    with site.app_context():
        assert key_rotation.rotate(own_keys, clock()).reencrypted == 1
    assert f"“{expected}”" in open_request(team.sign_in("ann", "callbacks")).words


def test_request_entered_by_staff_shows_the_words_to_read_out(team, ann):
    page = ann.fill(ann.get("/staff/callbacks/new"), "/staff/callbacks/new", **FORM)
    assert shown_words(page) == (call_words(reference_on(page), "en"), "en")


def test_closed_request_shows_no_words_to_the_patient(team, ann, request_call):
    visitor = Visitor(team.site)
    request_call(visitor)
    page = open_request(ann)
    ann.fill(page, f"{page.address}/call", outcome="stop")
    assert visitor.get("/consultation/status").main.find("dl", class_="app-words") is None


def test_words_are_absent_from_database_logs_lists_and_print(team, ann, request_call, caplog, said):
    caplog.set_level(logging.DEBUG)
    page = request_call(Visitor(team.site))
    assert shown_words(page)[0] in said
    shown = open_request(ann).words
    assert any(f"“{words}”" in shown for words in said), "the request page alone shows them"
    lists = [ann.get(f"/staff/callbacks{path}").text for path in ("", "/today", "/print")]
    found = ann.get("/staff/audit").text, json.dumps([[e.action, e.detail] for e in team.events()])
    with team.app.app_context():
        rows = [
            repr(list(db.session.execute(text(f"SELECT * FROM {table}")).all()))
            for table in ("callback_request", "outbox_mail", "staff_session")
        ]
    assert_absent(SENTINELS, caplog.text, *lists, *found, *rows, page.response.request.url)


def test_words_are_absent_from_files_counts_and_addresses(team, ann, request_call, clock, said):
    visitor = Visitor(team.site)
    asked = [request_call(visitor), visitor.get("/consultation/status")]
    page = open_request(ann)
    booked = {"outcome": "spoke_again", "again_day": "2026-12-03", "again_time": "09:00"}
    asked += [page, ann.fill(page, f"{page.address}/call", **booked)]
    assert any(f"“{words}”" in asked[-1].words for words in said)
    files = [
        visitor.client.get("/consultation/status/appointment.ics"),
        *(ann.client.get(address) for address in (f"{page.address}/appointment.ics", "/staff/figures.csv")),
        ann.client.get(f"/staff/callbacks/arrivals?since={int(clock()) - 60}"),
        ann.client.get("/staff/callbacks?tab=reached"),
        ann.client.get("/staff/callbacks/today"),
    ]
    assert [file.status_code for file in files] == [200] * len(files)
    every = [response for page in asked for response in (*page.response.history, page.response)]
    addresses = [response.request.url + response.headers.get("Location", "") for response in every]
    assert_absent(SENTINELS, *(file.text for file in files), *addresses)


def test_voicemail_text_beside_the_words_holds_none_of_them(team, ann, request_call, said):
    request_call(Visitor(team.site), voicemail="yes")
    pairs = open_request(ann).main.select_one(".app-who .app-pairs")
    assert "please call us back" in pairs.get_text()
    assert_absent(SENTINELS, pairs.get_text())


def test_words_are_absent_from_every_mail(mail_site, mail_server, said):
    mail_site.request_call()
    assert mail_site.deliver() == 2
    assert_absent(SENTINELS, *(message.as_string() for message in mail_server.arrived))
