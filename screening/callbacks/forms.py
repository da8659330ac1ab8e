"""The call-back form: its fields, their validation and error messages."""

import unicodedata
from datetime import datetime
from typing import Any

import phonenumbers
from babel.dates import get_day_names
from email_validator import EmailNotValidError, validate_email
from flask_babel import get_locale, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, RadioField, SelectMultipleField, StringField, TextAreaField, ValidationError

from screening.callbacks.business_hours import (
    Calendar,
    NeverOpenError,
    PartOfDay,
    PreferredTimes,
    first_preferred_time,
    parts_within,
)
from screening.callbacks.contact_details import ContactDetails
from screening.web.form_fields import select_choices

INVISIBLE = ("Cc", "Cs", "Zl", "Zp")
BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")

MAX_NAME = 80
MAX_MESSAGE = 500
MAX_EMAIL = 254
"""Characters: the longest address that RFC 5321 allows."""

PARTS = {
    PartOfDay.MORNING: lazy_gettext("Morning, before 12"),
    PartOfDay.MIDDAY: lazy_gettext("Early afternoon, 12 to 3"),
    PartOfDay.AFTERNOON: lazy_gettext("Late afternoon, after 3"),
}

PATIENTS = {"new": lazy_gettext("No, first time"), "existing": lazy_gettext("Yes, I have")}
"""Answers to whether someone was at the clinic before, in a patient's own words."""

NAME = lazy_gettext("Please give your name, so we know who to ask for")
REACH = lazy_gettext("Please give a phone number or an email address")
PHONE = lazy_gettext("Check the phone number. It should look like %(example)s")
EMAIL = lazy_gettext("Check the email address. It should look like name@example.org")
REACH_BY = lazy_gettext("Choose how we should get back to you: by phone or by email")
TOO_LONG = lazy_gettext("Please make this shorter: %(most)s letters at most, and now there are %(count)s")
CLOSED = lazy_gettext("We are closed then. Please pick another day or time")
GUARDIAN = lazy_gettext("Please give the name of a parent or guardian")
GUARDIAN_PHONE = lazy_gettext("Please give a phone number of a parent or guardian")
PICK_ONE = lazy_gettext("Please pick one of these")


def single_line(text: str | None, lines: bool = False) -> str:
    """Return a text without control characters and bidirectional formatting. ``lines``: line breaks are allowed."""
    whole = (text or "").replace("\r\n", "\n").replace("\r", "\n")
    visible = [
        c
        for c in whole
        if (lines and c == "\n") or (unicodedata.category(c) not in INVISIBLE and c not in BIDI_CONTROLS)
    ]
    return "".join(visible).strip()


def _line(text: str | None) -> str:
    return single_line(text)


def _lines(text: str | None) -> str:
    return single_line(text, lines=True)


def values(field: Field) -> set[str]:
    """Return the values of a field's choices."""
    return {choice.value for choice in field.choices}


class ConsultationForm(FlaskForm):
    """A request for a call. Created for a clinic's calendar and country, in the language of the page."""

    class Meta:
        """WTForms options: the token is checked before a form is created, and its own messages are never shown."""

        csrf = False
        locales = False

    name = StringField(filters=[_line])
    phone = StringField(filters=[_line])
    email = StringField(filters=[_line])
    reach_by = RadioField(
        choices=select_choices({"phone": lazy_gettext("A phone call"), "email": lazy_gettext("An email")}),
        validate_choice=False,
    )
    minor = BooleanField()
    guardian = StringField(filters=[_line])
    guardian_phone = StringField(filters=[_line])
    voicemail = RadioField(
        choices=select_choices({"no": lazy_gettext("No"), "yes": lazy_gettext("Yes")}),
        default="no",
        validate_choice=False,
    )
    patient = RadioField(choices=select_choices(PATIENTS), validate_choice=False)
    say = StringField(filters=[_line])
    language = RadioField(validate_choice=False)
    assistance = StringField(filters=[_line])
    days = SelectMultipleField(validate_choice=False)
    parts = SelectMultipleField(validate_choice=False)
    message = TextAreaField(filters=[_lines])
    share = BooleanField()
    news = BooleanField()
    website = StringField()
    """A honeypot: hidden from people, and filled in by programs that fill in every field."""

    def __init__(
        self, calendar: Calendar, country: str, languages: list[tuple[str, str]], now: datetime, **options: Any
    ):
        """``languages``: code and name of each, the page's language first. ``now`` is aware."""
        self.calendar, self.country, self.now, self.page_language = calendar, country, now, languages[0][0]
        super().__init__(**options)
        self.language.choices = select_choices(dict(languages))
        self.days.choices = select_choices({str(day): name for day, name in day_names().items() if calendar.week[day]})
        open_parts = {part for hours in calendar.week if hours for part, _, _ in parts_within(hours)}
        self.parts.choices = select_choices({part.value: PARTS[part] for part in PartOfDay if part in open_parts})

    @property
    def way(self) -> str:
        """How to get back to the patient: the one way that was given, else the chosen one. Under 18: a call."""
        if self.minor.data or not self.email.data:
            return "phone"
        return str(self.reach_by.data) if self.phone.data else "email"

    def details(self, answers: dict[str, str] | None, version: int) -> ContactDetails:
        """Return the contact details of a validated form. ``answers``: those of the summary that may be shared."""
        shared = answers if self.share.data and not self.minor.data else None
        called = self.guardian_phone.data if self.minor.data else self.phone.data
        return ContactDetails(
            name=self.name.data,
            say=self.say.data,
            patient=self.patient.data or "",
            language=self.language.data or self.page_language,
            assistance=self.assistance.data,
            phone=self._number(self.phone.data) if self.phone.data else "",
            email=_address(self.email.data) if self.email.data else "",
            reach_by=self.way,
            days=tuple(sorted(map(int, self.days.data or ()))),
            parts=tuple(part.value for part in PartOfDay if part.value in (self.parts.data or ())),
            voicemail=bool(called) and self.voicemail.data == "yes",
            minor=self.minor.data,
            guardian=self.guardian.data if self.minor.data else "",
            guardian_phone=self._number(self.guardian_phone.data) if self.minor.data else "",
            message=self.message.data,
            news=self.news.data,
            answers=shared,
            version=version if shared is not None else None,
        )

    def typed(self) -> dict[str, str | list[str]]:
        """Return the form's data by field name, to be stored in the cookie or sent on in hidden fields."""
        typed: dict[str, str | list[str]] = {}
        for field in self:
            if field.name == "website" or not field.data:
                continue
            typed[field.name] = "yes" if field.data is True else field.data
        return typed

    def validate_name(self, field: Field) -> None:
        """Require a name to ask for."""
        if not field.data:
            raise ValidationError(NAME)
        _not_longer(field, MAX_NAME)

    def validate_say(self, field: Field) -> None:
        """Limit the length; the field is optional."""
        _not_longer(field, MAX_NAME)

    validate_assistance = validate_say

    def validate_patient(self, field: Field) -> None:
        """Refuse what is none of the choices; the field is optional."""
        if field.data:
            _one_of(field, PICK_ONE)

    validate_language = validate_patient

    def validate_phone(self, field: Field) -> None:
        """Require a valid number, unless an email address or a guardian's number is to be used."""
        if field.data:
            self._check_number(field)
        elif not self.email.data and not self.minor.data:
            raise ValidationError(REACH)

    def validate_email(self, field: Field) -> None:
        """Require a valid address, if there is one. Only the syntax is checked."""
        if field.data:
            _address(field.data)

    def validate_reach_by(self, field: Field) -> None:
        """Require a choice of an adult who gave both a number and an address."""
        if self.phone.data and self.email.data and not self.minor.data:
            _one_of(field, REACH_BY)

    def validate_days(self, field: Field) -> None:
        """Require a combination of days and parts of the day at which the clinic is open."""
        if not set(field.data or ()) <= values(field) or not set(self.parts.data or ()) <= values(self.parts):
            raise ValidationError(CLOSED)
        wish = PreferredTimes(
            frozenset(map(int, field.data or ())), frozenset(PartOfDay(part) for part in self.parts.data or ())
        )
        try:
            first_preferred_time(self.calendar, self.now, wish)
        except NeverOpenError:
            raise ValidationError(CLOSED) from None

    def validate_voicemail(self, field: Field) -> None:
        """Require one of the choices."""
        _one_of(field, PICK_ONE)

    def validate_guardian(self, field: Field) -> None:
        """Require the name of a parent or guardian for patients under 18."""
        if self.minor.data and not field.data:
            raise ValidationError(GUARDIAN)
        _not_longer(field, MAX_NAME)

    def validate_guardian_phone(self, field: Field) -> None:
        """Require a valid number of a parent or guardian for patients under 18."""
        if self.minor.data and not field.data:
            raise ValidationError(GUARDIAN_PHONE)
        if self.minor.data:
            self._check_number(field)

    def validate_message(self, field: Field) -> None:
        """Limit the length."""
        _not_longer(field, MAX_MESSAGE)

    def _check_number(self, field: Field) -> None:
        try:
            self._number(field.data)
        except ValueError:
            raise ValidationError(PHONE % {"example": _example(self.country)}) from None

    def _number(self, text: str) -> str:
        """Return a typed phone number as E.164, with its extension. Raises ValueError."""
        try:
            number = phonenumbers.parse(text, self.country)
        except phonenumbers.NumberParseException as error:
            raise ValueError(str(error.error_type)) from None
        if not phonenumbers.is_valid_number(number):
            raise ValueError("not a number in use")
        extension = f";ext={number.extension}" if number.extension else ""
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) + extension


def _example(country: str) -> str:
    number = phonenumbers.example_number(country)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL) if number else ""


def _address(text: str) -> str:
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        raise ValidationError(EMAIL) from None


def _not_longer(field: Field, most: int) -> None:
    count = len(field.data or "")
    if count > most:
        raise ValidationError(TOO_LONG % {"most": most, "count": count})


def _one_of(field: Field, complaint: Any) -> None:
    if field.data not in values(field):
        raise ValidationError(complaint)


def day_names() -> dict[int, str]:
    """Return the names of the weekdays in the page's language by number, Monday is 0, in their stand-alone form."""
    return dict(get_day_names("wide", context="stand-alone", locale=get_locale()))
