"""The page of one request."""

from collections.abc import Mapping
from typing import Any

from flask import abort, make_response, render_template, request
from flask_babel import gettext, lazy_gettext
from flask_babel.speaklater import LazyString
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from screening import audit, current
from screening.callbacks import appointments, attempts, clinic_calendar, contact_index, staff_service, workflow
from screening.callbacks.business_hours import PreferredTimes
from screening.callbacks.contact_details import ContactDetails, group_digits
from screening.callbacks.models import HANDOVER, CallbackRequest
from screening.callbacks.staff_blueprint import UNAVAILABLE, days_overdue, due_today
from screening.callbacks.staff_forms import CALL_ERRORS, NEXT_SHIFT, CallForm, HandOverForm, NoteForm
from screening.callbacks.staff_texts import EVENTS, OUTCOME_LABELS, REFUSED
from screening.callbacks.workflow import NotAllowedError, Outcome
from screening.durations import format_duration
from screening.extensions import db
from screening.mail import queries
from screening.questionnaires.scoring import Help, Summary, score
from screening.staff import display_names, sent_forms
from screening.staff.current_account import current_account
from screening.staff.roles import CALLBACKS
from screening.staff.sent_forms import SentForm
from screening.web.form_fields import select_choices


def request_page(found: CallbackRequest, sent: SentForm | None, notice: Any = None) -> str:
    """Return a request's page. After a conflict every form shows what was typed: the sent one may no longer apply."""
    failed = sent is not None and sent.reason in REFUSED

    def fields(form: str) -> MultiDict[str, str] | None:
        return sent.fields if sent and (failed or sent.form == f"staff_callbacks.{form}") else None

    call, note = CallForm(formdata=fields("call")), NoteForm(formdata=fields("note"))
    hand = hand_form(found, fields("hand"))
    for name, form in (("call", call), ("note", note), ("hand", hand)):
        if sent is not None and sent.form == f"staff_callbacks.{name}":
            sent.show_errors(form, CALL_ERRORS)
    me, now, names = current_account().id, current.now(), display_names.account_names()
    viewer = staff_service.last_viewer(found, me, now) if found.progress.state in workflow.OPEN_STATES else None
    db.session.add(audit.event("request.viewed", now, me, found.id))
    db.session.commit()
    details, past = staff_service.decrypt(current.keyring(), found), staff_service.history(found)
    summary, calendar, settings = (
        _shared(details),
        clinic_calendar.current_calendar(current.clinic()),
        current.settings(),
    )
    last, preferred = attempts.last(found), call_preference(found, details)
    return render_template(
        "callbacks/staff/request.html",
        callback_request=found,
        progress=found.progress,
        actions=workflow.allowed(found.progress, me),
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
        stopped_before=bool(contact_index.asked_to_stop([found.id])),
        names=names,
        me=me,
        call=call,
        note=note,
        hand=hand,
        late=days_overdue(found, calendar),
        due_today=due_today(found),
        notice=_refusal(sent.reason, past, me, names) if sent is not None and failed else notice,
        failed=failed,
        outcomes=OUTCOME_LABELS,
        last=last,
        appointment=appointments.agreed(found),
        undoable=attempts.undoable(found, last, me, now, calendar),
        called="called" in request.args.getlist("done"),
        next_times={
            outcome.value: attempts.next_call_at(outcome, now, calendar, preferred, settings["RETRY_MINUTES"])
            for outcome in (Outcome.NO_ANSWER, Outcome.BUSY, Outcome.VOICEMAIL)
        },
        exhausted=found.attempts >= settings["MAX_ATTEMPTS"] or (last and last.outcome == Outcome.WRONG_NUMBER.value),
        viewer=(names.get(viewer.actor, ""), format_duration(max(60, (now - viewer.at) // 60 * 60)))
        if viewer
        else None,
        unsent=[queries.reason(mail) for mail in queries.failed_about(found.id)],
        stopped=bool(last and last.outcome == Outcome.STOP.value),
    )


def refused(id_: str, error: Exception) -> AnyResponse:
    """Show the request's current state, with the reason of the failure and what was typed."""
    db.session.rollback()
    if isinstance(error, NotAllowedError):
        return sent_forms.send_back(reason=error.reason)
    sent = SentForm(str(request.endpoint), request.form, "away")
    return make_response(request_page(found_request(id_), sent), UNAVAILABLE)


def hand_form(found: CallbackRequest, typed: MultiDict[str, str] | None) -> HandOverForm:
    """Return the form that hands a request over, with the colleagues it may go to."""
    form = HandOverForm(formdata=typed)
    me, colleagues = current_account().id, display_names.active_names(CALLBACKS)
    whom: dict[str, str | LazyString] = {"": lazy_gettext("Choose")}
    whom |= {id_: name for id_, name in dict(colleagues).items() if id_ != me}
    if found.owner == me:
        whom[NEXT_SHIFT] = lazy_gettext("Whoever comes next")
    form.to.choices = select_choices(whom)
    return form


def found_request(id_: str) -> CallbackRequest:
    """Return the request with an id; aborts with 404 if there is none."""
    found = staff_service.get_request(id_)
    if found is None:
        abort(404)
    return found


def call_preference(found: CallbackRequest, details: ContactDetails | None) -> PreferredTimes:
    """Return when to call again by the patient's wish; at any time if the request is to be called first."""
    return details.preferred_times if details and found.rank else PreferredTimes()


def _refusal(reason: str, past: list[audit.AuditEvent], me: str, names: Mapping[str, str]) -> str:
    """Return why a form was refused; after a concurrent change, by whom and what it was."""
    changes = [event for event in past if event.action != "request.viewed"]
    if reason not in ("changed", "taken") or not changes or changes[-1].actor == me:
        return str(REFUSED[reason])
    last = changes[-1]
    who = names.get(last.actor) or display_names.OTHER_ACTORS.get(last.actor, "")
    label = OUTCOME_LABELS.get(last.detail.get("outcome", "")) or EVENTS.get(last.action, last.action)
    what = gettext("Last: %(what)s, %(name)s.", what=label, name=who)
    return f"{REFUSED[reason]} {what}"


def _shared(details: ContactDetails | None) -> Summary | None:
    if details is None or details.answers is None:
        return None
    return score(current.questionnaire(), details.answers)
