"""How a request stands: found by its reference, changed, withdrawn."""

from collections.abc import Callable
from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.callbacks import patient_service, reference_code
from screening.callbacks.forms import single_line
from screening.callbacks.patient_blueprint import (
    TOO_MANY,
    UNAVAILABLE,
    UNPROCESSABLE,
    forget_request,
    notice_text,
    patient_callbacks,
    roll_back,
)
from screening.callbacks.patient_service import GoneError
from screening.callbacks.workflow import NotAllowedError, State, patient_may_change
from screening.draft import current_draft
from screening.web import rate_limits

NOT_FOUND = lazy_gettext("We can’t find a request with this reference. It may have been erased. Check it, or call us")
MISTYPED = lazy_gettext("There is a slip in this reference. It has 14 letters and digits, such as K7M4-2QXPA-9RTWC")
LOOKUP_FORM = lazy_gettext("Many references were tried from your network. Try again in an hour, or call us")


STATUS_TEXTS: dict[State, Callable[[int], tuple[str, str]]] = {
    State.NEW: lambda attempts: (gettext("We have your request."), ""),
    State.CLAIMED: lambda attempts: (gettext("We have your request."), ""),
    State.ATTEMPTED: lambda attempts: (
        ngettext("We tried to reach you once.", "We tried to reach you %(num)s times.", attempts),
        gettext("We will try again, or you can call us."),
    ),
    State.REACHED: lambda attempts: (gettext("We have talked with you about this request."), ""),
    State.CLOSED: lambda attempts: (gettext("This request is closed."), ""),
    State.WITHDRAWN: lambda attempts: (gettext("This request is closed."), ""),
}
"""What a patient reads of a request that was called so many times: a sentence, and another or none."""


@patient_callbacks.get("/status")
def status() -> AnyResponse | str:
    """How a request stands, for who has given its reference."""
    kept = current_draft().get("request")
    if not kept:
        return find_page("", notice=request.args.get("notice"))
    try:
        receipt = patient_service.find_by_id(kept["reference"])
    except GoneError:
        forget_request()
        return find_page("", error=NOT_FOUND)
    except SQLAlchemyError as error:
        roll_back(error)
        return make_response(find_page("", notice="status-away"), UNAVAILABLE)
    late = receipt.due_at < current.now()
    return render_template(
        "callbacks/status.html",
        receipt=receipt,
        text=STATUS_TEXTS[receipt.progress.state](receipt.progress.attempts),
        promises=receipt.progress.state in (State.NEW, State.CLAIMED),
        may_change=patient_may_change(receipt.progress),
        late=late,
        notice=notice_text(request.args.get("notice")),
    )


@patient_callbacks.post("/status")
def find() -> AnyResponse | str:
    """Take a reference. It stays in the draft and stands in no address."""
    typed = single_line(request.form.get("reference"))[:40]
    if not rate_limits.allow("lookups", current.settings()["RATE_LIMIT_LOOKUPS"]):
        return make_response(find_page(typed, error=LOOKUP_FORM), TOO_MANY)
    try:
        receipt = patient_service.find_by_id(reference_code.parse(typed))
    except reference_code.BadReferenceError:
        return make_response(find_page(typed, error=MISTYPED), UNPROCESSABLE)
    except GoneError:
        return make_response(find_page(typed, error=NOT_FOUND), UNPROCESSABLE)
    except SQLAlchemyError as error:
        roll_back(error)
        return make_response(find_page(typed, notice="status-away"), UNAVAILABLE)
    current_draft()["request"] = {"reference": receipt.reference}
    current_draft().pop("changing", None)
    return redirect(url_for("patient_callbacks.status"), 303)


@patient_callbacks.post("/status/change")
def change() -> AnyResponse:
    """Fill the form in anew; what is sent then replaces the request."""
    if "request" in current_draft():
        current_draft()["changing"] = True
    return redirect(url_for("patient_callbacks.consultation"), 303)


@patient_callbacks.post("/status/withdraw")
def withdraw() -> AnyResponse | str:
    """Take the request back; it is erased at once."""
    kept = current_draft().get("request")
    if not kept:
        return redirect(url_for("patient_callbacks.status", notice="find"), 303)
    try:
        patient_service.withdraw(kept["reference"], current.now())
    except GoneError:
        pass  # taken back before: what was wished for is so
    except (SQLAlchemyError, NotAllowedError) as error:
        roll_back(error)
        return make_response(find_page("", notice="status-away"), UNAVAILABLE)
    forget_request()
    return redirect(url_for("patient_callbacks.status", notice="withdrawn"), 303)


@patient_callbacks.post("/status/forget")
def forget() -> AnyResponse:
    """Forget the reference in this browser; the request stays."""
    forget_request()
    return redirect(url_for("patient_callbacks.status"), 303)


def find_page(typed: str, notice: str | None = None, error: Any = None) -> str:
    """Return the page that asks for a reference."""
    return render_template("callbacks/find.html", typed=typed, notice=notice_text(notice), error=error)
