"""Phone numbers as people type them, on pages in English and Spanish, for a clinic in the United States."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.callbacks.phone_numbers import Fault, PhoneNumberError, UnconfirmedError, find_numbers, read

BOTH = ("en", "es")
DENVER = "+13035550144"
UNLISTED = ("436-555-0123", "(624) 555-0123", "679.555.0123", "+1 436 555 0123")
"""Numbers of area codes that are in use and that phonenumbers 9.0.43 does not list."""


def asked(text, language, country="US"):
    """Return the numbers that the person has to choose from."""
    with pytest.raises(UnconfirmedError) as error:
        read(text, country, language)
    return [reading.number for reading in error.value.readings]


def fault(text, language, country="US"):
    """Return why a text is refused, and the part that the message names."""
    with pytest.raises(PhoneNumberError) as error:
        read(text, country, language)
    return error.value.fault, error.value.part


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize(
    "typed",
    [
        *(
            "(303) 555-0144",
            "303.555.0144",
            "1 303 555 0144",
            "+1 (303) 555-0144",
            "tel:+1-303-555-0144",
            " 3035550144 ",
        ),
        *(
            "303\u2011555\u20130144",
            "３０３－５５５－０１４４",
            "\u200b303\ufe0f555\u20600144\u00ad",
            "\u202a303-555-0144\u202c",
        ),
    ],
)
def test_number_is_read_in_every_notation(typed, language):
    assert read(typed, "US", language) == DENVER


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize(
    ("typed", "extension"),
    [
        *(
            (f"303-555-0144 {label} 12", "12")
            for label in ("x", "ext", "ext.", "Ext:", "extension", "extensión", "extension.")
        ),
        *((f"303-555-0144 {label} 12", "12") for label in ("interno", "Interno", "int.", "anexo", "#")),
        *(("303-555-0144x12", "12"), ("303-555-0144 (interno 12)", "12"), ("303-555-0144;ext=12", "12")),
        *(("303-555-0144,12", "12"), ("303-555-0144, ext. 12345", "12345"), ("303 555 0144 ext. 123456", "123456")),
    ],
)
def test_extension_is_understood_in_both_languages(typed, extension, language):
    assert read(typed, "US", language) == f"{DENVER};ext={extension}"


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize("typed", UNLISTED)
def test_unlisted_number_is_accepted_once_confirmed(typed, language):
    meant = "+1" + phonenumbers.normalize_digits_only(typed)[-10:]
    assert meant in asked(typed, language)
    assert read(typed, "US", language, agreed=meant) == meant


def test_agreement_to_another_number_counts_for_nothing():
    with pytest.raises(UnconfirmedError):
        read("436-555-0124", "US", "en", agreed="+14365550123")
    with pytest.raises(UnconfirmedError):
        read("436-555-0123 ext. 9", "US", "en", agreed="+14365550123")
    assert read("303-555-0144", "US", "en", agreed="+14365550123") == DENVER


@pytest.mark.parametrize(
    "typed", ["555 123 4567", "111-555-0123", "303-055-0144", "211 555 0123", "911", "988", "12", "+1303555014"]
)
def test_number_that_cannot_exist_is_refused(typed):
    assert fault(typed, "en") == (Fault.MALFORMED, "")


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize("typed", ["+52 1 55 1234 5678", "+5215512345678", "+52 55 1234 5678", "011 52 55 1234 5678"])
def test_mexican_number_loses_its_old_one(typed, language):
    assert read(typed, "US", language) == "+525512345678"


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("55 1234 5678", ["+525512345678", "+15512345678"]),
        ("(55) 12 34 56 78", ["+525512345678", "+15512345678"]),
        ("5512345678", ["+525512345678", "+15512345678"]),
        ("5612345678 ext. 7", ["+525612345678;ext=7", "+15612345678;ext=7"]),
        ("81 1234 5678", ["+528112345678"]),
        ("8112345678", ["+528112345678"]),
        ("044 55 1234 5678", ["+525512345678"]),
        ("01 81 1234 5678 ext. 7", ["+528112345678;ext=7"]),
    ],
)
def test_mexican_local_number_in_spanish_asks_for_country(typed, numbers):
    assert asked(typed, "es") == numbers
    for number in numbers:
        for language in BOTH:
            assert read(typed, "US", language, agreed=number) == number, "a change of the language forgets no answer"


@pytest.mark.parametrize("typed", ["(720) 555-0144", "720-555-0144", "7205550144", "(551) 234-5678", "+1 55 1234 5678"])
def test_number_of_the_clinics_country_asks_for_nothing(typed):
    assert read(typed, "US", "es").startswith("+1")


def test_clinic_in_mexico_reads_local_numbers_as_its_own():
    for language in BOTH:
        assert read("55 1234 5678", "MX", language) == read("1 55 1234 5678", "MX", language) == "+525512345678"


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("(303) 555-0144 (cell)", "(cell)"),
        ("303-555-0144 casa", "casa"),
        ("cell: 303-555-0144", "cell:"),
        ("303-555-0144 / 303-555-0145", "303-555-0145"),
        ("303 555 0144 or 303 555 0145", "303 555 0145"),
        ("303-555-0144 y 436-555-0145", "436-555-0145"),
        ("3035550144, 3035550145", "3035550145"),
        ("3035550144 3035550145", "3035550145"),
        ("3035550144\t3035550145", "3035550145"),
    ],
)
def test_part_that_is_not_understood_is_named(typed, part, language):
    assert fault(typed, language) == (Fault.NOT_UNDERSTOOD, part)


@pytest.mark.parametrize(
    ("typed", "example"),
    [
        ("34612345678", "+34 612 34 56 78"),
        ("0034 612 345 678", "+34 612 34 56 78"),
        ("442079460958", "+44 20 7946 0958"),
        ("0612345678", ""),
        ("303 555 01444", ""),
    ],
)
def test_foreign_number_without_plus_is_named(typed, example):
    assert fault(typed, "en") == (Fault.FROM_ABROAD, example)


@pytest.mark.parametrize("typed", ["900-555-1234", "+1 900 234 5678", "+44 909 879 0000", "+52 900 123 4567"])
def test_premium_rate_number_is_refused(typed):
    for language in BOTH:
        assert fault(typed, language)[0] == Fault.PREMIUM


def test_number_without_area_code_is_named():
    assert fault("555-0144", "en")[0] == Fault.NO_AREA_CODE


def test_search_finds_every_number_that_a_text_may_mean():
    assert find_numbers("55 1234 5678", "US") == ("+15512345678", "+525512345678")
    assert find_numbers("(303) 555-0144 ext. 12", "US")[0] == f"{DENVER};ext=12"
    assert find_numbers("rosa", "US") == find_numbers("900-555-1234", "US") == ()


@given(st.text(st.sampled_from("0123456789 +-()./,;#xextñ:[]\u200bé٣３"), max_size=100), st.sampled_from(BOTH))
def test_any_text_is_read_asked_about_or_refused(text, language):
    try:
        number = read(text, "US", language)
    except UnconfirmedError as error:
        for reading in error.readings:
            assert read(text, "US", language, agreed=reading.number) == reading.number
    except PhoneNumberError as error:
        assert error.fault in Fault
    else:
        assert read(number, "US", language) == number, "what is stored is read as itself"
