"""Transitions of one request: claim, record an outcome, undo it, close, hand over, erase."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import abort, redirect, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from screening import audit, current
from screening.callbacks import appointments, attempts, clinic_calendar, patient_service, staff_service, workflow
from screening.callbacks.attempts import Result
from screening.callbacks.models import HANDOVER, NOTE, CallbackRequest
from screening.callbacks.public_key import NoKeyError
from screening.callbacks.request_page_views import call_preference, found_request, hand_form, refused, request_page
from screening.callbacks.staff_blueprint import staff_callbacks
from screening.callbacks.staff_forms import CALL_ERRORS, NEXT_SHIFT, CallForm, HandOverForm, NoteForm
from screening.callbacks.staff_texts import DONE
from screening.callbacks.workflow import NotAllowedError, Progress
from screening.extensions import db
from screening.staff import sent_forms
from screening.staff.access import require_role
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS


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
    return request_page(found_request(id_), sent_forms.find(), notice=done)


@staff_callbacks.get("/<id_>/appointment.ics")
@require_role(CALLBACKS)
def appointment_file(id_: str) -> AnyResponse:
    """The calendar file of the agreed time."""
    found = found_request(id_)
    appointment = appointments.agreed(found)
    if appointment is None:
        abort(404)
    return appointments.file_response(found, appointment, current.now())


@staff_callbacks.post("/<id_>/claim")
@require_role(CALLBACKS)
def claim(id_: str) -> AnyResponse:
    """Claim an unclaimed request."""
    return _step(id_, workflow.claim, "request.claimed", "claimed")


@staff_callbacks.post("/<id_>/take-over")
@require_role(CALLBACKS)
def take_over(id_: str) -> AnyResponse:
    """Take a colleague's request over."""
    me = current_account().id
    reassign = lambda progress: workflow.reassign(progress, me)  # noqa: E731
    return _transition(found_request(id_), HandOverForm().version, reassign, "request.reassigned", "claimed", to=me)


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
    found = found_request(id_)
    form, me = hand_form(found, request.form), current_account().id
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
    """Record the outcome of a call or an e-mail. This claims the request, or takes it over from a colleague."""
    found, form, now = found_request(id_), CallForm(), current.now()
    calendar = clinic_calendar.current_calendar(current.clinic())
    outcome = form.read(calendar, now)
    if outcome is None:
        return sent_forms.send_back(form, CALL_ERRORS)
    me, details = current_account().id, staff_service.decrypt(current.keyring(), found)
    result = Result(outcome, form.agreed_at, bool(details and details.voicemail))
    preferred, waits = call_preference(found, details), current.settings()["RETRY_MINUTES"]
    try:
        if found.owner is None:
            db.session.add(audit.event("request.claimed", now, me, id_))
        elif found.owner != me:
            db.session.add(audit.event("request.reassigned", now, me, id_, to=me))
        if form.note.data:
            staff_service.add_note(found, form.note.data, me, now)
        next_at = attempts.next_call_at(outcome, now, calendar, preferred, waits)
        attempts.record(found, form.version, result, next_at, me, now)
    except (NotAllowedError, NoKeyError, SQLAlchemyError) as error:
        return refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done="called"), 303)


@staff_callbacks.post("/<id_>/undo")
@require_role(CALLBACKS)
def undo(id_: str) -> AnyResponse:
    """Undo the last outcome."""
    calendar = clinic_calendar.current_calendar(current.clinic())
    try:
        attempts.undo(found_request(id_), HandOverForm().version, current_account().id, current.now(), calendar)
    except (NotAllowedError, SQLAlchemyError) as error:
        return refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done="undone"), 303)


@staff_callbacks.post("/<id_>/note")
@require_role(CALLBACKS)
def note(id_: str) -> AnyResponse:
    """Add a note."""
    found, form = found_request(id_), NoteForm()
    if not form.validate():
        return sent_forms.send_back(form)
    try:
        staff_service.record_note(found, form.version, form.note.data, current_account().id, current.now())
    except (NotAllowedError, NoKeyError, SQLAlchemyError) as error:
        return refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done="noted"), 303)


@staff_callbacks.post("/<id_>/erase")
@require_role(CALLBACKS)
def erase(id_: str) -> AnyResponse:
    """Withdraw and erase a request as the patient asked."""
    found = found_request(id_)
    try:
        if found.version != HandOverForm().version:
            raise NotAllowedError("changed")
        patient_service.erase(found, current.now(), current_account().id)
    except (NotAllowedError, SQLAlchemyError) as error:
        return refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done="erased"), 303)


def _step(id_: str, step: Callable[[Progress, str], Progress], action: str, done: str) -> AnyResponse:
    """Make a transition that needs no input but the current account."""
    me = current_account().id
    return _transition(found_request(id_), HandOverForm().version, lambda progress: step(progress, me), action, done)


def _transition(
    found: CallbackRequest,
    seen: int,
    step: Callable[[Progress], Progress],
    action: str,
    done: str,
    note: StepNote = StepNote(),
    **detail: str,
) -> AnyResponse:
    """Make a transition, store its note, and redirect to the request; on failure with the reason and what was typed."""
    me, id_, now = current_account().id, found.id, current.now()
    try:
        if note.text:
            staff_service.add_note(found, note.text, me, now, note.kind)
        staff_service.transition(found, seen, step, action, me, now, **detail)
    except (NotAllowedError, NoKeyError, SQLAlchemyError) as error:
        return refused(id_, error)
    return redirect(url_for("staff_callbacks.show", id_=id_, done=done), 303)
