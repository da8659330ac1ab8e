"""The forms of the staff call-back pages."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from flask_babel import lazy_gettext
from wtforms import DateField, Field, HiddenField, SelectField, StringField, TextAreaField, ValidationError

from screening.callbacks.business_hours import Calendar, clinic_moment, is_open
from screening.callbacks.forms import MAX_EMAIL, MAX_MESSAGE, values
from screening.callbacks.workflow import Outcome
from screening.staff.forms import StaffForm
from screening.web.form_fields import MaxLength
from screening.web.typed_text import identifier, lines

NEXT_SHIFT = "-"
"""Value of the hand-over form, in place of an account's id, that puts the request back into the queue."""

PICK_OUTCOME = lazy_gettext("Pick what happened on the call")
PICK_CALL_TIME = lazy_gettext("Pick a day and time to come, when we are open")
PICK_VISIT_TIME = lazy_gettext("Pick the day and time of the visit")
CALL_ERRORS = {"outcome": PICK_OUTCOME, "again": PICK_CALL_TIME, "visit": PICK_VISIT_TIME}
"""Errors of the call form that depend on the clinic's hours, by code."""

WRITE_NOTE = lazy_gettext("Write the note first")
PICK_COLLEAGUE = lazy_gettext("Pick who takes over the request")
ENTER_DAY = lazy_gettext("Enter a day such as 2026-12-24")
DAY_OVER = lazy_gettext("This day is over. Enter a day from today on")
CLOSED_ANYWAY = lazy_gettext("The clinic is closed on this day anyway")
ENTER_CONTACT = lazy_gettext("Type a name, a part of a phone number, an email address or a reference")


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
    """The outcome of a call (the button that was pressed), the time that some outcomes need, and an optional note."""

    outcome = StringField()
    note = TextAreaField(id="call-note", filters=[lines], validators=[MaxLength(MAX_MESSAGE)])
    again_day, again_time = StringField(filters=[identifier]), StringField(filters=[identifier])
    visit_day, visit_time = StringField(filters=[identifier]), StringField(filters=[identifier])

    agreed_at: int | None = None

    def read(self, calendar: Calendar, now: float) -> Outcome | None:
        """Return the outcome, and set ``agreed_at``; None if a field is wrong, which then has an error."""
        self.validate()
        try:
            outcome = Outcome(self.outcome.data)
        except ValueError:
            self.outcome.errors = [PICK_OUTCOME]
            return None
        if outcome is Outcome.CALL_AGAIN:
            moment = _moment(calendar, self.again_day.data, self.again_time.data)
            if moment is None or moment.timestamp() <= now or not is_open(calendar, moment):
                self.again_day.errors = [PICK_CALL_TIME]
        elif outcome is Outcome.BOOKED:
            moment = _moment(calendar, self.visit_day.data, self.visit_time.data)
            if moment is None or moment.timestamp() <= now:
                self.visit_day.errors = [PICK_VISIT_TIME]
        else:
            moment = None
        self.agreed_at = int(moment.timestamp()) if moment else None
        return None if self.errors else outcome


def _moment(calendar: Calendar, day: str, clock: str) -> datetime | None:
    """Return a time at the clinic that was typed as ISO texts; None for an invalid one."""
    try:
        return clinic_moment(calendar, date.fromisoformat(day), time.fromisoformat(clock))
    except ValueError:
        return None


class HandOverForm(StaffCallbackForm):
    """The next owner of a request, and an optional note for them."""

    to = SelectField(validate_choice=False)
    handover = TextAreaField(filters=[lines], validators=[MaxLength(MAX_MESSAGE)])

    def validate_to(self, field: Field) -> None:
        """Require one of the choices."""
        if field.data not in values(field) - {""}:
            raise ValidationError(PICK_COLLEAGUE)


class SearchForm(StaffCallbackForm):
    """What to search requests for. The field is in the head of every page."""

    contact = StringField(id="find", filters=[identifier], validators=[MaxLength(MAX_EMAIL)])

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
