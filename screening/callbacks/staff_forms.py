"""The forms of the team's pages."""

from __future__ import annotations

from flask_babel import lazy_gettext
from wtforms import DateField, Field, HiddenField, RadioField, SelectField, StringField, TextAreaField, ValidationError

from screening.callbacks.forms import MAX_MESSAGE, TOO_LONG, single_line, values
from screening.callbacks.workflow import Attempt
from screening.staff.forms import StaffForm
from screening.web.form_fields import select_choices

SPOKE_WITH_PATIENT, DO_NOT_CALL = "spoke", "stop"

NEXT_SHIFT = "-"
"""In place of a colleague: back into the queue."""

OUTCOMES = {
    SPOKE_WITH_PATIENT: lazy_gettext("We spoke"),
    Attempt.NO_ANSWER.value: lazy_gettext("No answer"),
    Attempt.VOICEMAIL.value: lazy_gettext("Left a voicemail"),
    Attempt.WRONG_NUMBER.value: lazy_gettext("Wrong number"),
    DO_NOT_CALL: lazy_gettext("Asked us to stop"),
}

PICK_OUTCOME = lazy_gettext("Pick what happened on the call")
WRITE_NOTE = lazy_gettext("Write the note first")
PICK_COLLEAGUE = lazy_gettext("Pick who shall have the request")
ENTER_DAY = lazy_gettext("Give a day such as 2026-12-24")
ENTER_CONTACT = lazy_gettext("Give a phone number or an e-mail address")


class StaffCallbackForm(StaffForm):
    """What all these forms share. ``seen`` is the version of the request that the page showed."""

    seen = HiddenField()

    @property
    def version(self) -> int:
        """The version that was seen; 0, which none has, for what is no number."""
        return int(self.seen.data) if (self.seen.data or "").isdecimal() and len(self.seen.data) < 10 else 0


def _note(text: str | None) -> str:
    return single_line(text, lines=True)


class NoteForm(StaffCallbackForm):
    """A note by itself."""

    note = TextAreaField(filters=[_note])

    def validate_note(self, field: Field) -> None:
        """Something, and not too much."""
        if not field.data:
            raise ValidationError(WRITE_NOTE)
        _not_too_long(field)


class CallForm(StaffCallbackForm):
    """How a call went: the button that was pressed. A note may go with it."""

    outcome = RadioField(validate_choice=False)
    note = TextAreaField(id="call-note", filters=[_note])

    def offer(self, voicemail: bool) -> CallForm:
        """Offer the outcomes that are possible: no voicemail where none may be left."""
        self.outcome.choices = select_choices(
            {how: words for how, words in OUTCOMES.items() if voicemail or how != Attempt.VOICEMAIL.value}
        )
        return self

    def validate_outcome(self, field: Field) -> None:
        """One of them; what is not offered here is refused by the request's course, with its reason."""
        if field.data not in OUTCOMES:
            raise ValidationError(PICK_OUTCOME)

    def validate_note(self, field: Field) -> None:
        """Not too much."""
        _not_too_long(field)


class HandOverForm(StaffCallbackForm):
    """Who shall have the request, and what they should know."""

    to = SelectField(validate_choice=False)
    handover = TextAreaField(filters=[_note])

    def validate_to(self, field: Field) -> None:
        """One of the team."""
        if field.data not in values(field):
            raise ValidationError(PICK_COLLEAGUE)

    def validate_handover(self, field: Field) -> None:
        """Not too much."""
        _not_too_long(field)


class SearchForm(StaffCallbackForm):
    """A number or address to look for."""

    contact = StringField(filters=[single_line])

    def validate_contact(self, field: Field) -> None:
        """Something to look for."""
        if not field.data:
            raise ValidationError(ENTER_CONTACT)


class ClosedDayForm(StaffCallbackForm):
    """A day without calls."""

    day = DateField()

    def validate_day(self, field: Field) -> None:
        """A day of the calendar."""
        field.errors = []
        if field.data is None:
            raise ValidationError(ENTER_DAY)


def _not_too_long(field: Field) -> None:
    if len(field.data or "") > MAX_MESSAGE:
        raise ValidationError(TOO_LONG % {"most": MAX_MESSAGE, "count": len(field.data)})
