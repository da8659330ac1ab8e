"""Phone numbers as people type them, read by the numbering plans of ``phonenumbers``. Pure.

A number that the plans do not list may be newer than they are: it is accepted once the person has confirmed it.
"""

import re
from dataclasses import dataclass
from enum import Enum

import phonenumbers
from phonenumbers import Leniency, PhoneNumber, PhoneNumberFormat, PhoneNumberMatcher, PhoneNumberType, ValidationResult

from screening.web.typed_text import identifier

LOCAL_NUMBERS = {"es": "MX"}
"""By language: another country whose local numbers its speakers may type without the country code."""

EXTENSION = re.compile(
    r"[\s()\[,;-]*(?:(?:ext(?:ensi[oó]n|n)?|x|interno|int|anexo|#)[\s.:=]*(\d{1,9})[)\]]?|,(\d{1,5}))$", re.IGNORECASE
)
"""At the end of a number, in the words of both languages; or after a comma, as phones write a pause."""

OTHER_CHARACTERS = re.compile(r"[^\d\s()\[\]+./-]")
NORTH_AMERICAN = re.compile(r"(?!.11)[2-9]\d\d[2-9]\d{6}")
"""The form of every number of country code 1: neither area code nor exchange begins with 0 or 1."""

OLD_MEXICAN_PREFIX = re.compile(r"(?:01|04[45])?(\d{10})")
"""Prefixes that Mexico abolished in 2019 and 2020; ``+52 1`` is another."""

MEXICAN = re.compile(r"\(?\d\d\b|(?:33|55|56|81)\d{8}$")
"""Written as in Mexico: a first group of two digits, or ten digits ungrouped with an area code of two digits."""

ANOTHER_COUNTRY = "+52 55 1234 5678"
"""An invented number that shows how to write one with its country code."""


class Fault(Enum):
    """Why a text is not read as a phone number."""

    MALFORMED = "malformed"
    NOT_UNDERSTOOD = "not understood"
    FROM_ABROAD = "from abroad"
    NO_AREA_CODE = "no area code"
    PREMIUM = "premium"


class PhoneNumberError(ValueError):
    """No phone number. ``part``: the characters that were not understood, or the number with its country code."""

    def __init__(self, fault: Fault, part: str = ""):
        super().__init__(fault.value)
        self.fault, self.part = fault, part


@dataclass(frozen=True)
class Reading:
    """A number that a text may mean: E.164, with ``;ext=`` before an extension. ``known``: the plans list it."""

    number: str
    country: str
    known: bool


class UnconfirmedError(ValueError):
    """The person has to confirm one of these readings."""

    def __init__(self, readings: tuple[Reading, ...]):
        super().__init__("unconfirmed")
        self.readings = readings


def read(text: str, country: str, language: str, agreed: str = "") -> str:
    """Return the number that a text means, for a clinic in ``country`` and a page in ``language``.

    ``agreed``: the number that the person confirmed; of any other text it means nothing.
    Raises PhoneNumberError and UnconfirmedError.
    """
    number, extension = _split(text)
    home, fault = _home(number, extension, country)
    local = {code: _local(number, extension, where) for code, where in LOCAL_NUMBERS.items() if where != country}
    if agreed and agreed in {reading.number for reading in (home, *local.values()) if reading is not None}:
        return agreed
    if home is not None and home.known and not MEXICAN.match(number):
        return home.number
    readings = tuple(reading for reading in (local.get(language), home) if reading is not None)
    if not readings:
        raise fault
    if len(readings) > 1 or not readings[0].known or home is None:
        raise UnconfirmedError(readings)
    return readings[0].number


def find_numbers(text: str, country: str) -> tuple[str, ...]:
    """Return every number that a text may mean, to search for. Empty without any."""
    try:
        number, extension = _split(text)
        home, _ = _home(number, extension, country)
    except PhoneNumberError:
        return ()
    readings = (home, *(_local(number, extension, where) for where in LOCAL_NUMBERS.values()))
    return tuple(dict.fromkeys(reading.number for reading in readings if reading is not None))


def example(country: str) -> str:
    """Return an invented number of a country, as people there write it."""
    number = phonenumbers.example_number(country)
    return phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL) if number else ""


def _split(text: str) -> tuple[str, str]:
    """Return number and extension. Raises PhoneNumberError for other characters."""
    typed = identifier(text).removeprefix("tel:").strip()
    extension = EXTENSION.search(typed)
    number = typed[: extension.start()] if extension else typed
    if OTHER_CHARACTERS.search(number):
        part = _not_understood(number)
        raise PhoneNumberError(Fault.NOT_UNDERSTOOD if part else Fault.MALFORMED, part)
    return number, (extension[1] or extension[2]) if extension else ""


def _not_understood(text: str) -> str:
    """Return what stands in a text beside a phone number, or its second number. Empty without a number."""
    found = list(PhoneNumberMatcher(text, "US", leniency=Leniency.POSSIBLE))
    if len(found) > 1:
        return str(found[1].raw_string)
    if not found:
        return ""
    before, after = text[: found[0].start].strip(" ,;/|-"), text[found[0].end :].strip(" ,;/|-")
    return before or after


def _home(number: str, extension: str, country: str) -> tuple[Reading | None, PhoneNumberError]:
    """Return a number read in the clinic's country or by its country code, and what is wrong if it is none.

    Raises PhoneNumberError for a premium-rate number.
    """
    try:
        parsed = phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None, _fault(number, None)
    national = str(parsed.national_number)
    if parsed.country_code == 52 and re.fullmatch(r"1\d{10}", national):
        parsed.national_number = int(national[1:])
    if phonenumbers.number_type(parsed) == PhoneNumberType.PREMIUM_RATE:
        raise PhoneNumberError(Fault.PREMIUM)
    known = phonenumbers.is_valid_number(parsed)
    return (_reading(parsed, extension, known) if known or _is_possible(parsed) else None), _fault(number, parsed)


def _local(number: str, extension: str, country: str) -> Reading | None:
    """Return a number that is typed without country code, read as a local number of another country."""
    digits = OLD_MEXICAN_PREFIX.fullmatch(phonenumbers.normalize_digits_only(number))
    if number.startswith("+") or not digits:
        return None
    parsed = phonenumbers.parse(digits[1], country)
    kind = phonenumbers.number_type(parsed)
    usable = kind not in (PhoneNumberType.UNKNOWN, PhoneNumberType.PREMIUM_RATE)
    return _reading(parsed, extension, True) if usable else None


def _reading(parsed: PhoneNumber, extension: str, known: bool) -> Reading:
    number = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return Reading(f"{number};ext={extension}" if extension else number, region, known)


def _is_possible(parsed: PhoneNumber) -> bool:
    if parsed.country_code == 1 and not NORTH_AMERICAN.fullmatch(phonenumbers.national_significant_number(parsed)):
        return False
    return phonenumbers.is_possible_number_with_reason(parsed) == ValidationResult.IS_POSSIBLE


def _fault(number: str, parsed: PhoneNumber | None) -> PhoneNumberError:
    digits = phonenumbers.normalize_digits_only(number)
    length = phonenumbers.is_possible_number_with_reason(parsed) if parsed else None
    if length == ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
        return PhoneNumberError(Fault.NO_AREA_CODE)
    if len(digits) > 15 or "/" in number:
        part = _not_understood(number)
        return PhoneNumberError(Fault.NOT_UNDERSTOOD if part else Fault.MALFORMED, part)
    if number.startswith("+") or not (length == ValidationResult.TOO_LONG or digits.startswith("0")):
        return PhoneNumberError(Fault.MALFORMED)
    return PhoneNumberError(Fault.FROM_ABROAD, _with_country_code(digits))


def _with_country_code(digits: str) -> str:
    """Return digits as an international number, if there is such a number."""
    try:
        parsed = phonenumbers.parse(f"+{digits.lstrip('0')}")
    except phonenumbers.NumberParseException:
        return ""
    valid = phonenumbers.is_valid_number(parsed)
    return phonenumbers.format_number(parsed, PhoneNumberFormat.INTERNATIONAL) if valid else ""
