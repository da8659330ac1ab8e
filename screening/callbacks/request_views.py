"""The page of one request, and its workflow transitions."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import abort, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from screening import audit, current
from screening.callbacks import clinic_calendar, contact_index, patient_service, staff_service, workflow
from screening.callbacks.contact_details import ContactDetails, group_digits
from screening.callbacks.models import HANDOVER, NOTE, CallbackRequest
from screening.callbacks.public_key import NoKeyError
from screening.callbacks.staff_blueprint import UNAVAILABLE, days_overdue, due_today, staff_callbacks
from screening.callbacks.staff_forms import (
    DO_NOT_CALL,
    NEXT_SHIFT,
    OUTCOMES,
    SPOKE_WITH_PATIENT,
    CallForm,
    HandOverForm,
    NoteForm,
)
from screening.callbacks.staff_texts import DONE, EVENTS, REFUSED
from screening.callbacks.workflow import Attempt, NotAllowedError, Progress
from screening.extensions import db
from screening.mail import queries
from screening.questionnaires.scoring import Help, Summary, score
from screening.staff import display_names, sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS
from screening.staff.sent_forms import SentForm
from screening.web.form_fields import select_choices


@dataclass(frozen=True)
class StepNote:
    """A note that is stored with a transition, and its kind."""

    text: str = ""
    kind: str = NOTE


@staff_callbacks.get("/<id_>")
@require_role(CALLBACKS)
def show(id_: str) -> str:
    """One request, with its notes, history and duplicates."""
    done = DONE.get(request.args.get("done", ""))
    return _request_page(_found(id_), sent_forms.find(), notice=done)


@staff_callbacks.post("/<id_>/claim")
@require_role(CALLBACKS)
def claim(id_: str) -> AnyResponse:
    """Claim an unclaimed request."""
    return _step(id_, workflow.claim, "request.claimed", "claimed")


@staff_callbacks.post("/<id_>/put-back")
@require_role(CALLBACKS)
def put_back(id_: str) -> AnyResponse:
    """Put a request back into the queue."""
    return _step(id_, workflow.put_back, "request.put_back", "put_back")


@staff_callbacks.post("/<id_>/close")
@require_role(CALLBACKS)
def close(id_: str) -> AnyResponse:
    """Close a request."""
    return _step(id_, workflow.close, "request.closed", "closed")


@staff_callbacks.post("/<id_>/reopen")
@require_role(CALLBACKS)
def reopen(id_: str) -> AnyResponse:
    """Reopen a closed request."""
    return _step(id_, workflow.reopen, "request.reopened", "reopened")


@staff_callbacks.post("/<id_>/hand")
@require_role(CALLBACKS)
def hand(id_: str) -> AnyResponse:
    """Hand a request over to a colleague or the next shift, or take it over; with an optional note."""
    found = _found(id_)
    form, me = _hand_form(found, request.form), current_account().id
    if not form.validate():
        return sent_forms.send_back(form)
    to, handover = form.to.data, StepNote(form.handover.data, HANDOVER)
    if to == NEXT_SHIFT:
        back = lambda progress: workflow.put_back(progress, me)  # noqa: E731
        return _transition(found, form.version, back, "request.put_back", "put_back", handover)
    reassign = lambda progress: workflow.reassign(progress, to)  # noqa: E731
    return _transition(found, form.version, reassign, "request.reassigned", "reassigned", handover, to=to)


@staff_callbacks.post("/<id_>/call")
@require_role(CALLBACKS)
def call(id_: str) -> AnyResponse:
    """Record the outcome of a call. Calling about an unclaimed request claims it."""
    found, form = _found(id_), CallForm()
    details = staff_service.decrypt(current.keyring(), found)
    voicemail = bool(details and details.voicemail)
    form.offer(voicemail)
    if not form.validate():
        return sent_forms.send_back(form)
    step, action, detail = _call_step(form.outcome.data, voicemail)
    return _transition(found, form.version, step, action, "called", StepNote(form.note.data), called=True, **detail)


@staff_callbacks.post("/<id_>/note")
@require_role(CALLBACKS)
def note(id_: str) -> AnyResponse:
    """Add a note."""
    found, form = _found(id_), NoteForm()
    if not form.validate():
        return sent_forms.send_back(form)
    try:
        staff_service.record_note(found, form.version, form.note.data, current_account().id, current.now())
    except (NotAllowedError, NoKeyError, SQLAlchemyError) as error:
        return _refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done="noted"), 303)


@staff_callbacks.post("/<id_>/erase")
@require_role(CALLBACKS)
def erase(id_: str) -> AnyResponse:
    """Withdraw and erase a request as the patient asked."""
    found = _found(id_)
    try:
        if found.version != HandOverForm().version:
            raise NotAllowedError("changed")
        patient_service.erase(found, current.now(), current_account().id)
    except (NotAllowedError, SQLAlchemyError) as error:
        return _refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done="erased"), 303)


def _step(id_: str, step: Callable[[Progress, str], Progress], action: str, done: str) -> AnyResponse:
    """Make a transition that needs no input but the current account."""
    me = current_account().id
    return _transition(_found(id_), HandOverForm().version, lambda progress: step(progress, me), action, done)


def _transition(
    found: CallbackRequest,
    seen: int,
    step: Callable[[Progress], Progress],
    action: str,
    done: str,
    note: StepNote = StepNote(),
    called: bool = False,
    **detail: str,
) -> AnyResponse:
    """Make a transition, store its note, and redirect to the request; on failure with the reason and what was typed."""
    me, id_, now = current_account().id, found.id, current.now()
    try:
        if called and found.owner is None:
            db.session.add(audit.event("request.claimed", now, me, id_))
        if note.text:
            staff_service.add_note(found, note.text, me, now, note.kind)
        staff_service.transition(found, seen, step, action, me, now, **detail)
    except (NotAllowedError, NoKeyError, SQLAlchemyError) as error:
        return _refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done=done), 303)


def _call_step(outcome: str, voicemail: bool) -> tuple[Callable[[Progress], Progress], str, dict[str, str]]:
    """Return the transition of a call's outcome, its audit action, and the action's detail."""
    me = current_account().id
    if outcome == SPOKE_WITH_PATIENT:
        return (lambda progress: workflow.reach(_claimed(progress), me)), "request.reached", {}
    if outcome == DO_NOT_CALL:
        return (lambda progress: workflow.close(_claimed(progress), me)), "request.closed", {"reason": DO_NOT_CALL}
    how = Attempt(outcome)
    step = lambda progress: workflow.attempt(_claimed(progress), me, how, voicemail)  # noqa: E731
    return step, "request.attempted", {"outcome": outcome}


def _claimed(progress: Progress) -> Progress:
    """Return the progress, claimed by the current account if it was unclaimed. Raises NotAllowedError."""
    return workflow.claim(progress, current_account().id) if progress.owner is None else progress


def _refused(id_: str, error: Exception) -> AnyResponse:
    """Show the request's current state, with the reason of the failure and what was typed."""
    db.session.rollback()
    if isinstance(error, NotAllowedError):
        return sent_forms.send_back(reason=error.reason)
    sent = SentForm(str(request.endpoint), request.form, "away")
    return make_response(_request_page(_found(id_), sent), UNAVAILABLE)


def _request_page(found: CallbackRequest, sent: SentForm | None, notice: Any = None) -> str:
    """Return a request's page. After a conflict every form shows what was typed: the sent one may no longer apply."""
    failed = sent is not None and sent.reason in REFUSED

    def fields(form: str) -> MultiDict[str, str] | None:
        return sent.fields if sent and (failed or sent.form == f"staff_callbacks.{form}") else None

    call, note = CallForm(formdata=fields("call")), NoteForm(formdata=fields("note"))
    hand = _hand_form(found, fields("hand"))
    for name, form in (("call", call), ("note", note), ("hand", hand)):
        if sent is not None and sent.form == f"staff_callbacks.{name}":
            sent.show_errors(form)
    db.session.add(audit.event("request.viewed", current.now(), current_account().id, found.id))
    db.session.commit()
    details, past = staff_service.decrypt(current.keyring(), found), staff_service.history(found)
    summary = _shared(details)
    return render_template(
        "callbacks/staff/request.html",
        callback_request=found,
        progress=found.progress,
        actions=workflow.allowed(found.progress, current_account().id),
        patient_may_change=workflow.patient_may_change(found.progress),
        erased=found.ciphertext is None,
        details=details,
        phone=group_digits(details.call, current.clinic().country) if details else "",
        own_phone=group_digits(details.phone, current.clinic().country) if details else "",
        summary=summary,
        urgent=summary is not None and summary.help is Help.URGENT,
        older=bool(summary and details and details.version != current.questionnaire().version),
        notes=sorted(staff_service.notes(current.keyring(), found), key=lambda pair: pair[0].kind != HANDOVER),
        history=past,
        words=EVENTS,
        duplicates=contact_index.duplicates(found),
        names=display_names.account_names(),
        me=current_account().id,
        call=call.offer(bool(details and details.voicemail)),
        note=note,
        hand=hand,
        late=days_overdue(found, clinic_calendar.current_calendar(current.clinic())),
        due_today=due_today(found),
        notice=REFUSED[sent.reason] if sent is not None and failed else notice,
        failed=failed,
        outcomes=OUTCOMES,
        unsent=[queries.reason(mail) for mail in queries.failed_about(found.id)],
        stopped=any(event.detail.get("reason") == DO_NOT_CALL for event in past),
    )


def _shared(details: ContactDetails | None) -> Summary | None:
    if details is None or details.answers is None:
        return None
    return score(current.questionnaire(), details.answers)


def _hand_form(found: CallbackRequest, typed: MultiDict[str, str] | None) -> HandOverForm:
    form = HandOverForm(formdata=typed)
    whom: dict[str, str | LazyString] = dict(display_names.active_names(CALLBACKS))
    if found.owner == current_account().id:
        whom[NEXT_SHIFT] = lazy_gettext("Whoever comes next")
    form.to.choices = select_choices(whom)
    return form


def _found(id_: str) -> CallbackRequest:
    found = staff_service.get_request(id_)
    if found is None:
        abort(404)
    return found
