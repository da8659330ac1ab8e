"""The consultation pages: the form, the review of it, the promise, and how a request stands.

What is typed travels with the pages themselves, as hidden fields, so neither a lost draft nor a
database that is away can lose it. The draft keeps it besides, so that the browser's Back finds it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, g, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, TooManyRequests
from werkzeug.wrappers import Response as AnyResponse

from screening import responses
from screening.callback import opening, reference, requests
from screening.callback.carried import Carried
from screening.callback.details import spoken
from screening.callback.forms import ConsultationForm, plain
from screening.callback.promise import Calendar, is_open, promise
from screening.callback.requests import GoneError, Receipt
from screening.callback.sealing import NoKeyError
from screening.callback.states import NotAllowedError
from screening.extensions import db
from screening.questionnaire import path
from screening.questionnaire.summary import Help, Summary, summarise
from screening.web import drafts, errors, limits, locale, site
from screening.web.packed import packed

log = logging.getLogger(__name__)

callback = Blueprint("callback", __name__, url_prefix="/consultation")

LEAST_SECONDS = 3
"""Nobody fills the form in and checks it in less; a program does."""

MOST_KEPT = 2 * drafts.BLOCK
"""Bytes a draft may have with what was typed in it: more does not fit a cookie. Then the page alone has it."""

NOTICES = {
    "again": lazy_gettext("Please press the button once more."),
    "stale": lazy_gettext("This page was open for a long time. What you typed is still here: press the button again."),
    "many": lazy_gettext("Many requests came from your network. What you typed is still here. Try again in an hour."),
    "minute": lazy_gettext("Many forms came from your network. What you typed is still here. Try again in a minute."),
    "withdrawn": lazy_gettext(
        "Your request is taken back. We erased what you sent and what we noted. Nobody will call you because of it."
    ),
    "away": lazy_gettext(
        "Your request may not have reached us. What you typed is still here. Send it again, it counts only once. "
        "Or call us."
    ),
    "no-summary": lazy_gettext(
        "Your answers were cleared in the meantime, so there is no summary to share. You can still send your request."
    ),
    "copy-away": lazy_gettext(
        "We could not take back your anonymous copy just now, so nothing was sent. Press the button again, or call us."
    ),
    "gone": lazy_gettext("You took this request back before, so it was not sent. To ask anew, send it again."),
    "closed": lazy_gettext("That request can’t be changed any more. To ask anew, send this one."),
    "status-away": lazy_gettext("We can’t look up requests just now. Try again in a few minutes, or call us."),
    "find": lazy_gettext("Please give your reference to see how your request stands."),
}

NOT_FOUND = lazy_gettext("We can’t find a request with this reference. It may have been erased. Check it, or call us")
MISTYPED = lazy_gettext("There is a slip in this reference. It has 14 letters and digits, such as K7M4-2QXPA-9RTWC")
LOOKUPS = lazy_gettext("Many references were tried from your network. Try again in an hour, or call us")

CONFLICT, UNPROCESSABLE, TOO_MANY, UNAVAILABLE = 409, 422, 429, 503


@callback.get("")
def consultation() -> AnyResponse:
    """The form, with what was typed before as far as the draft keeps it."""
    draft = drafts.current()
    kept = draft.get("consultation")
    return packed(_form_page(_form(MultiDict(_pairs(kept)) if kept else None), notice=request.args.get("notice")))


@callback.post("")
def again() -> str:
    """The form once more with what was typed: to change it, or to read on in another language."""
    form = _form(request.form)
    _keep(form)
    return _form_page(form)


@callback.get("/review")
def review_again() -> AnyResponse:
    """The review comes from the form only."""
    return redirect(url_for("callback.consultation"), 303)


@callback.post("/review")
def review() -> AnyResponse | str:
    """What will be sent, to be checked before it is."""
    form = _form(request.form)
    _keep(form)
    if form.website.data:
        return make_response(_form_page(form, notice="again"), UNPROCESSABLE)
    if not form.validate():
        return make_response(_form_page(form), UNPROCESSABLE)
    if form.share.data and _summary() is None:
        return make_response(_without_summary(form), UNPROCESSABLE)
    return _review_page(form)


@callback.post("/sent")
def send() -> AnyResponse | str:
    """Store the request, once, and show the promise."""
    form = _form(request.form)
    if form.website.data or not form.validate():
        return review()
    if form.share.data and _summary() is None:
        return make_response(_without_summary(form), UNPROCESSABLE)
    if 0 <= site.now() - _carried().opened < LEAST_SECONDS:  # opened later than now: the clock was put back
        return make_response(_review_page(form, notice="again"), UNPROCESSABLE)
    if not _opening().certain:  # before it is counted: pressing again while the database is away uses nothing up
        return make_response(_review_page(form, notice="away"), UNAVAILABLE)
    if not limits.allow("requests", site.settings()["LIMIT_REQUESTS"]):
        return make_response(_review_page(form, notice="many"), TOO_MANY)
    if form.share.data and _withdraw_copy() is responses.Outcome.UNAVAILABLE:
        return make_response(_review_page(form, notice="copy-away"), UNAVAILABLE)
    try:
        receipt = _store(form)
    except (SQLAlchemyError, NoKeyError) as error:
        _roll_back(error)
        return make_response(_review_page(form, notice="away"), UNAVAILABLE)
    except (GoneError, NotAllowedError) as error:
        _forget_request()
        notice = "gone" if isinstance(error, GoneError) else "closed"
        g.carried = Carried.fresh(site.now() - LEAST_SECONDS)
        return make_response(_form_page(form, notice), CONFLICT)
    _take_receipt(form, receipt)
    return redirect(url_for("callback.sent"), 303)


@callback.get("/sent")
def sent() -> AnyResponse | str:
    """The promise, the reference to keep, and what happens next."""
    kept = drafts.current().get("request")
    if not kept or "reach_by" not in kept:
        return redirect(url_for("callback.status", notice="find"), 303)
    late = kept["due_at"] < site.now()
    return render_template("callback/sent.html", sent=kept, due=kept["due_at"], late=late, closed_now=_closed_now())


@callback.get("/status")
def status() -> AnyResponse | str:
    """How a request stands, for who has given its reference."""
    kept = drafts.current().get("request")
    if not kept:
        return _find_page("", notice=request.args.get("notice"))
    try:
        receipt = requests.look(kept["reference"])
    except GoneError:
        _forget_request()
        return _find_page("", error=NOT_FOUND)
    except SQLAlchemyError as error:
        _roll_back(error)
        return make_response(_find_page("", notice="status-away"), UNAVAILABLE)
    late = receipt.due_at < site.now()
    return render_template(
        "callback/status.html", receipt=receipt, late=late, notice=_notice(request.args.get("notice"))
    )


@callback.post("/status")
def find() -> AnyResponse | str:
    """Take a reference. It stays in the draft and stands in no address."""
    typed = plain(request.form.get("reference"))[:40]
    if not limits.allow("lookups", site.settings()["LIMIT_LOOKUPS"]):
        return make_response(_find_page(typed, error=LOOKUPS), TOO_MANY)
    try:
        receipt = requests.look(reference.read(typed))
    except reference.BadReferenceError:
        return make_response(_find_page(typed, error=MISTYPED), UNPROCESSABLE)
    except GoneError:
        return make_response(_find_page(typed, error=NOT_FOUND), UNPROCESSABLE)
    except SQLAlchemyError as error:
        _roll_back(error)
        return make_response(_find_page(typed, notice="status-away"), UNAVAILABLE)
    drafts.current()["request"] = {"reference": receipt.reference}
    drafts.current().pop("changing", None)
    return redirect(url_for("callback.status"), 303)


@callback.post("/status/change")
def change() -> AnyResponse:
    """Fill the form in anew; what is sent then replaces the request."""
    if "request" in drafts.current():
        drafts.current()["changing"] = True
    return redirect(url_for("callback.consultation"), 303)


@callback.post("/status/withdraw")
def withdraw() -> AnyResponse | str:
    """Take the request back; it is erased at once."""
    kept = drafts.current().get("request")
    if not kept:
        return redirect(url_for("callback.status", notice="find"), 303)
    try:
        requests.withdraw(kept["reference"], site.now())
    except GoneError:
        pass  # taken back before: what was wished for is so
    except (SQLAlchemyError, NotAllowedError) as error:
        _roll_back(error)
        return make_response(_find_page("", notice="status-away"), UNAVAILABLE)
    _forget_request()
    return redirect(url_for("callback.status", notice="withdrawn"), 303)


@callback.post("/status/forget")
def forget() -> AnyResponse:
    """Forget the reference in this browser; the request stays."""
    _forget_request()
    return redirect(url_for("callback.status"), 303)


@callback.errorhandler(CSRFError)
def stale_form(error: CSRFError) -> AnyResponse:
    """A form whose token is gone comes back as it was, so one more press sends it."""
    drafts.renew_form_token()
    return _back_as_it_was("stale", error)


@callback.errorhandler(TooManyRequests)
def too_many(error: TooManyRequests) -> AnyResponse:
    """A form that came too often is kept, too."""
    response = make_response(_back_as_it_was("minute", error))
    response.headers["Retry-After"] = str(errors.RETRY_SECONDS)
    return response


def _back_as_it_was(notice: str, error: HTTPException) -> AnyResponse:
    code = error.code or UNPROCESSABLE
    if request.endpoint == "callback.find":
        return make_response(_find_page(plain(request.form.get("reference"))[:40], notice=notice), code)
    if request.endpoint not in ("callback.again", "callback.review", "callback.send"):
        answer_error: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
        return answer_error(error)
    form = _form(request.form)
    if form.share.data and _summary() is None:
        return make_response(_without_summary(form), code)
    if request.endpoint == "callback.send" and form.validate():
        return make_response(_review_page(form, notice), code)
    form.process(request.form)
    return make_response(_form_page(form, notice), code)


def _form_page(form: ConsultationForm, notice: str | None = None) -> str:
    form.website.data = ""
    return render_template(
        "callback/consultation.html",
        form=form,
        carried=_carried().sealed(site.keyring()),
        replaces=_carried().replaces,
        by=_promised(None),
        closed_now=_closed_now(),
        summary=_summary(),
        notice=_notice(notice),
    )


def _review_page(form: ConsultationForm, notice: str | None = None) -> str:
    details = form.details(_codes(), site.questionnaire().version)
    return render_template(
        "callback/review.html",
        form=form,
        details=details,
        phone=spoken(details.phone, site.clinic().country),
        guardian_phone=spoken(details.guardian_phone, site.clinic().country),
        summary=_summary() if form.share.data else None,
        carried=_carried().sealed(site.keyring()),
        by=_promised(form),
        late=_replaced_is_late(),
        notice=_notice(notice),
    )


def _find_page(typed: str, notice: str | None = None, error: Any = None) -> str:
    return render_template("callback/find.html", typed=typed, notice=_notice(notice), error=error)


def _without_summary(form: ConsultationForm) -> str:
    form.share.data = False
    return _form_page(form, notice="no-summary")


def _form(formdata: MultiDict[str, Any] | None) -> ConsultationForm:
    now, country = datetime.fromtimestamp(site.now(), UTC), site.clinic().country
    form = ConsultationForm(_opening().calendar, country, locale.all_names(), now, formdata=formdata)
    roles = site.questionnaire().roles
    if formdata is None and drafts.answers().get(roles.age) == roles.minor:
        form.minor.data = True
    return form


def _keep(form: ConsultationForm) -> None:
    """Let the draft keep what was typed, when it fits."""
    draft = drafts.current()
    draft["consultation"] = form.typed()
    if len(json.dumps(dict(draft))) > MOST_KEPT:
        del draft["consultation"]


def _pairs(kept: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, item) for name, value in kept.items() for item in (value if isinstance(value, list) else [value])]


def _carried() -> Carried:
    """What the form being filled in carries, as it was sent or as it begins now."""
    if "carried" not in g:
        kept = drafts.current().get("request")
        replaces = kept["reference"] if kept and drafts.current().get("changing") else ""
        sent = request.form.get("carried", "")
        g.carried = Carried.read(site.keyring(), sent, site.now()) if sent else Carried.fresh(site.now(), replaces)
    found: Carried = g.carried
    return found


def _replaced_is_late() -> bool:
    """Whether the request that is being changed was promised for a time that is over."""
    due = _due_of(_carried().replaces)
    return due is not None and due < site.now()


def _due_of(made: str) -> int | None:
    """By when an earlier request is answered; None when there is none, or it can't be looked up."""
    if not made:
        return None
    try:
        return requests.look(made).due_at
    except (GoneError, SQLAlchemyError):
        return None


def _store(form: ConsultationForm) -> Receipt:
    details = form.details(_codes(), site.questionnaire().version)
    summary = _summary()
    urgent = details.answers is not None and summary is not None and summary.help is Help.URGENT
    carried = _carried()
    if carried.replaces:
        return requests.change(carried.replaces, details, _opening().calendar, site.now(), urgent, carried.secret)
    return requests.submit(carried.secret, details, _opening().calendar, site.now(), urgent)


def _take_receipt(form: ConsultationForm, receipt: Receipt) -> None:
    """Keep in the draft what the next page says, and forget what was typed."""
    details, draft = form.details(None, 0), drafts.current()
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


def _withdraw_copy() -> responses.Outcome:
    """Take back the anonymous copy: equal answers with a name beside them would tell whose it is."""
    draft = drafts.current()
    if "copy_outcome" not in draft:
        return responses.Outcome.NONE
    outcome = responses.withdraw(draft.copy_id, kept_before=draft.copy_kept)
    if outcome is not responses.Outcome.UNAVAILABLE:
        draft["copy_outcome"], draft.copy_kept = outcome.value, outcome is responses.Outcome.MIXED
    return outcome


def _forget_request() -> None:
    for name in ("request", "changing"):
        drafts.current().pop(name, None)


def _summary() -> Summary | None:
    """The summary as it may be shared; None until every question is answered."""
    answers = drafts.answers()
    if path.first_open(site.questionnaire(), answers) or not answers:
        return None
    return summarise(site.questionnaire(), answers)


def _codes() -> dict[str, str] | None:
    """The answers that a shared summary consists of: the signs and the two about pain."""
    summary = _summary()
    if summary is None:
        return None
    questionnaire = site.questionnaire()
    roles = questionnaire.roles
    wanted = {sign.id for sign in questionnaire.signs} | {roles.pain_duration, roles.pain_average}
    return {id_: code for id_, code in drafts.answers().items() if id_ in wanted and isinstance(code, str)}


def _promised(form: ConsultationForm | None) -> datetime | None:
    """By when a request sent now is answered; None when that can't be said, as the database is away."""
    if not _opening().certain:
        return None
    now, calendar = datetime.fromtimestamp(site.now(), UTC), _opening().calendar
    if form is None:
        return promise(calendar, now)
    details, due = form.details(None, 0), _due_of(_carried().replaces)
    if due is not None:
        return datetime.fromtimestamp(requests.due_after_change(due, details, calendar, site.now()), UTC)
    return promise(calendar, now, details.wish)


def _closed_now() -> bool:
    return not is_open(_opening().calendar, datetime.fromtimestamp(site.now(), UTC))


@dataclass(frozen=True)
class _Opening:
    """The clinic's calendar; not ``certain`` while the closed days the team entered can't be read."""

    calendar: Calendar
    certain: bool


def _opening() -> _Opening:
    """Read once a request."""
    if "opening" not in g:
        try:
            g.opening = _Opening(opening.calendar(site.clinic()), certain=True)
        except SQLAlchemyError as error:
            _roll_back(error)
            g.opening = _Opening(opening.regular(site.clinic()), certain=False)
    found: _Opening = g.opening
    return found


def _roll_back(error: Exception) -> None:
    db.session.rollback()
    log.error("requests for a call cannot be stored or read: %s", type(error).__name__)


def _notice(name: str | None) -> str | None:
    return str(NOTICES[name]) if name in NOTICES else None
