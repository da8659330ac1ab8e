"""The call-back form: its fields, their validation and error messages."""

from datetime import datetime
from typing import Any

from babel.dates import get_day_names
from flask_babel import get_locale, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    Field,
    RadioField,
    SelectChoice,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)

from screening.callbacks.business_hours import (
    Calendar,
    NeverOpenError,
    PartOfDay,
    PreferredTimes,
    first_preferred_time,
    parts_within,
)
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.phone_field import PhoneField
from screening.email_address import normalize_email
from screening.web.form_fields import MaxLength, select_choices
from screening.web.typed_text import identifier, lines, single_line

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
EMAIL = lazy_gettext("Check the email address. It should look like name@example.org")
REACH_BY = lazy_gettext("Choose how we should get back to you: by phone or by email")
CLOSED = lazy_gettext("We are closed then. Please pick another day or time")
GUARDIAN = lazy_gettext("Please give the name of a parent or guardian")
GUARDIAN_PHONE = lazy_gettext("Please give a phone number of a parent or guardian")
PICK_ONE = lazy_gettext("Please pick one of these")


def values(field: Field) -> set[str]:
    """Return the values of a field's choices."""
    return {choice.value for choice in field.choices}


class ConsultationForm(FlaskForm):
    """A request for a call. Created for a clinic's calendar and country, in the language of the page."""

    class Meta:
        """WTForms options: the token is checked before a form is created, and its own messages are never shown."""

        csrf = False
        locales = False

    name = StringField(filters=[single_line], validators=[MaxLength(MAX_NAME)])
    phone = PhoneField()
    email = StringField(filters=[identifier], validators=[MaxLength(MAX_EMAIL)])
    reach_by = RadioField(
        choices=select_choices({"phone": lazy_gettext("A phone call"), "email": lazy_gettext("An email")}),
        validate_choice=False,
    )
    minor = BooleanField()
    guardian = StringField(filters=[single_line], validators=[MaxLength(MAX_NAME)])
    guardian_phone = PhoneField()
    voicemail = RadioField(
        choices=select_choices({"no": lazy_gettext("No"), "yes": lazy_gettext("Yes")}),
        default="no",
        validate_choice=False,
    )
    patient = RadioField(choices=select_choices(PATIENTS), validate_choice=False)
    say = StringField(filters=[single_line], validators=[MaxLength(MAX_NAME)])
    language = RadioField(validate_choice=False)
    assistance = StringField(filters=[single_line], validators=[MaxLength(MAX_NAME)])
    days = SelectMultipleField(validate_choice=False)
    parts = SelectMultipleField(validate_choice=False)
    message = TextAreaField(filters=[lines], validators=[MaxLength(MAX_MESSAGE)])
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
        self.language.choices = [
            SelectChoice(value=code, label=name, render_kw={"lang": code}) for code, name in languages
        ]
        self.days.choices = select_choices({str(day): name for day, name in day_names().items() if calendar.week[day]})
        open_parts = {part for day in range(7) for part, _, _ in parts_within(*calendar.weekly_ranges(day))}
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
            phone=self._number(self.phone) if self.phone.data else "",
            email=_address(self.email.data) if self.email.data else "",
            reach_by=self.way,
            days=tuple(sorted(map(int, self.days.data or ()))),
            parts=tuple(part.value for part in PartOfDay if part.value in (self.parts.data or ())),
            voicemail=bool(called) and self.voicemail.data == "yes",
            minor=self.minor.data,
            guardian=self.guardian.data if self.minor.data else "",
            guardian_phone=self._number(self.guardian_phone) if self.minor.data else "",
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
            if isinstance(field, PhoneField) and field.agreed:
                typed[field.agreed_name] = field.agreed
        return typed

    def validate_name(self, field: Field) -> None:
        """Require a name to ask for."""
        if not field.data:
            raise ValidationError(NAME)

    def validate_patient(self, field: Field) -> None:
        """Refuse what is none of the choices; the field is optional."""
        if field.data:
            _one_of(field, PICK_ONE)

    validate_language = validate_patient

    def validate_phone(self, field: Field) -> None:
        """Require a valid number, unless an email address or a guardian's number is to be used."""
        if field.data:
            self._number(field)
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
        preferred = PreferredTimes(
            frozenset(map(int, field.data or ())), frozenset(PartOfDay(part) for part in self.parts.data or ())
        )
        try:
            first_preferred_time(self.calendar, self.now, preferred)
        except NeverOpenError:
            raise ValidationError(CLOSED) from None

    def validate_voicemail(self, field: Field) -> None:
        """Require one of the choices."""
        _one_of(field, PICK_ONE)

    def validate_guardian(self, field: Field) -> None:
        """Require the name of a parent or guardian for patients under 18."""
        if self.minor.data and not field.data:
            raise ValidationError(GUARDIAN)

    def validate_guardian_phone(self, field: Field) -> None:
        """Require a valid number of a parent or guardian for patients under 18."""
        if self.minor.data and not field.data:
            raise ValidationError(GUARDIAN_PHONE)
        if self.minor.data:
            self._number(field)

    def _number(self, field: PhoneField) -> str:
        return field.read(self.country, self.page_language)


def _address(text: str) -> str:
    try:
        return normalize_email(text)
    except ValueError:
        raise ValidationError(EMAIL) from None


def _one_of(field: Field, complaint: Any) -> None:
    if field.data not in values(field):
        raise ValidationError(complaint)


def day_names() -> dict[int, str]:
    """Return the names of the weekdays in the page's language by number, Monday is 0, in their stand-alone form."""
    return dict(get_day_names("wide", context="stand-alone", locale=get_locale()))
