"""The call-back form of the current request, and its two pages: the form, and the review before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from flask import render_template
from werkzeug.datastructures import MultiDict

from screening.callbacks import patient_service
from screening.callbacks.business_hours import due_at
from screening.callbacks.contact_details import ContactDetails, group_digits
from screening.callbacks.due_times import Opening, due_at_of, is_closed
from screening.callbacks.form_state import FormState
from screening.callbacks.forms import ConsultationForm
from screening.callbacks.patient_blueprint import notice_text
from screening.callbacks.summary_sharing import shareable_summary, shared_answers
from screening.clinic import Clinic
from screening.crypto.keyring import Keyring
from screening.questionnaires.scoring import Summary
from screening.walk import Walk


@dataclass(frozen=True)
class Consultation:
    """A form being filled in.

    ``summary``: the summary that may be shared with it; None while questions are open, and for patients under 18.
    ``lost_change``: it was to change a request that this browser no longer holds, so it is a new one.
    """

    walk: Walk
    clinic: Clinic
    opening: Opening
    state: FormState
    form: ConsultationForm
    summary: Summary | None
    lost_change: bool = False

    @classmethod
    def of(
        cls,
        walk: Walk,
        clinic: Clinic,
        opening: Opening,
        state: FormState,
        fields: MultiDict[str, Any] | None,
        languages: list[tuple[str, str]],
    ) -> Consultation:
        """Return the form filled with ``fields``; without them, with the walk's answer about the patient's age."""
        moment = datetime.fromtimestamp(walk.now, UTC)
        form = ConsultationForm(opening.calendar, clinic.country, languages, moment, formdata=fields)
        if fields is None:
            form.minor.data = _is_minor(walk)
        summary = None if form.minor.data or _is_minor(walk) else shareable_summary(walk)
        lost_change = bool(state.replaces) and not state.is_held_by(walk.draft)
        if lost_change:
            state = replace(state, replaces="")
        return cls(walk, clinic, opening, state, form, summary, lost_change)

    @property
    def shares_summary(self) -> bool:
        """Whether the summary goes along with the request."""
        return bool(self.form.share.data) and self.summary is not None

    @property
    def lacks_summary(self) -> bool:
        """Whether an adult chose to share a summary that no longer exists, because the answers were deleted."""
        return bool(self.form.share.data) and self.summary is None and not self.form.minor.data

    @cached_property
    def details(self) -> ContactDetails:
        """The contact details of a valid form."""
        answers = None if self.summary is None else shared_answers(self.walk)
        return self.form.details(answers, self.walk.questionnaire.version)

    @cached_property
    def replaced_due_at(self) -> int | None:
        """When the request that this form changes is due; None if there is none, or it cannot be read."""
        return due_at_of(self.state.replaces)

    @property
    def due_if_sent(self) -> datetime | None:
        """When a valid form that is sent now will be due; None if the closed days cannot be read."""
        now, calendar, details = self.walk.now, self.opening.calendar, self.details
        if not self.opening.certain:
            return None
        due = self.replaced_due_at
        if due is not None:
            return datetime.fromtimestamp(patient_service.due_at_after_change(due, details, calendar, now), UTC)
        return due_at(calendar, datetime.fromtimestamp(now, UTC), details.preferred_times)

    @property
    def replaced_is_overdue(self) -> bool:
        """Whether the request that this form changes is overdue."""
        return self.replaced_due_at is not None and self.replaced_due_at < self.walk.now


def form_page(consultation: Consultation, keyring: Keyring, notice: str | None = None, wait: int = 0) -> str:
    """Return the form's page. ``notice`` and ``wait``: see ``notice_text``."""
    consultation.form.website.data = ""
    calendar, now = consultation.opening.calendar, consultation.walk.now
    return render_template(
        "callbacks/consultation.html",
        form=consultation.form,
        form_state=consultation.state.encrypted(keyring),
        replaces=consultation.state.replaces,
        by=due_at(calendar, datetime.fromtimestamp(now, UTC)) if consultation.opening.certain else None,
        closed_now=is_closed(calendar, now),
        summary=consultation.summary,
        notice=notice_text(notice, consultation.clinic, wait),
    )


def review_page(consultation: Consultation, keyring: Keyring, notice: str | None = None, wait: int = 0) -> str:
    """Return the page that shows what a valid form will send. ``notice`` and ``wait``: see ``notice_text``."""
    details, country = consultation.details, consultation.clinic.country
    return render_template(
        "callbacks/review.html",
        form=consultation.form,
        details=details,
        phone=group_digits(details.phone, country),
        guardian_phone=group_digits(details.guardian_phone, country),
        summary=consultation.summary if consultation.shares_summary else None,
        form_state=consultation.state.encrypted(keyring),
        by=consultation.due_if_sent,
        late=consultation.replaced_is_overdue,
        notice=notice_text(notice, consultation.clinic, wait),
    )


def _is_minor(walk: Walk) -> bool:
    """Return whether the visitor answered in the walk to be under 18."""
    roles = walk.questionnaire.roles
    return walk.answers.get(roles.age) == roles.minor
