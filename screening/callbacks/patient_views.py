"""The consultation pages: form, review, confirmation.

Typed values travel in hidden fields, so that neither a lost draft nor an unavailable database loses them.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import current_app, g, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.wrappers import Response as AnyResponse

from screening import current, draft, responses
from screening.callbacks import patient_service  # its routes
from screening.callbacks.business_hours import due_at
from screening.callbacks.contact_details import group_digits
from screening.callbacks.due_times import due_at_of, is_closed_now, opening
from screening.callbacks.form_state import FormState
from screening.callbacks.forms import ConsultationForm, single_line
from screening.callbacks.patient_blueprint import (
    CONFLICT,
    TOO_MANY,
    UNAVAILABLE,
    UNPROCESSABLE,
    forget_request,
    notice_text,
    patient_callbacks,
    roll_back,
)
from screening.callbacks.patient_service import GoneError, Receipt
from screening.callbacks.public_key import NoKeyError
from screening.callbacks.status_views import find_page
from screening.callbacks.summary_sharing import shareable_summary, shared_answers, withdraw_response
from screening.callbacks.workflow import NotAllowedError
from screening.draft import current_answers, current_draft
from screening.i18n import locale
from screening.questionnaires.scoring import Help
from screening.web import errors, rate_limits
from screening.web.compression import with_compression

MIN_FORM_SECONDS = 3
"""Nobody fills the form in and checks it in less; a program does."""

MAX_REQUESTS_IN_DRAFT = 2 * draft.PADDING_BLOCK
"""Bytes a draft may have with what was typed in it: more does not fit a cookie. Then the page alone has it."""


@patient_callbacks.get("")
def consultation() -> AnyResponse:
    """The form, with what was typed before as far as the draft keeps it."""
    draft = current_draft()
    kept = draft.get("consultation")
    return with_compression(
        _form_page(_form(MultiDict(_pairs(kept)) if kept else None), notice=request.args.get("notice"))
    )


@patient_callbacks.post("")
def again() -> str:
    """The form once more with what was typed: to change it, or to read on in another language."""
    form = _form(request.form)
    _keep(form)
    return _form_page(form)


@patient_callbacks.get("/review")
def review_again() -> AnyResponse:
    """The review comes from the form only."""
    return redirect(url_for("patient_callbacks.consultation"), 303)


@patient_callbacks.post("/review")
def review() -> AnyResponse | str:
    """What will be sent, to be checked before it is."""
    form = _form(request.form)
    _keep(form)
    if form.website.data:
        return make_response(_form_page(form, notice="again"), UNPROCESSABLE)
    if not form.validate():
        return make_response(_form_page(form), UNPROCESSABLE)
    if form.share.data and shareable_summary() is None:
        return make_response(_without_summary(form), UNPROCESSABLE)
    return _review_page(form)


@patient_callbacks.post("/sent")
def send() -> AnyResponse | str:
    """Store the request, once, and show the promise."""
    form = _form(request.form)
    if form.website.data or not form.validate():
        return review()
    if form.share.data and shareable_summary() is None:
        return make_response(_without_summary(form), UNPROCESSABLE)
    if 0 <= current.now() - _carried().opened < MIN_FORM_SECONDS:  # opened later than now: the clock was put back
        return make_response(_review_page(form, notice="again"), UNPROCESSABLE)
    if not opening().certain:  # before it is counted: pressing again while the database is away uses nothing up
        return make_response(_review_page(form, notice="away"), UNAVAILABLE)
    if not rate_limits.allow("requests", current.settings()["RATE_LIMIT_REQUESTS"]):
        return make_response(_review_page(form, notice="many"), TOO_MANY)
    if form.share.data and withdraw_response() is responses.StoreResult.UNAVAILABLE:
        return make_response(_review_page(form, notice="response-away"), UNAVAILABLE)
    try:
        receipt = _store(form)
    except (SQLAlchemyError, NoKeyError) as error:
        roll_back(error)
        return make_response(_review_page(form, notice="away"), UNAVAILABLE)
    except (GoneError, NotAllowedError) as error:
        forget_request()
        notice = "gone" if isinstance(error, GoneError) else "closed"
        g.carried = FormState.fresh(current.now() - MIN_FORM_SECONDS)
        return make_response(_form_page(form, notice), CONFLICT)
    _take_receipt(form, receipt)
    return redirect(url_for("patient_callbacks.sent"), 303)


@patient_callbacks.get("/sent")
def sent() -> AnyResponse | str:
    """The promise, the reference to keep, and what happens next."""
    kept = current_draft().get("request")
    if not kept or "reach_by" not in kept:
        return redirect(url_for("patient_callbacks.status", notice="find"), 303)
    late = kept["due_at"] < current.now()
    return render_template("callbacks/sent.html", sent=kept, due=kept["due_at"], late=late, closed_now=is_closed_now())


@patient_callbacks.errorhandler(CSRFError)
def stale_form(error: CSRFError) -> AnyResponse:
    """A form whose token is gone comes back as it was, so one more press sends it."""
    draft.renew_form_token()
    return _back_as_it_was("stale", error)


@patient_callbacks.errorhandler(TooManyRequests)
def too_many(error: TooManyRequests) -> AnyResponse:
    """A form that came too often is kept, too."""
    response = make_response(_back_as_it_was("minute", error))
    response.headers["Retry-After"] = str(errors.RETRY_SECONDS)
    return response


def _back_as_it_was(notice: str, error: HTTPException) -> AnyResponse:
    code = error.code or UNPROCESSABLE
    if request.endpoint == "patient_callbacks.find":
        return make_response(find_page(single_line(request.form.get("reference"))[:40], notice=notice), code)
    if request.endpoint not in ("patient_callbacks.again", "patient_callbacks.review", "patient_callbacks.send"):
        answer_error: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
        return answer_error(error)
    form = _form(request.form)
    if form.share.data and shareable_summary() is None:
        return make_response(_without_summary(form), code)
    if request.endpoint == "patient_callbacks.send" and form.validate():
        return make_response(_review_page(form, notice), code)
    form.process(request.form)
    return make_response(_form_page(form, notice), code)


def _form_page(form: ConsultationForm, notice: str | None = None) -> str:
    form.website.data = ""
    return render_template(
        "callbacks/consultation.html",
        form=form,
        carried=_carried().sealed(current.keyring()),
        replaces=_carried().replaces,
        by=_promised(None),
        closed_now=is_closed_now(),
        summary=shareable_summary(),
        notice=notice_text(notice),
    )


def _review_page(form: ConsultationForm, notice: str | None = None) -> str:
    details = form.details(shared_answers(), current.questionnaire().version)
    return render_template(
        "callbacks/review.html",
        form=form,
        details=details,
        phone=group_digits(details.phone, current.clinic().country),
        guardian_phone=group_digits(details.guardian_phone, current.clinic().country),
        summary=shareable_summary() if form.share.data else None,
        carried=_carried().sealed(current.keyring()),
        by=_promised(form),
        late=_replaced_is_late(),
        notice=notice_text(notice),
    )


def _without_summary(form: ConsultationForm) -> str:
    form.share.data = False
    return _form_page(form, notice="no-summary")


def _form(formdata: MultiDict[str, Any] | None) -> ConsultationForm:
    now, country = datetime.fromtimestamp(current.now(), UTC), current.clinic().country
    form = ConsultationForm(opening().calendar, country, locale.locale_names(), now, formdata=formdata)
    roles = current.questionnaire().roles
    if formdata is None and current_answers().get(roles.age) == roles.minor:
        form.minor.data = True
    return form


def _keep(form: ConsultationForm) -> None:
    """Let the draft keep what was typed, when it fits."""
    draft = current_draft()
    draft["consultation"] = form.typed()
    if len(json.dumps(dict(draft))) > MAX_REQUESTS_IN_DRAFT:
        del draft["consultation"]


def _pairs(kept: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, item) for name, value in kept.items() for item in (value if isinstance(value, list) else [value])]


def _carried() -> FormState:
    """What the form being filled in carries, as it was sent or as it begins now."""
    if "carried" not in g:
        kept = current_draft().get("request")
        replaces = kept["reference"] if kept and current_draft().get("changing") else ""
        sent = request.form.get("carried", "")
        g.carried = (
            FormState.read(current.keyring(), sent, current.now()) if sent else FormState.fresh(current.now(), replaces)
        )
    found: FormState = g.carried
    return found


def _replaced_is_late() -> bool:
    """Whether the request that is being changed was promised for a time that is over."""
    due = due_at_of(_carried().replaces)
    return due is not None and due < current.now()


def _store(form: ConsultationForm) -> Receipt:
    details = form.details(shared_answers(), current.questionnaire().version)
    summary = shareable_summary()
    urgent = details.answers is not None and summary is not None and summary.help is Help.URGENT
    carried, mails = _carried(), bool(current.settings()["MAIL_HOST"])
    if carried.replaces:
        return patient_service.change(
            carried.replaces, details, opening().calendar, current.now(), urgent, carried.secret, mails=mails
        )
    return patient_service.submit(carried.secret, details, opening().calendar, current.now(), urgent, mails=mails)


def _take_receipt(form: ConsultationForm, receipt: Receipt) -> None:
    """Keep in the draft what the next page says, and forget what was typed."""
    details, draft = form.details(None, 0), current_draft()
    draft.pop("consultation", None)
    draft.pop("changing", None)
    if form.share.data:
        draft.shared = True
    draft["request"] = {
        "reference": receipt.reference,
        "due_at": receipt.due_at,
        "reach_by": "phone" if details.minor else details.reach_by,
        "ending": details.call.partition(";")[0][-2:],
        "ask_for": details.ask_for[:20],
        "voicemail": details.voicemail,
    }


def _promised(form: ConsultationForm | None) -> datetime | None:
    """By when a request sent now is answered; None when that can't be said, as the database is away."""
    if not opening().certain:
        return None
    now, calendar = datetime.fromtimestamp(current.now(), UTC), opening().calendar
    if form is None:
        return due_at(calendar, now)
    details, due = form.details(None, 0), due_at_of(_carried().replaces)
    if due is not None:
        return datetime.fromtimestamp(patient_service.due_at_after_change(due, details, calendar, current.now()), UTC)
    return due_at(calendar, now, details.wish)
