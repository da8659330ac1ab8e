"""The call-back form's pages: form, review, confirmation.

Each POST stores the form in its cookie and redirects to a page that shows it again. The pages also hold its values in
form fields, so that nothing typed is lost with an expired draft, without cookies, or while the database is unavailable.
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
from screening.callbacks.patient_service import GoneError, KnownError, Receipt
from screening.callbacks.public_key import NoKeyError
from screening.callbacks.status_views import find_again, find_page, typed_reference
from screening.callbacks.summary_sharing import withdraw_response
from screening.callbacks.workflow import NotAllowedError
from screening.email_address import mailbox
from screening.i18n import locale
from screening.questionnaires.scoring import Help
from screening.walk import Walk, current_walk
from screening.web import rate_limits
from screening.web.compression import with_compression
from screening.web.form_token import WITHOUT_COOKIE

MIN_FORM_SECONDS = 3
"""Minimum age of a form that is sent: a person takes longer to fill it in and review it, a program does not."""


@patient_callbacks.get("")
def consultation() -> AnyResponse:
    """The form, with the values typed before."""
    walk = current_walk()
    stored = _stored(walk)
    notice = request.args.get("notice")
    if stored is None:
        entry = _entry(walk, FormState.fresh(walk.now, walk.draft.response_id), None)
        notice = "cleared" if walk.draft.form_stored else notice
    else:
        entry = _entry(walk, stored.state, stored.fields)
        if stored.checked:
            entry.form.validate()
    return with_compression(form_page(entry, current.keyring(), notice), request.accept_encodings)


@patient_callbacks.post("")
def edit() -> AnyResponse:
    """Store the form and show it again, to change it or to switch the language."""
    return _show(_sent(), FORM)


@patient_callbacks.get("/review")
def review() -> AnyResponse | str:
    """What will be sent, for the patient to check. Once it is sent, redirect to the confirmation."""
    walk = current_walk()
    stored = _stored(walk)
    if stored is None:
        sent = "reach_by" in walk.draft.get("request", {}) and not walk.draft.form_stored
        return redirect(url_for(SENT if sent else FORM), 303)
    entry = _entry(walk, stored.state, stored.fields)
    if not entry.form.validate() or entry.lacks_summary:
        return redirect(url_for(FORM, notice="no-summary" if entry.lacks_summary else None), 303)
    return review_page(entry, current.keyring(), request.args.get("notice"))


@patient_callbacks.post("/review")
def check() -> AnyResponse:
    """Validate the form; redirect to the review, or to the form with its errors."""
    entry = _sent()
    return _refused(entry) or _show(entry, REVIEW)


@patient_callbacks.post("/sent")
def send() -> AnyResponse:
    """Store the request and redirect to the confirmation. Retrying is idempotent."""
    entry, keyring = _sent(), current.keyring()
    refused = _refused(entry)
    if refused is not None:
        return refused
    if 0 <= entry.walk.now - entry.state.opened < MIN_FORM_SECONDS:  # negative: the clock was set back
        return _show(entry, REVIEW, notice="again")
    if not entry.opening.certain:  # before the rate limit, so that retries during an outage do not count
        return make_response(review_page(entry, keyring, "away"), UNAVAILABLE)
    wait = rate_limits.wait_for("requests", current.settings()["RATE_LIMIT_REQUESTS"])
    if wait:
        return make_response(review_page(entry, keyring, "many", wait), TOO_MANY, {"Retry-After": str(wait)})
    if entry.shares_summary and withdraw_response(keyring, entry.walk.draft) is responses.StoreResult.UNAVAILABLE:
        return make_response(review_page(entry, keyring, "response-away"), UNAVAILABLE)
    try:
        receipt = _store(entry)
    except (SQLAlchemyError, NoKeyError) as error:
        roll_back(error)
        return make_response(review_page(entry, keyring, "away"), UNAVAILABLE)
    except KnownError:
        entry.walk.draft.end_form()
        return redirect(url_for(STATUS, notice="known"), 303)
    except (GoneError, NotAllowedError) as error:
        forget_request(entry.walk.draft)
        fresh = FormState.fresh(entry.walk.now - MIN_FORM_SECONDS, entry.walk.draft.response_id)
        renewed = replace(entry, state=fresh)
        return _show(renewed, FORM, notice="gone" if isinstance(error, GoneError) else "closed")
    return _confirm(entry, receipt)


@patient_callbacks.get("/sent")
def sent() -> AnyResponse | str:
    """The confirmation: due time, reference, and what happens next."""
    walk = current_walk()
    confirmation = walk.draft.get("request")
    if not confirmation or "reach_by" not in confirmation:
        return redirect(url_for(STATUS, notice="find"), 303)
    return _sent_page(walk, confirmation)


@patient_callbacks.errorhandler(CSRFError)
def stale_form(error: CSRFError) -> AnyResponse:
    """Show a form without the draft's token again, so that pressing the button once more sends it."""
    if request.endpoint == "patient_callbacks.find":
        return find_again(current_walk(), typed_reference(request.form), "stale")
    if request.endpoint not in WITHOUT_COOKIE:
        return find_again(current_walk(), "", "again")
    entry = _sent()
    refused = _refused(entry) if request.endpoint == "patient_callbacks.send" else _show(entry, FORM, notice="stale")
    response = refused or _show(entry, REVIEW, notice="stale")
    if response.status_code != 303:  # the page itself: the browser sent no cookie, and does not prove where it is
        response.status_code = error.code or UNPROCESSABLE
    return response


@patient_callbacks.errorhandler(TooManyRequests)
def too_many(error: TooManyRequests) -> AnyResponse:
    """Show a rate-limited form again with what was typed."""
    wait = int(error.retry_after)  # type: ignore[arg-type]
    response = _rate_limited_page(error, wait)
    response.headers["Retry-After"] = str(wait)
    return response


def _rate_limited_page(error: HTTPException, wait: int) -> AnyResponse:
    if request.endpoint == "patient_callbacks.find":
        return make_response(find_page(current_walk(), "forms", typed_reference(request.form), wait=wait), TOO_MANY)
    if request.endpoint not in WITHOUT_COOKIE:
        answer_error: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
        return answer_error(error)
    entry, keyring = _sent(), current.keyring()
    if request.endpoint == "patient_callbacks.send" and entry.form.validate() and not entry.lacks_summary:
        return make_response(review_page(entry, keyring, "forms", wait), TOO_MANY)
    entry.form.process(request.form)
    return make_response(form_page(entry, keyring, "forms", wait), TOO_MANY)


def _entry(walk: Walk, state: FormState, fields: MultiDict[str, Any] | None) -> Consultation:
    clinic = current.clinic()
    return Consultation.of(walk, clinic, read_opening(clinic), state, fields, locale.locale_names())


def _sent() -> Consultation:
    """Return the form with the data of this request."""
    walk, field = current_walk(), request.form.get("form_state", "")
    return _entry(walk, FormState.read(current.keyring(), field, walk.now, walk.draft.response_id), request.form)


def _stored(walk: Walk) -> StoredForm | None:
    """Return the form in the request's cookie."""
    return form_cookie.read(request.cookies, current.keyring(), walk.draft, walk.now, current.settings()["HTTPS"])


def _refused(entry: Consultation) -> AnyResponse | None:
    """Return a redirect to the form with its errors; None for a valid form."""
    if entry.form.website.data or entry.lost_change:
        return _show(entry, FORM, notice="again")
    if not entry.form.validate():
        return _show(entry, FORM, checked=True)
    if entry.lacks_summary:
        entry.form.share.data = False
        return _show(entry, FORM, notice="no-summary")
    return None


def _show(entry: Consultation, endpoint: str, notice: str | None = None, checked: bool = False) -> AnyResponse:
    """Return a redirect to the form or its review; or the page itself if no cookie can hold the form."""
    walk, keyring = entry.walk, current.keyring()
    if entry.lost_change:
        endpoint, notice = FORM, "change-lost"
    response = redirect(url_for(endpoint, notice=notice), 303)
    form = StoredForm(entry.state, entry.form.typed(), checked, walk.now)
    if not walk.draft.new and form_cookie.store(response, form, keyring, walk.draft, current.settings()["HTTPS"]):
        return response
    walk.draft.end_form()  # an earlier version must not come back in place of this one
    page = review_page if endpoint == REVIEW else form_page
    shown_notice = notice or ("no-cookies" if walk.draft.new else None)
    return make_response(page(entry, keyring, shown_notice), UNPROCESSABLE if notice or checked else 200)


def _store(entry: Consultation) -> Receipt:
    details, state, calendar, now = entry.details, entry.state, entry.opening.calendar, entry.walk.now
    urgent = details.answers is not None and entry.summary is not None and entry.summary.help is Help.URGENT
    mails = bool(current.settings()["MAIL_HOST"])
    if state.replaces:
        return patient_service.change(
            state.replaces, details, calendar, now, urgent, state.secret, mails=mails, may_mail=_is_within_cap
        )
    held = state.is_held_by(entry.walk.draft)
    return patient_service.submit(
        state.secret, details, calendar, now, urgent, held=held, mails=mails, may_mail=_is_within_cap
    )


def _is_within_cap(address: str) -> bool:
    """Count a mail to an address, and return whether it may be sent today."""
    allowed = rate_limits.allows_subject("mails", current.settings()["RATE_LIMIT_MAILS"], mailbox(address))
    if not allowed:
        current_app.extensions["watch_capped_mail"]()
    return allowed


def _confirm(entry: Consultation, receipt: Receipt) -> AnyResponse:
    """Store the confirmation in the draft, delete the form, and redirect; without cookies, return the page itself."""
    details, walk = entry.details, entry.walk
    if entry.shares_summary:
        walk.draft.shared = True
    walk.draft.pop("sought", None)
    walk.draft["request"] = {
        "reference": receipt.reference,
        "words": receipt.words,
        "language": receipt.language,
        "due_at": receipt.due_at,
        "reach_by": details.reach_by,
        "ending": details.call.partition(";")[0][-2:],
        "ask_for": details.ask_for,
        "voicemail": details.voicemail,
        "new": details.patient == "new",
    }
    if walk.draft.new:
        return make_response(_sent_page(walk, walk.draft["request"]))
    walk.draft.end_form()
    return redirect(url_for(SENT), 303)


def _sent_page(walk: Walk, confirmation: dict[str, Any]) -> str:
    closed = is_closed(read_opening(current.clinic()).calendar, walk.now)
    due = confirmation["due_at"]
    return render_template("callbacks/sent.html", sent=confirmation, due=due, late=due < walk.now, closed_now=closed)
