"""The status page: a patient looks up a request by its reference, changes it, or withdraws it."""

from collections.abc import Callable, Mapping

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.callbacks import appointments, form_cookie, patient_service, reference_code
from screening.callbacks.form_state import FormState, StoredForm
from screening.callbacks.patient_blueprint import (
    BAD_REQUEST,
    FORM,
    STATUS,
    TOO_LARGE,
    TOO_MANY,
    UNAVAILABLE,
    forget_request,
    notice_text,
    patient_callbacks,
    roll_back,
)
from screening.callbacks.patient_service import GoneError
from screening.callbacks.workflow import NotAllowedError, State, patient_may_change
from screening.durations import format_wait
from screening.walk import Walk, current_walk
from screening.web import rate_limits
from screening.web.form_fields import TOO_LONG
from screening.web.typed_text import single_line

MAX_REFERENCE = 100
"""Characters of a text without a reference that the draft stores, to show them again."""

ERRORS = {
    "not-found": lazy_gettext(
        "We can’t find a request with this reference. It may have been erased. Check it, or call us"
    ),
    "mistyped": lazy_gettext(
        "Check the reference for a typing mistake. It has 14 letters and digits, such as K7M4-2QXPA-9RTWC"
    ),
}
"""Errors of the reference field. A URL holds only the name."""

MANY_LOOKUPS = lazy_gettext("Many references were tried from your network. Try again in %(wait)s, or call us")

STATUS_TEXTS: dict[State, Callable[[int], tuple[str, str]]] = {
    State.NEW: lambda attempts: (gettext("We have your request."), ""),
    State.CLAIMED: lambda attempts: (gettext("We have your request."), ""),
    State.ATTEMPTED: lambda attempts: (
        ngettext("We tried to reach you once.", "We tried to reach you %(num)s times.", attempts),
        gettext("We will try again, or you can call us."),
    ),
    State.REACHED: lambda attempts: (gettext("We got back to you about this request."), ""),
    State.CLOSED: lambda attempts: (gettext("This request is closed."), ""),
    State.WITHDRAWN: lambda attempts: (gettext("This request is closed."), ""),
}
"""By state, from the number of attempts: the sentence that a patient reads, and a second one or an empty string."""


@patient_callbacks.get("/status")
def status() -> AnyResponse | str:
    """The status of the request whose reference is in the draft; without one, the form that asks for it."""
    walk, notice = current_walk(), request.args.get("notice")
    stored = walk.draft.get("request")
    if not stored or notice in ERRORS:
        return find_page(walk, notice)
    try:
        receipt = patient_service.get_receipt(stored["reference"])
        appointment = appointments.agreed(patient_service.find_by_reference(receipt.reference))
    except GoneError:
        return find_page(walk, "not-found")
    except SQLAlchemyError as error:
        roll_back(error)
        return make_response(find_page(walk, "status-away"), UNAVAILABLE)
    return render_template(
        "callbacks/status.html",
        receipt=receipt,
        appointment=appointment,
        text=STATUS_TEXTS[receipt.progress.state](receipt.progress.attempts),
        promises=receipt.progress.state in (State.NEW, State.CLAIMED),
        may_change=patient_may_change(receipt.progress),
        late=receipt.due_at < walk.now,
        notice=notice_text(notice, current.clinic()),
    )


@patient_callbacks.get("/status/appointment.ics")
def appointment_file() -> AnyResponse:
    """The calendar file of the agreed time; a redirect to the status without one."""
    walk = current_walk()
    try:
        found = patient_service.find_by_reference(walk.draft.get("request", {}).get("reference", ""))
        appointment = appointments.agreed(found)
    except (GoneError, SQLAlchemyError) as error:
        roll_back(error)
        appointment = None
    if appointment is None:
        return redirect(url_for(STATUS), 303)
    return appointments.file_response(found, appointment, walk.now)


@patient_callbacks.post("/status")
def find() -> AnyResponse:
    """Look a reference up and store it in the draft, so that it never becomes part of a URL."""
    walk, typed = current_walk(), typed_reference(request.form)
    wait = rate_limits.wait_for("lookups", current.settings()["RATE_LIMIT_LOOKUPS"])
    if wait:
        error = MANY_LOOKUPS % {"wait": format_wait(wait)}
        return make_response(find_page(walk, None, typed, str(error)), TOO_MANY, {"Retry-After": str(wait)})
    try:
        receipt = patient_service.get_receipt(reference_code.parse(typed))
    except reference_code.BadReferenceError:
        if len(typed) > MAX_REFERENCE:
            too_long = TOO_LONG % {"most": MAX_REFERENCE, "count": len(typed)}
            return make_response(find_page(walk, None, typed, str(too_long)), TOO_LARGE)
        return find_again(walk, typed, "mistyped")
    except GoneError:
        return find_again(walk, typed, "not-found")
    except SQLAlchemyError as error:
        roll_back(error)
        return make_response(find_page(walk, "status-away", typed), UNAVAILABLE)
    walk.draft.pop("sought", None)
    if walk.draft.get("request", {}).get("reference") != receipt.reference:
        walk.draft["request"] = {"reference": receipt.reference}
        form = form_cookie.read(request.cookies, current.keyring(), walk.draft, walk.now, current.settings()["HTTPS"])
        if form is not None and form.state.replaces:
            walk.draft.end_form()
    return redirect(url_for(STATUS), 303)


@patient_callbacks.post("/status/change")
def change() -> AnyResponse:
    """Redirect to a new form that replaces the request when it is sent."""
    walk = current_walk()
    response = redirect(url_for(FORM), 303)
    if "request" in walk.draft:
        state = FormState.fresh(walk.now, walk.draft.response_id, walk.draft["request"]["reference"])
        form, secure = StoredForm(state, {}, checked=False, at=walk.now), current.settings()["HTTPS"]
        form_cookie.store(response, form, current.keyring(), walk.draft, secure)
    return response


@patient_callbacks.post("/status/withdraw")
def withdraw() -> AnyResponse:
    """Withdraw the request, which erases it at once. Retrying is idempotent."""
    walk = current_walk()
    stored = walk.draft.get("request")
    if not stored:
        return redirect(url_for(STATUS, notice="find"), 303)
    try:
        patient_service.withdraw(stored["reference"], walk.now)
    except GoneError:
        pass  # already withdrawn
    except (SQLAlchemyError, NotAllowedError) as error:
        roll_back(error)
        return make_response(find_page(walk, "status-away"), UNAVAILABLE)
    forget_request(walk.draft)
    return redirect(url_for(STATUS, notice="withdrawn"), 303)


@patient_callbacks.post("/status/forget")
def forget() -> AnyResponse:
    """Delete the reference from this browser. The request stays."""
    walk = current_walk()
    walk.draft.forgotten_at = walk.now
    forget_request(walk.draft)
    return redirect(url_for(STATUS), 303)


def typed_reference(fields: Mapping[str, str]) -> str:
    """Return the reference in a form's data."""
    return single_line(fields.get("reference"))


def find_again(walk: Walk, typed: str, name: str) -> AnyResponse:
    """Return a redirect to the form that asks for a reference, with its error; without cookies, the page itself."""
    if walk.draft.new:
        return make_response(find_page(walk, "cookies-needed", typed), BAD_REQUEST)
    walk.draft["sought"] = typed[:MAX_REFERENCE]
    return redirect(url_for(STATUS, notice=name), 303)


def find_page(walk: Walk, name: str | None, typed: str | None = None, error: str | None = None, wait: int = 0) -> str:
    """Return the page that asks for a reference. ``name``: one of ``ERRORS``, or as ``wait`` in ``notice_text``."""
    typed = walk.draft.get("sought", "") if typed is None else typed
    error = str(ERRORS[name]) if name in ERRORS else error
    notice = notice_text(name, current.clinic(), wait)
    return render_template("callbacks/find.html", typed=typed, notice=notice, error=error)
