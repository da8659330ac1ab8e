"""The consultation pages: form, review, confirmation.

Each post stores the form in its cookie and redirects to a page that shows it again. Its fields also travel in the
pages' forms, so that neither a lost draft, cookies that are off, nor an unavailable database loses what was typed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import current_app, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.wrappers import Response as AnyResponse

from screening import current, responses
from screening.callbacks import form_cookie, patient_service
from screening.callbacks.consultation import Consultation, form_page, review_page
from screening.callbacks.due_times import is_closed, read_opening
from screening.callbacks.form_state import FormState, StoredForm
from screening.callbacks.patient_blueprint import (
    FORM,
    REVIEW,
    SENT,
    STATUS,
    TOO_MANY,
    UNAVAILABLE,
    UNPROCESSABLE,
    forget_request,
    patient_callbacks,
    roll_back,
)
from screening.callbacks.patient_service import GoneError, Receipt
from screening.callbacks.public_key import NoKeyError
from screening.callbacks.status_views import find_again, find_page, typed_reference
from screening.callbacks.summary_sharing import withdraw_response
from screening.callbacks.workflow import NotAllowedError
from screening.i18n import locale
from screening.questionnaires.scoring import Help
from screening.walk import Walk, current_walk
from screening.web import errors, rate_limits
from screening.web.compression import with_compression
from screening.web.form_token import WITHOUT_COOKIE

MIN_FORM_SECONDS = 3
"""Nobody fills the form in and checks it in less; a program does."""


@patient_callbacks.get("")
def consultation() -> AnyResponse:
    """The form, with what was typed before."""
    walk = current_walk()
    stored = _stored(walk)
    notice = request.args.get("notice")
    if stored is None:
        asked = _asked(walk, FormState.fresh(walk.now), None)
        notice = "cleared" if walk.draft.form_stored else notice
    else:
        asked = _asked(walk, stored.state, stored.fields)
        if stored.checked:
            asked.form.validate()
    return with_compression(form_page(asked, current.keyring(), notice), request.accept_encodings)


@patient_callbacks.post("")
def edit() -> AnyResponse:
    """The form once more with what was typed: to change it, or to read on in another language."""
    return _show(_sent(), FORM)


@patient_callbacks.get("/review")
def review() -> AnyResponse | str:
    """What will be sent, to be checked before it is. After sending, Back finds the confirmation here."""
    walk = current_walk()
    stored = _stored(walk)
    if stored is None:
        sent = "reach_by" in walk.draft.get("request", {}) and not walk.draft.form_stored
        return redirect(url_for(SENT if sent else FORM), 303)
    asked = _asked(walk, stored.state, stored.fields)
    if not asked.form.validate() or asked.lacks_summary:
        return redirect(url_for(FORM, notice="no-summary" if asked.lacks_summary else None), 303)
    return review_page(asked, current.keyring(), request.args.get("notice"))


@patient_callbacks.post("/review")
def check() -> AnyResponse:
    """Take the form, and show it to be checked; or what is wrong with it."""
    asked = _sent()
    return _refused(asked) or _show(asked, REVIEW)


@patient_callbacks.post("/sent")
def send() -> AnyResponse:
    """Store the request, once, and show the promise."""
    asked, keyring = _sent(), current.keyring()
    refused = _refused(asked)
    if refused is not None:
        return refused
    if 0 <= asked.walk.now - asked.state.opened < MIN_FORM_SECONDS:  # opened later than now: the clock was put back
        return _show(asked, REVIEW, notice="again")
    if not asked.opening.certain:  # before it is counted: pressing again while the database is away uses nothing up
        return make_response(review_page(asked, keyring, "away"), UNAVAILABLE)
    if not rate_limits.allow("requests", current.settings()["RATE_LIMIT_REQUESTS"]):
        return make_response(review_page(asked, keyring, "many"), TOO_MANY)
    if asked.form.share.data and withdraw_response(asked.walk.draft) is responses.StoreResult.UNAVAILABLE:
        return make_response(review_page(asked, keyring, "response-away"), UNAVAILABLE)
    try:
        receipt = _store(asked)
    except (SQLAlchemyError, NoKeyError) as error:
        roll_back(error)
        return make_response(review_page(asked, keyring, "away"), UNAVAILABLE)
    except (GoneError, NotAllowedError) as error:
        forget_request(asked.walk.draft)
        anew = replace(asked, state=FormState.fresh(asked.walk.now - MIN_FORM_SECONDS))
        return _show(anew, FORM, notice="gone" if isinstance(error, GoneError) else "closed")
    return _confirm(asked, receipt)


@patient_callbacks.get("/sent")
def sent() -> AnyResponse | str:
    """The promise, the reference to keep, and what happens next."""
    walk = current_walk()
    kept = walk.draft.get("request")
    if not kept or "reach_by" not in kept:
        return redirect(url_for(STATUS, notice="find"), 303)
    return _sent_page(walk, kept)


@patient_callbacks.errorhandler(CSRFError)
def stale_form(error: CSRFError) -> AnyResponse:
    """A form without the draft's token comes back as it was, so one more press sends it."""
    if request.endpoint == "patient_callbacks.find":
        return find_again(current_walk(), typed_reference(request.form), "stale")
    if request.endpoint not in WITHOUT_COOKIE:
        return find_again(current_walk(), "", "again")
    asked = _sent()
    refused = _refused(asked) if request.endpoint == "patient_callbacks.send" else _show(asked, FORM, notice="stale")
    response = refused or _show(asked, REVIEW, notice="stale")
    if response.status_code != 303:  # the page itself: the browser sent no cookie, and does not prove where it is
        response.status_code = error.code or UNPROCESSABLE
    return response


@patient_callbacks.errorhandler(TooManyRequests)
def too_many(error: TooManyRequests) -> AnyResponse:
    """A form that came too often is shown again, too."""
    response = _as_it_was(error)
    response.headers["Retry-After"] = str(errors.RETRY_SECONDS)
    return response


def _as_it_was(error: HTTPException) -> AnyResponse:
    if request.endpoint == "patient_callbacks.find":
        return make_response(find_page(current_walk(), "minute", typed_reference(request.form)), TOO_MANY)
    if request.endpoint not in WITHOUT_COOKIE:
        answer_error: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
        return answer_error(error)
    asked, keyring = _sent(), current.keyring()
    if request.endpoint == "patient_callbacks.send" and asked.form.validate() and not asked.lacks_summary:
        return make_response(review_page(asked, keyring, "minute"), TOO_MANY)
    asked.form.process(request.form)
    return make_response(form_page(asked, keyring, "minute"), TOO_MANY)


def _asked(walk: Walk, state: FormState, fields: MultiDict[str, Any] | None) -> Consultation:
    clinic = current.clinic()
    return Consultation.of(walk, clinic, read_opening(clinic), state, fields, locale.locale_names())


def _sent() -> Consultation:
    """The form as it was sent."""
    walk = current_walk()
    return _asked(walk, FormState.read(current.keyring(), request.form.get("carried", ""), walk.now), request.form)


def _stored(walk: Walk) -> StoredForm | None:
    """The form in the request's cookie."""
    return form_cookie.read(request.cookies, current.keyring(), walk.draft, walk.now, current.settings()["HTTPS"])


def _refused(asked: Consultation) -> AnyResponse | None:
    """Back to the form, if something is wrong with it."""
    if asked.form.website.data:
        return _show(asked, FORM, notice="again")
    if not asked.form.validate():
        return _show(asked, FORM, checked=True)
    if asked.lacks_summary:
        asked.form.share.data = False
        return _show(asked, FORM, notice="no-summary")
    return None


def _show(asked: Consultation, endpoint: str, notice: str | None = None, checked: bool = False) -> AnyResponse:
    """Redirect to the form or its review; answer with the page itself where no cookie can hold the form."""
    walk, keyring = asked.walk, current.keyring()
    response = redirect(url_for(endpoint, notice=notice), 303)
    form = StoredForm(asked.state, asked.form.typed(), checked, walk.now)
    if not walk.draft.new and form_cookie.store(response, form, keyring, walk.draft, current.settings()["HTTPS"]):
        return response
    walk.draft.end_form()  # an earlier version must not come back in place of this one
    page = review_page if endpoint == REVIEW else form_page
    said = notice or ("no-cookies" if walk.draft.new else None)
    return make_response(page(asked, keyring, said), UNPROCESSABLE if notice or checked else 200)


def _store(asked: Consultation) -> Receipt:
    details, state, calendar, now = asked.details, asked.state, asked.opening.calendar, asked.walk.now
    urgent = details.answers is not None and asked.summary is not None and asked.summary.help is Help.URGENT
    mails = bool(current.settings()["MAIL_HOST"])
    if state.replaces:
        return patient_service.change(state.replaces, details, calendar, now, urgent, state.secret, mails=mails)
    return patient_service.submit(state.secret, details, calendar, now, urgent, mails=mails)


def _confirm(asked: Consultation, receipt: Receipt) -> AnyResponse:
    """Store in the draft what the confirmation says, and delete the form; without cookies, show it at once."""
    details, walk = asked.details, asked.walk
    if asked.form.share.data:
        walk.draft.shared = True
    walk.draft.pop("sought", None)
    walk.draft["request"] = {
        "reference": receipt.reference,
        "due_at": receipt.due_at,
        "reach_by": "phone" if details.minor else details.reach_by,
        "ending": details.call.partition(";")[0][-2:],
        "ask_for": details.ask_for[:20],
        "voicemail": details.voicemail,
    }
    if walk.draft.new:
        return make_response(_sent_page(walk, walk.draft["request"]))
    walk.draft.end_form()
    return redirect(url_for(SENT), 303)


def _sent_page(walk: Walk, made: dict[str, Any]) -> str:
    closed = is_closed(read_opening(current.clinic()).calendar, walk.now)
    late = made["due_at"] < walk.now
    return render_template("callbacks/sent.html", sent=made, due=made["due_at"], late=late, closed_now=closed)
