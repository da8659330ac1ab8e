"""The reference: long enough, easy to read out, and a slip of the pen is found."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.callback.reference import LENGTH, SYMBOLS, BadReferenceError, fingerprint, made_from, read

secrets = st.binary(min_size=16, max_size=16).map(bytes.hex)


def test_reference_has_over_sixty_bits_of_entropy():
    assert LENGTH * math.log2(len(SYMBOLS)) > 60


def test_symbols_are_distinct_and_unambiguous():
    assert len(set(SYMBOLS)) == len(SYMBOLS) and not set(SYMBOLS) & set("01ILO")


@given(secrets)
def test_reference_is_deterministic_and_parses_back(secret):
    reference = made_from(secret)
    assert made_from(secret) == reference
    assert read(reference) == reference
    assert read(reference.lower().replace("-", " ") + " ") == reference
    assert secret not in fingerprint(reference) and reference not in fingerprint(reference)


@given(secrets, secrets)
def test_distinct_secrets_give_distinct_references(one, other):
    assert (made_from(one) == made_from(other)) == (one == other)


@given(secrets, st.integers(0, LENGTH), st.sampled_from(SYMBOLS))
def test_single_wrong_symbol_is_detected(secret, place, symbol):
    symbols = made_from(secret).replace("-", "")
    wrong = symbols[:place] + symbol + symbols[place + 1 :]
    if wrong != symbols:
        with pytest.raises(BadReferenceError, match="mistyped"):
            read(wrong)


@given(secrets, st.integers(0, LENGTH), st.integers(0, LENGTH))
def test_transposed_symbols_are_detected(secret, one, other):
    symbols = list(made_from(secret).replace("-", ""))
    symbols[one], symbols[other] = symbols[other], symbols[one]
    wrong = "".join(symbols)
    if wrong != made_from(secret).replace("-", ""):
        with pytest.raises(BadReferenceError, match="mistyped"):
            read(wrong)


@pytest.mark.parametrize("text", ["", "K7M4", "K7M4-2QXPA-9RTW0", "K7M4-2QXPA-9RTWCX", "<b>K7M4</b>"])
def test_malformed_reference_is_refused(text):
    with pytest.raises(BadReferenceError):
        read(text)
