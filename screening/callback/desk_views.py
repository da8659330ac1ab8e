"""The team's pages: the queue, a request, a call that came by phone, closed days.

A number or name stands in no address: searches are posted, and requests are known by random ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import phonenumbers
from flask import Blueprint, Flask, abort, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from screening import audit
from screening.callback import desk, letters, opening, requests, states
from screening.callback.desk import Filter
from screening.callback.desk_forms import (
    NEXT_SHIFT,
    OUTCOMES,
    SPOKE,
    STOP,
    CallForm,
    ClosedDayForm,
    HandForm,
    NoteForm,
    SearchForm,
)
from screening.callback.details import Details, spoken
from screening.callback.forms import ConsultationForm
from screening.callback.models import HANDOVER, NOTE, CallbackRequest, ClosedDay
from screening.callback.promise import Calendar, open_days_late
from screening.callback.sealing import NoKeyError
from screening.callback.states import Attempt, NotAllowedError, Progress
from screening.extensions import db
from screening.questionnaire.summary import Help, Summary, summarise
from screening.staff import accounts, audit_page, nav, unsaved
from screening.staff.guard import current_account, needs
from screening.staff.roles import CALLBACKS
from screening.web import locale, site
from screening.web.offers import offered

callbacks = Blueprint("callbacks", __name__, url_prefix="/callbacks")

CONFLICT, UNPROCESSABLE, UNAVAILABLE = 409, 422, 503

TABS = {
    "waiting": lazy_gettext("Waiting"),
    "overdue": lazy_gettext("Overdue"),
    "reached": lazy_gettext("Reached"),
    "closed": lazy_gettext("Closed"),
    "withdrawn": lazy_gettext("Taken back"),
}

EVENTS = {
    "request.received": lazy_gettext("Request received"),
    "request.entered": lazy_gettext("Request entered for a caller"),
    "request.viewed": lazy_gettext("Request opened"),
    "request.changed": lazy_gettext("Request changed by the patient"),
    "request.claimed": lazy_gettext("Request taken"),
    "request.reassigned": lazy_gettext("Request handed over"),
    "request.put_back": lazy_gettext("Request put back"),
    "request.attempted": lazy_gettext("Call tried"),
    "request.reached": lazy_gettext("Patient reached"),
    "request.noted": lazy_gettext("Note added"),
    "request.closed": lazy_gettext("Request closed"),
    "request.reopened": lazy_gettext("Request opened again"),
    "request.erased": lazy_gettext("Request erased for the patient"),
    "requests.listed": lazy_gettext("List of requests opened"),
    "request.withdrawn": lazy_gettext("Request taken back and erased"),
    "requests.searched": lazy_gettext("Requests searched by number or e-mail"),
    "closed_day.added": lazy_gettext("Closed day added"),
    "closed_day.removed": lazy_gettext("Closed day removed"),
}

REFUSED = {
    "changed": lazy_gettext("Somebody else changed this request a moment ago. This is how it stands now."),
    "taken": lazy_gettext("A colleague has this request. You can take it over below."),
    "yours": lazy_gettext("You have this request already."),
    "unclaimed": lazy_gettext("Take the request first."),
    "voicemail": lazy_gettext("The patient did not allow a voicemail, so none can be noted."),
    "reached": lazy_gettext("The patient was reached before."),
    "closed": lazy_gettext("This request is closed. Open it again first."),
    "away": lazy_gettext("This could not be stored just now. What you typed is still here: try again."),
    "withdrawn": lazy_gettext("The patient took this request back. It is erased."),
    "open": lazy_gettext("This request is open."),
}

DONE = {
    "claimed": lazy_gettext("You have this request now."),
    "reassigned": lazy_gettext("The request is handed over."),
    "put_back": lazy_gettext("The request is back in the queue."),
    "called": lazy_gettext("The call is noted."),
    "noted": lazy_gettext("The note is kept."),
    "closed": lazy_gettext("The request is closed."),
    "reopened": lazy_gettext("The request is open again."),
    "erased": lazy_gettext("The request is erased."),
}


@dataclass(frozen=True)
class Words:
    """What somebody typed to go with a step, and the kind of note it becomes."""

    text: str = ""
    kind: str = NOTE


def init_app(app: Flask) -> None:
    """Add the pages to the staff application, its list of pages, and its words for events."""
    app.register_blueprint(callbacks)
    nav.add(app, "callbacks.queue", lazy_gettext("Call-backs"), CALLBACKS, place=10)
    unsaved.gives_back(
        app, *(f"callbacks.{form}" for form in ("call", "note", "hand", "search", "enter", "closed_days"))
    )
    audit_page.WORDS.update(EVENTS)
    letters.init_app(app)


@callbacks.get("")
@needs(CALLBACKS)
def queue() -> str:
    """The requests, the most urgent first."""
    wanted = Filter(
        tab=request.args.get("tab") if request.args.get("tab") in TABS else "waiting",  # type: ignore[arg-type]
        language=_one_of(request.args.get("language"), [code for code, _ in locale.all_names()]),
        whose=_one_of(request.args.get("whose"), ["me", "nobody"]),
    )
    me, now = current_account().id, site.now()
    db.session.add(audit.event("requests.listed", now, me, tab=wanted.tab))
    db.session.commit()
    calendar = opening.calendar(site.clinic())
    page = desk.queue(site.keyring(), wanted, me, now, request.args.get("after", "")[:80])
    return render_template(
        "callback/desk/queue.html",
        page=page,
        wanted=wanted,
        tabs=TABS,
        counts=desk.counts(me, now),
        most=desk.MOST_COUNTED,
        first="after" not in request.args,
        languages=locale.all_names(),
        names=_names(),
        late=lambda found: _late(found, calendar),
        due_today=_due_today,
        now=now,
    )


@callbacks.get("/<id_>")
@needs(CALLBACKS)
def show(id_: str) -> str:
    """One request."""
    found = _found(id_)
    call, note, hand = (unsaved.given_back(f"callbacks.{form}") for form in ("call", "note", "hand"))
    return _request_page(
        found,
        notice=DONE.get(request.args.get("done", "")),
        call=CallForm(formdata=call) if call else None,
        note=NoteForm(formdata=note) if note else None,
        hand=_hand_form(found, hand) if hand else None,
    )


@callbacks.post("/<id_>/claim")
@needs(CALLBACKS)
def claim(id_: str) -> AnyResponse:
    """Take a request nobody has."""
    return _step(id_, states.claim, "request.claimed", "claimed")


@callbacks.post("/<id_>/put-back")
@needs(CALLBACKS)
def put_back(id_: str) -> AnyResponse:
    """Let it go."""
    return _step(id_, states.put_back, "request.put_back", "put_back")


@callbacks.post("/<id_>/close")
@needs(CALLBACKS)
def close(id_: str) -> AnyResponse:
    """End it."""
    return _step(id_, states.close, "request.closed", "closed")


@callbacks.post("/<id_>/reopen")
@needs(CALLBACKS)
def reopen(id_: str) -> AnyResponse:
    """Go on with a closed one."""
    return _step(id_, states.reopen, "request.reopened", "reopened")


@callbacks.post("/<id_>/hand")
@needs(CALLBACKS)
def hand(id_: str) -> AnyResponse:
    """Give it to somebody or to the next shift, or take it over; a note may go with it."""
    found = _found(id_)
    form, me = _hand_form(found, request.form), current_account().id
    if not form.validate():
        return make_response(_request_page(found, hand=form), UNPROCESSABLE)
    to, handover = form.to.data, Words(form.handover.data, HANDOVER)
    if to == NEXT_SHIFT:
        back = lambda progress: states.put_back(progress, me)  # noqa: E731
        return _take(found, form.version, back, "request.put_back", "put_back", handover)
    give = lambda progress: states.reassign(progress, to)  # noqa: E731
    return _take(found, form.version, give, "request.reassigned", "reassigned", handover, to=to)


@callbacks.post("/<id_>/call")
@needs(CALLBACKS)
def call(id_: str) -> AnyResponse:
    """Note how a call went. Who calls about a request that nobody has takes it."""
    found, form = _found(id_), CallForm()
    details = desk.opened(site.keyring(), found)
    voicemail = bool(details and details.voicemail)
    form.offer(voicemail)
    if not form.validate():
        return make_response(_request_page(found, call=form), UNPROCESSABLE)
    step, action, detail = _call_step(form.outcome.data, voicemail)
    return _take(found, form.version, step, action, "called", Words(form.note.data), called=True, **detail)


@callbacks.post("/<id_>/note")
@needs(CALLBACKS)
def note(id_: str) -> AnyResponse:
    """Add a note."""
    found, form = _found(id_), NoteForm()
    if not form.validate():
        return make_response(_request_page(found, note=form), UNPROCESSABLE)
    try:
        desk.note(found, form.version, form.note.data, current_account().id, site.now())
    except (NotAllowedError, NoKeyError, SQLAlchemyError) as error:
        return _refused(id_, error, Words(form.note.data))
    return redirect(url_for("callbacks.show", id_=id_, done="noted"), 303)


@callbacks.post("/<id_>/erase")
@needs(CALLBACKS)
def erase(id_: str) -> AnyResponse:
    """Take a request back for a patient who asks for it."""
    found = _found(id_)
    try:
        if found.version != HandForm().version:
            raise NotAllowedError("changed")
        requests.erase(found, site.now(), current_account().id)
    except (NotAllowedError, SQLAlchemyError) as error:
        return _refused(id_, error)
    return redirect(url_for("callbacks.show", id_=id_, done="erased"), 303)


@callbacks.route("/search", methods=["GET", "POST"])
@needs(CALLBACKS)
def search() -> AnyResponse | str:
    """Find requests by a phone number or e-mail address."""
    form = SearchForm(formdata=_typed())
    if request.method == "GET":
        return _search_page(form)
    if not form.validate():
        return make_response(_search_page(form), UNPROCESSABLE)
    rows = desk.with_contact(site.keyring(), _contact(form.contact.data))
    found = " ".join(row.request.id for row in rows)
    db.session.add(audit.event("requests.searched", site.now(), current_account().id, found=found))
    db.session.commit()
    return _search_page(form, rows)


def _search_page(form: SearchForm, rows: list[desk.Row] | None = None) -> str:
    return render_template("callback/desk/search.html", form=form, rows=rows, names=_names())


@callbacks.route("/new", methods=["GET", "POST"])
@needs(CALLBACKS)
def enter() -> AnyResponse | str:
    """Enter a request for somebody on the phone. The reference is shown this once, to be read out."""
    form = ConsultationForm(
        opening.calendar(site.clinic()),
        site.clinic().country,
        locale.all_names(),
        datetime.fromtimestamp(site.now(), UTC),
        formdata=_typed(),
    )
    sent = request.form.get("secret", "")
    secret = sent if re.fullmatch("[0-9a-f]{32}", sent) else requests.fresh_secret()
    if request.method == "GET" or not form.validate():
        code = UNPROCESSABLE if form.errors else 200
        return make_response(render_template("callback/desk/new.html", form=form, secret=secret, notice=None), code)
    try:
        receipt = requests.submit(
            secret,
            form.details(None, 0),
            opening.calendar(site.clinic()),
            site.now(),
            urgent=False,
            by=current_account().id,
        )
    except (NotAllowedError, requests.GoneError):
        return _form_again(form, requests.fresh_secret(), "changed", CONFLICT)
    except (NoKeyError, SQLAlchemyError):
        db.session.rollback()
        return _form_again(form, secret, "away", UNAVAILABLE)
    return render_template("callback/desk/entered.html", receipt=receipt)


def _form_again(form: ConsultationForm, secret: str, why: str, code: int) -> AnyResponse:
    return make_response(render_template("callback/desk/new.html", form=form, secret=secret, notice=REFUSED[why]), code)


@callbacks.route("/closed-days", methods=["GET", "POST"])
@needs(CALLBACKS)
def closed_days() -> AnyResponse | str:
    """Days without calls, on top of the clinic file's. A promise once made stays as it was."""
    form = ClosedDayForm(formdata=_typed())
    if request.method == "POST" and form.validate():
        day = form.day.data.isoformat()
        if db.session.get(ClosedDay, day) is None:
            db.session.add(ClosedDay(day=day))
            db.session.add(audit.event("closed_day.added", site.now(), current_account().id, day))
            db.session.commit()
        return redirect(url_for("callbacks.closed_days"), 303)
    page = render_template(
        "callback/desk/closed_days.html",
        form=form,
        added=[date.fromisoformat(row.day) for row in db.session.query(ClosedDay).order_by(ClosedDay.day)],
        fixed=sorted(site.clinic().holidays),
    )
    return make_response(page, UNPROCESSABLE if form.errors else 200)


@callbacks.post("/closed-days/<day>/remove")
@needs(CALLBACKS)
def remove_closed_day(day: str) -> AnyResponse:
    """Open again on a day."""
    found = db.session.get(ClosedDay, day)
    if found is not None:
        db.session.delete(found)
        db.session.add(audit.event("closed_day.removed", site.now(), current_account().id, day))
        db.session.commit()
    return redirect(url_for("callbacks.closed_days"), 303)


def _step(id_: str, step: Callable[[Progress, str], Progress], action: str, done: str) -> AnyResponse:
    """A step that asks for nothing but who takes it."""
    me = current_account().id
    return _take(_found(id_), HandForm().version, lambda progress: step(progress, me), action, done)


def _take(
    found: CallbackRequest,
    seen: int,
    step: Callable[[Progress], Progress],
    action: str,
    done: str,
    words: Words = Words(),
    called: bool = False,
    **detail: str,
) -> AnyResponse:
    """Take a request a step on, with the words that go with it; or say why not, and lose nothing."""
    me, id_, now = current_account().id, found.id, site.now()
    try:
        if called and found.owner is None:
            db.session.add(audit.event("request.claimed", now, me, id_))
        if words.text:
            desk.add_note(found, words.text, me, now, words.kind)
        desk.act(found, seen, step, action, me, now, **detail)
    except (NotAllowedError, NoKeyError, SQLAlchemyError) as error:
        return _refused(id_, error, words)
    return redirect(url_for("callbacks.show", id_=id_, done=done), 303)


def _call_step(outcome: str, voicemail: bool) -> tuple[Callable[[Progress], Progress], str, dict[str, str]]:
    """What an outcome does to a request: the step, the event, and its detail."""
    me = current_account().id
    if outcome == SPOKE:
        return (lambda progress: states.reach(_taken(progress), me)), "request.reached", {}
    if outcome == STOP:
        return (lambda progress: states.close(_taken(progress), me)), "request.closed", {"reason": STOP}
    how = Attempt(outcome)
    step = lambda progress: states.attempt(_taken(progress), me, how, voicemail)  # noqa: E731
    return step, "request.attempted", {"outcome": outcome}


def _taken(progress: Progress) -> Progress:
    """A request that nobody has, taken by who is signed in; one that somebody has, as it is. Raises NotAllowedError."""
    return states.claim(progress, current_account().id) if progress.owner is None else progress


def _refused(id_: str, error: Exception, words: Words = Words()) -> AnyResponse:
    """The request as it now stands, why what was wished for was not done, and the words that were typed."""
    db.session.rollback()
    reason = error.reason if isinstance(error, NotAllowedError) else "away"
    found = _found(id_)
    call, note, hand = CallForm(formdata=None), NoteForm(formdata=None), _hand_form(found, None)
    if words.kind == HANDOVER:
        hand.handover.data = words.text
    else:
        call.note.data = note.note.data = words.text
    page = _request_page(found, notice=REFUSED[reason], call=call, note=note, hand=hand, failed=True)
    return make_response(page, UNAVAILABLE if reason == "away" else CONFLICT)


def _request_page(
    found: CallbackRequest,
    notice: Any = None,
    call: CallForm | None = None,
    note: NoteForm | None = None,
    hand: HandForm | None = None,
    failed: bool = False,
) -> str:
    db.session.add(audit.event("request.viewed", site.now(), current_account().id, found.id))
    db.session.commit()
    details, past = desk.opened(site.keyring(), found), desk.history(found)
    summary = _shared(details)
    return render_template(
        "callback/desk/request.html",
        request_=found,
        progress=found.progress,
        details=details,
        phone=spoken(details.call, site.clinic().country) if details else "",
        own_phone=spoken(details.phone, site.clinic().country) if details else "",
        summary=summary,
        urgent=summary is not None and summary.help is Help.URGENT,
        older=bool(summary and details and details.version != site.questionnaire().version),
        notes=sorted(desk.notes(site.keyring(), found), key=lambda pair: pair[0].kind != HANDOVER),
        history=past,
        words=EVENTS,
        duplicates=desk.duplicates(found),
        names=_names(),
        me=current_account().id,
        call=(call or CallForm(formdata=None)).offer(bool(details and details.voicemail)),
        note=note or NoteForm(formdata=None),
        hand=hand or _hand_form(found, None),
        late=_late(found, opening.calendar(site.clinic())),
        due_today=_due_today(found),
        notice=notice,
        failed=failed,
        outcomes=OUTCOMES,
        stopped=any(event.detail.get("reason") == STOP for event in past),
    )


def _shared(details: Details | None) -> Summary | None:
    if details is None or details.answers is None:
        return None
    return summarise(site.questionnaire(), details.answers)


def _typed() -> MultiDict[str, str] | None:
    """What a form of this page's own address was sent, or given back after a session had ended."""
    return request.form if request.method == "POST" else unsaved.given_back(request.endpoint or "")


def _hand_form(found: CallbackRequest, typed: MultiDict[str, str] | None) -> HandForm:
    form = HandForm(formdata=typed)
    team = [a for a in accounts.everyone() if a.active and CALLBACKS in a.role_names]
    whom = {account.id: account.name for account in team}
    if found.owner == current_account().id:
        whom[NEXT_SHIFT] = lazy_gettext("Whoever comes next")
    form.to.choices = offered(whom)
    return form


def _names() -> dict[str, str]:
    return {account.id: account.name for account in accounts.everyone()}


def _late(found: CallbackRequest, calendar: Calendar) -> int | None:
    """Open days past the promise; None while it can still be kept, or needs not be."""
    if found.shelf != "waiting" or found.due_at >= site.now():
        return None
    due, now = (datetime.fromtimestamp(moment, UTC) for moment in (found.due_at, site.now()))
    return open_days_late(calendar, due, now)


def _due_today(found: CallbackRequest) -> bool:
    zone = site.clinic().time_zone
    due, now = (datetime.fromtimestamp(moment, zone).date() for moment in (found.due_at, site.now()))
    return found.shelf == "waiting" and due == now


def _contact(text: str) -> str:
    """A number or address as it was hashed."""
    try:
        number = phonenumbers.parse(text, site.clinic().country)
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    except phonenumbers.NumberParseException:
        return text.lower()


def _found(id_: str) -> CallbackRequest:
    found = desk.one(id_)
    if found is None:
        abort(404)
    return found


def _one_of(value: str | None, allowed: list[str]) -> str:
    return value if value in allowed else ""
