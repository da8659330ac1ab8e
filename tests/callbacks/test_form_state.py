"""The state of the call-back form in its cookie: maximum size, expiry, and binding to the draft."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.callbacks.form_state import MAX_BYTES, FormState, StoredForm
from screening.callbacks.forms import MAX_EMAIL, MAX_MESSAGE, MAX_NAME
from screening.crypto.keyring import DRAFT, Keyring
from screening.draft import FORM_SECONDS

MAX_COOKIE = 4093
"""Maximum characters of a cookie with its name and attributes that every browser stores."""

ATTRIBUTES = "__Secure-consultation=; Path=/consultation; Max-Age=1800; Secure; HttpOnly; SameSite=Lax"

DRAFT_ID = "d" * 32
STATE = FormState("a" * 32, 1795000000, "K7M4-2QXPA-9RTWC")


@pytest.fixture
def keyring(keys):
    return Keyring(keys, (DRAFT,))


def longest(letters: str) -> dict[str, str | list[str]]:
    """Return a form with every field at its maximum length, of random letters."""
    rng = Random(12)
    free = {name: "".join(rng.choices(letters, k=MAX_NAME)) for name in ("name", "say", "assistance", "guardian")}
    return {
        **free,
        "message": "".join(rng.choices(letters, k=MAX_MESSAGE)),
        "email": "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=MAX_EMAIL)),
        **dict.fromkeys(("phone", "guardian_phone"), "+49 (1234) 567890-1234 ext. 567890123456"),
        "patient": "existing",
        "language": "en",
        "reach_by": "phone",
        "voicemail": "yes",
        **dict.fromkeys(("minor", "share", "news"), "yes"),
        "days": list("0123456"),
        "parts": ["morning", "midday", "afternoon"],
    }


HANZI = "".join(map(chr, range(0x4E00, 0x9FA6)))
EMOJI = "".join(map(chr, [*range(0x1F300, 0x1F650), *range(0x1F680, 0x1F6C6), *range(0x1F900, 0x1FA00)]))


@pytest.mark.parametrize(
    "letters", [HANZI, EMOJI, HANZI + EMOJI, "ñáéü ABCxyz"], ids=["Chinese", "emoji", "both", "Spanish"]
)
def test_longest_form_fits_a_cookie_and_round_trips(keyring, letters):
    form = StoredForm(STATE, longest(letters), checked=True, at=1795000000)
    cookie = form.encrypted(keyring, DRAFT_ID)
    assert cookie is not None and len(ATTRIBUTES) + len(cookie) <= MAX_COOKIE
    assert StoredForm.read(keyring, cookie, DRAFT_ID, 1795000000) == form


def test_form_beyond_the_limit_is_not_stored(keyring):
    typed = {"message": "".join(Random(1).choices(HANZI, k=MAX_BYTES))}
    assert StoredForm(STATE, typed, checked=True, at=1795000000).encrypted(keyring, DRAFT_ID) is None


def test_cookie_size_reveals_little_about_the_form(keyring):
    rng = Random(3)
    sizes = {
        len(StoredForm(STATE, {"message": "".join(rng.choices(HANZI, k=k))}, False, 0).encrypted(keyring, DRAFT_ID))
        for k in range(0, 500, 10)
    }
    assert 1 < len(sizes) <= 8


@pytest.mark.parametrize(
    ("draft_id", "later", "found"),
    [
        (DRAFT_ID, FORM_SECONDS - 1, True),
        (DRAFT_ID, FORM_SECONDS, False),
        (DRAFT_ID, -60, True),
        (DRAFT_ID, -61, False),
        ("e" * 32, 0, False),
    ],
)
def test_form_is_read_for_its_draft_and_half_an_hour_only(keyring, draft_id, later, found):
    cookie = StoredForm(STATE, {"name": "Rosa"}, checked=False, at=1795000000).encrypted(keyring, DRAFT_ID)
    assert (StoredForm.read(keyring, cookie, draft_id, 1795000000 + later) is not None) == found


@given(st.text(max_size=5000))
def test_arbitrary_cookie_is_no_form(keys, cookie):
    assert StoredForm.read(Keyring(keys, (DRAFT,)), cookie, DRAFT_ID, 1795000000) is None


@given(
    st.dictionaries(st.sampled_from(["name", "message", "days"]), st.text(max_size=80) | st.lists(st.text(max_size=9)))
)
def test_any_form_round_trips_unchanged(keys, typed):
    keyring = Keyring(keys, (DRAFT,))
    form = StoredForm(STATE, typed, checked=False, at=7)
    assert StoredForm.read(keyring, form.encrypted(keyring, DRAFT_ID), DRAFT_ID, 7) == form
