"""The forms of the staff call-back pages."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import lazy_gettext
from wtforms import DateField, Field, HiddenField, RadioField, SelectField, StringField, TextAreaField, ValidationError

from screening.callbacks.business_hours import Calendar
from screening.callbacks.forms import MAX_EMAIL, MAX_MESSAGE, values
from screening.callbacks.workflow import Attempt
from screening.staff.forms import StaffForm
from screening.web.form_fields import MaxLength, select_choices
from screening.web.typed_text import identifier, lines

SPOKE_WITH_PATIENT, DO_NOT_CALL = "spoke", "stop"

NEXT_SHIFT = "-"
"""Value of the hand-over form, in place of an account's id, that puts the request back into the queue."""

OUTCOMES = {
    SPOKE_WITH_PATIENT: lazy_gettext("We spoke"),
    Attempt.NO_ANSWER.value: lazy_gettext("No answer"),
    Attempt.VOICEMAIL.value: lazy_gettext("Left a voicemail"),
    Attempt.WRONG_NUMBER.value: lazy_gettext("Wrong number"),
    DO_NOT_CALL: lazy_gettext("Asked us to stop"),
}

PICK_OUTCOME = lazy_gettext("Pick what happened on the call")
WRITE_NOTE = lazy_gettext("Write the note first")
PICK_COLLEAGUE = lazy_gettext("Pick who takes over the request")
ENTER_DAY = lazy_gettext("Enter a day such as 2026-12-24")
DAY_OVER = lazy_gettext("This day is over. Enter a day from today on")
CLOSED_ANYWAY = lazy_gettext("The clinic is closed on this day anyway")
ENTER_CONTACT = lazy_gettext("Enter a phone number or an email address")


class StaffCallbackForm(StaffForm):
    """Base of these forms. ``seen`` is the version of the request that the page showed."""

    seen = HiddenField()

    @property
    def version(self) -> int:
        """The version that the page showed; 0, which no request has, for an invalid value."""
        return int(self.seen.data) if (self.seen.data or "").isdecimal() and len(self.seen.data) < 10 else 0


class NoteForm(StaffCallbackForm):
    """A note without a transition."""

    note = TextAreaField(filters=[lines], validators=[MaxLength(MAX_MESSAGE)])

    def validate_note(self, field: Field) -> None:
        """Require a text."""
        if not field.data:
            raise ValidationError(WRITE_NOTE)


class CallForm(StaffCallbackForm):
    """The outcome of a call (the button that was pressed), and an optional note."""

    outcome = RadioField(validate_choice=False)
    note = TextAreaField(id="call-note", filters=[lines], validators=[MaxLength(MAX_MESSAGE)])

    def offer(self, voicemail: bool) -> CallForm:
        """Set the choices; ``voicemail``: the patient allows one. Return the form."""
        self.outcome.choices = select_choices(
            {how: words for how, words in OUTCOMES.items() if voicemail or how != Attempt.VOICEMAIL.value}
        )
        return self

    def validate_outcome(self, field: Field) -> None:
        """Require one of ``OUTCOMES``. The workflow refuses one that is not offered, with the reason."""
        if field.data not in OUTCOMES:
            raise ValidationError(PICK_OUTCOME)


class HandOverForm(StaffCallbackForm):
    """The next owner of a request, and an optional note for them."""

    to = SelectField(validate_choice=False)
    handover = TextAreaField(filters=[lines], validators=[MaxLength(MAX_MESSAGE)])

    def validate_to(self, field: Field) -> None:
        """Require one of the choices."""
        if field.data not in values(field):
            raise ValidationError(PICK_COLLEAGUE)


class SearchForm(StaffCallbackForm):
    """A phone number or e-mail address to search for."""

    contact = StringField(filters=[identifier], validators=[MaxLength(MAX_EMAIL)])

    def validate_contact(self, field: Field) -> None:
        """Require a value."""
        if not field.data:
            raise ValidationError(ENTER_CONTACT)


class ClosedDayForm(StaffCallbackForm):
    """A day without calls. ``today`` is the date at the clinic, ``calendar`` its hours and closed days so far."""

    day = DateField()

    def __init__(self, today: date, calendar: Calendar, **options: Any) -> None:
        self.today, self.calendar = today, calendar
        super().__init__(**options)

    def validate_day(self, field: Field) -> None:
        """Require a date from today on, on which the clinic would be open."""
        field.errors = []
        if field.data is None:
            raise ValidationError(ENTER_DAY)
        if field.data < self.today:
            raise ValidationError(DAY_OVER)
        if self.calendar.hours(field.data) is None:
            raise ValidationError(CLOSED_ANYWAY)
