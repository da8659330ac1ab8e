"""The reference code: enough entropy, unambiguous symbols, and detection of typing errors."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.callbacks.reference_code import LENGTH, SYMBOLS, BadReferenceError, derive, fingerprint, parse
from tests.support.absence import assert_absent

secrets = st.binary(min_size=16, max_size=16).map(bytes.hex)


def test_reference_has_over_sixty_bits_of_entropy():
    assert LENGTH * math.log2(len(SYMBOLS)) > 60


def test_symbols_are_distinct_and_unambiguous():
    assert len(set(SYMBOLS)) == len(SYMBOLS) and not set(SYMBOLS) & set("01ILO")


@given(secrets)
def test_reference_is_deterministic_and_parses_back(secret):
    reference = derive(secret)
    assert derive(secret) == reference
    assert parse(reference) == reference
    assert parse(reference.lower().replace("-", " ") + " ") == reference


@given(secrets)
def test_fingerprint_is_a_digest_that_hides_the_reference(secret):
    reference = derive(secret)
    stored = fingerprint(reference)
    assert re.fullmatch("[0-9a-f]{64}", stored) and fingerprint(parse(reference.lower())) == stored
    assert_absent([secret, reference, reference.replace("-", "")], stored, bytes.fromhex(stored))


def test_reference_and_fingerprint_are_stable_across_releases():
    """Patients have references, and the database has fingerprints, that an earlier release created."""
    assert derive("0" * 32) == "TM57-FP58R-AD86B"
    assert fingerprint("TM57-FP58R-AD86B") == "3f696d761b0ef6fa30e9b24d4401268047a9c63d316f046bdb00e41532db9f44"


@given(secrets, secrets)
def test_distinct_secrets_give_distinct_references(one, other):
    references = derive(one), derive(other)
    assert (references[0] == references[1]) == (one == other)
    assert (fingerprint(references[0]) == fingerprint(references[1])) == (one == other)


@given(secrets, st.integers(0, LENGTH), st.sampled_from(SYMBOLS))
def test_single_wrong_symbol_is_detected(secret, place, symbol):
    symbols = derive(secret).replace("-", "")
    wrong = symbols[:place] + symbol + symbols[place + 1 :]
    if wrong != symbols:
        with pytest.raises(BadReferenceError, match="mistyped"):
            parse(wrong)


@given(secrets, st.integers(0, LENGTH), st.integers(0, LENGTH))
def test_transposed_symbols_are_detected(secret, one, other):
    symbols = list(derive(secret).replace("-", ""))
    symbols[one], symbols[other] = symbols[other], symbols[one]
    wrong = "".join(symbols)
    if wrong != derive(secret).replace("-", ""):
        with pytest.raises(BadReferenceError, match="mistyped"):
            parse(wrong)


@pytest.mark.parametrize("text", ["", "K7M4", "K7M4-2QXPA-9RTW0", "K7M4-2QXPA-9RTWCX", "<b>K7M4</b>"])
def test_malformed_reference_is_refused(text):
    with pytest.raises(BadReferenceError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "my ref is {}.",
        "The reference: {}",
        "“{}”",
        "Thank you, we got your request. {} Write it down",
        "REF {} ABCD",
        "FXYZ {} 2222",
        "#{}",
        "{}\u200b",
        "  {}\n",
    ],
)
@given(secrets)
def test_reference_is_found_in_other_text(text, secret):
    reference = derive(secret)
    full_width = "".join(chr(ord(c) + 0xFEE0) for c in reference)
    for written in (reference, reference.lower(), reference.replace("-", "–"), reference.replace("-", " "), full_width):
        assert parse(text.format(written)) == reference


@pytest.mark.parametrize("text", ["{}X", "X{}", "{}-{}", "{}2"])
def test_reference_inside_a_longer_code_is_refused(text):
    reference = derive("0" * 32).replace("-", "")
    with pytest.raises(BadReferenceError):
        parse(text.format(reference, "2").replace("-", ""))
