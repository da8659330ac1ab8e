"""Cleaning of typed text: white space never disappears, what is invisible does."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.web.typed_text import identifier, lines, single_line

WHITE_SPACE = (
    "\t",
    "\v",
    "\f",
    "\n",
    "\r\n",
    "\r",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x1f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u00a0",
    "\u3000",
)
INVISIBLE = (
    "\u200b",
    "\ufe0f",
    "\u2060",
    "\u00ad",
    "\ufeff",
    "\u202e",
    "\u2066",
    "\u3164",
    "\u2800",
    "\U000e0041",
    "\x00",
    "\x07",
    "\ud800",
)

texts = st.text(
    st.one_of(
        st.characters(), st.sampled_from("".join(WHITE_SPACE) + "".join(INVISIBLE) + "\u200c\u200dمنक़é０３ー–ａ❤")
    )
)


@pytest.mark.parametrize("space", WHITE_SPACE, ids=ascii)
def test_white_space_becomes_a_space_or_a_line_end(space):
    assert single_line(f"Oxycodone{space}5{space}10 mg") == "Oxycodone 5 10 mg"
    assert lines(f"Oxycodone{space}5{space}10 mg").split() == ["Oxycodone", "5", "10", "mg"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_line_ends_of_every_kind_stay_line_ends(line_end):
    assert lines(f"  one{line_end}{line_end}two {line_end}") == "one\n\ntwo"


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_invisible_character_is_removed(character):
    assert single_line(f"{character}Ro{character}sa") == "Rosa"
    assert lines(f"{character}Ro{character}sa") == "Rosa"
    assert single_line(character * 3) == lines(character * 3) == identifier(character * 3) == ""


@pytest.mark.parametrize(
    "name", ["می\u200cخواهم", "क्\u200dष", "👩\u200d⚕", "O’Brien-Núñez", "李明", "ｍａｘ", "Ana\u0301"]
)
def test_name_keeps_its_own_writing(name):
    assert single_line(name) == lines(name) == name


@pytest.mark.parametrize("stray", ["Ro\u200dsa", "\u200cRosa", "Rosa\u200d", "Rosa\u200d\u200d"])
def test_joiner_between_latin_letters_is_removed(stray):
    assert single_line(stray) == "Rosa"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("３０３－５５５ー０１４４", "303-555-0144"),
        ("メール@example.org", "メール@example.org"),
        ("303‑555–0144", "303-555-0144"),
        ("303−555—0144", "303-555-0144"),
        ("ｒｏｓａ＠ｅｘａｍｐｌｅ．ｏｒｇ", "rosa@example.org"),
        ("rosa\u200d@\u2060example.org\ufe0f", "rosa@example.org"),
    ],
)
def test_identifier_has_the_ascii_form_of_its_characters(typed, meant):
    assert identifier(typed) == meant


@given(texts)
def test_cleaning_twice_changes_nothing(text):
    assert single_line(single_line(text)) == single_line(text)
    assert lines(lines(text)) == lines(text)


@given(
    st.lists(st.text("abcXYZ019é李.,!", min_size=1), min_size=1),
    st.sampled_from(WHITE_SPACE),
    st.sampled_from(INVISIBLE),
)
def test_words_stay_apart_and_whole(words, space, invisible):
    typed = f"{invisible}{space}{invisible}".join(words)
    assert single_line(typed).split(" ") == words
    assert lines(typed).split() == words


@given(texts)
def test_cleaned_text_is_visible_or_empty(text):
    for cleaned in (single_line(text), lines(text), identifier(text)):
        assert not cleaned or any(unicodedata.category(c)[0] in "LNPS" for c in cleaned)
        assert cleaned == cleaned.strip() and not any(
            unicodedata.category(c) in ("Cc", "Cs") for c in cleaned.replace("\n", "")
        )
    assert "\n" not in single_line(text) + identifier(text)
