"""Post, redirect, get: what a POST stores for the page it redirects to, a refused form with the reason or a result.

Both are stored in the session, encrypted because a field may hold patient data; the URL holds a random id. A GET
writes nothing, so that Back and reload repeat nothing.
"""

import json
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Flask, Response, current_app, redirect, request, url_for
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form

from screening import current
from screening.crypto import DecryptionError
from screening.crypto.keyring import STAFF
from screening.staff import sessions
from screening.staff.current_account import account_or_none
from screening.web.errors import ERROR_TEXTS

FORM, RESULT = "sent", "result"
"""Keys in the session, and query parameters of the URL."""

STALE_FORM = "stale_form"
"""The reason of a form whose token belongs to an earlier session."""

SIGNED_OUT = "signed_out"
"""The reason of a form that was sent after the session ended."""

CONFLICT = "conflict"
"""The reason of a form that changes what another request changed at the same time."""

NOTICES = {
    STALE_FORM: ERROR_TEXTS["csrf"].text,
    CONFLICT: lazy_gettext(
        "Someone else changed this at the same moment, so yours was not saved. See how it is now, then try again."
    ),
    SIGNED_OUT: lazy_gettext("You were signed out before this was saved. Your words are here: press the button again."),
}
NO_LONGER_SHOWN = lazy_gettext("What was shown here is no longer available.")

NOT_STORED = ("csrf_token", "next", "seen", "secret", "sure", "alone", "password", "current", "again", "code")
"""Fields of the page rather than of its reader, confirmations, passwords and codes."""

MAX_IN_COOKIE = 300
"""Characters of a form stored before a password is accepted: until then the session is a cookie."""

MAX_ENTRIES = 5
"""Refused forms and results that a session holds of each: one for each of a few tabs. The oldest goes first."""

AnyForm = TypeVar("AnyForm", bound=Form)
Texts = Mapping[str, Any]
"""Texts of errors by their code."""


@dataclass(frozen=True)
class SentForm:
    """A form that was not accepted. ``errors``: codes by field, empty where the form's own validation has the text."""

    form: str
    """The endpoint that the form was sent to."""

    fields: MultiDict[str, str]
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    def show_errors(self, form: Form, texts: Texts | None = None) -> None:
        """Set the stored errors on the fields of a form, in the language of the page."""
        if not self.errors:
            return
        form.validate()
        for part in form:
            code = self.errors.get(part.name)
            if code != "":
                part.errors = [(texts or {})[code]] if code else []


def send_back(
    form: Form | None = None, texts: Texts | None = None, reason: str = "", **query: str | None
) -> AnyResponse:
    """Store the form of this request and why it is refused; return a redirect to its page."""
    errors = {part.name: _code(part.errors[0], texts or {}) for part in form or () if part.errors}
    page = page_of_form()
    if page is not None:
        page = request.script_root + page
    else:
        page = url_for("authentication.own" if account_or_none() else "authentication.sign_in")
    fields = typed_fields()
    if sessions.current_session().id is None and sum(map(len, sum(fields, ()))) > MAX_IN_COOKIE:
        fields = []
    return _store(FORM, page, [fields, reason, errors], query=query)


def send_result(page: str, seconds: int | None = None, **values: Any) -> AnyResponse:
    """Store what a page shows as the result of this POST, for ``seconds``; return a redirect to the page."""
    return _store(RESULT, page, values, until=None if seconds is None else current.now() + seconds)


def show_later(form: str, page: str, fields: list[tuple[str, str]]) -> AnyResponse:
    """Store a form that was sent after the session ended; return a redirect to its page."""
    return _store(FORM, page, [fields, SIGNED_OUT, {}], form=form)


def find(*forms: str) -> SentForm | None:
    """Return the refused form that this URL names, if it was sent to one of these endpoints (none given: to any)."""
    entry = _entry(FORM)
    stored = _decrypted(FORM, entry)
    if entry is None or stored is None or (forms and entry["form"] not in forms):
        return None
    fields, reason, errors = stored
    return SentForm(entry["form"], MultiDict(fields), reason, errors)


def find_result() -> Mapping[str, Any] | None:
    """Return the result of a POST that this URL names, until it expires."""
    entry = _entry(RESULT)
    return None if entry is None or _is_expired(entry) else _decrypted(RESULT, entry)


def fill(make: Callable[..., AnyForm], texts: Texts | None = None) -> AnyForm:
    """Return the form of this page: with a POST's data; or as it was refused, with its errors; or empty."""
    if request.method == "POST":
        return make(formdata=request.form)
    sent = find(request.endpoint or "")
    form = make(formdata=sent.fields if sent else None)
    if sent is not None:
        sent.show_errors(form, texts)
    return form


def form_notice() -> LazyString | None:
    """Return the notice of a form shown again, or of a result that is no longer available; None for other pages."""
    sent = find()
    if sent is not None:
        return NOTICES.get(sent.reason)
    if FORM in request.args and not sessions.current_session():
        return NOTICES[STALE_FORM]
    gone = FORM in request.args or (RESULT in request.args and find_result() is None)
    return NO_LONGER_SHOWN if gone else None


@contextmanager
def carried_over() -> Iterator[None]:
    """Context manager around a change of the session id: re-encrypt stored entries, which are bound to the id."""
    session = sessions.current_session()
    slots: dict[str, dict[str, Any]] = {slot: session[slot] for slot in (FORM, RESULT) if slot in session}
    values = {id_: _decrypted(slot, entry) for slot, entries in slots.items() for id_, entry in entries.items()}
    yield
    for slot, entries in slots.items():
        session[slot] = {
            id_: {**entry, "data": encrypt(values[id_], _associated_data(slot, entry["page"]))}
            for id_, entry in entries.items()
            if values[id_] is not None
        }


def init_app(app: Flask) -> None:
    """Delete stored forms and results after later POSTs, and add the template global ``form_notice``."""
    app.after_request(_delete_used)
    app.jinja_env.globals["form_notice"] = form_notice


def typed_fields() -> list[tuple[str, str]]:
    """Return the fields of this request's form without ``NOT_STORED``."""
    return [(name, value) for name, value in request.form.items(multi=True) if name not in NOT_STORED]


def page_of_form() -> str | None:
    """Return the path of this request's form: its own, or the nearest parent that answers a GET."""
    addresses, path, sent_to = current_app.url_map.bind(""), request.path, request.url_rule
    while path.strip("/"):
        with suppress(HTTPException, RequestRedirect):
            rule, _ = addresses.match(path, method="GET", return_rule=True)
            if path != request.path or sent_to is None or rule.rule == sent_to.rule:  # not another rule that matches
                return path
        path = path.rpartition("/")[0]
    return None


def encrypt(value: Any, associated_data: str) -> str:
    """Return a value as JSON, compressed and encrypted."""
    text = zlib.compress(json.dumps(value).encode(), 9)
    return current.keyring().encrypt(STAFF, text, associated_data.encode())


def decrypt(ciphertext: str, associated_data: str) -> Any:
    """Return the decrypted value; None for an unknown key, other associated data, or a changed ciphertext."""
    try:
        return json.loads(zlib.decompress(current.keyring().decrypt(STAFF, ciphertext, associated_data.encode())))
    except DecryptionError:
        return None


def _store(
    slot: str,
    page: str,
    value: Any,
    form: str | None = None,
    until: int | None = None,
    query: Mapping[str, str | None] | None = None,
) -> AnyResponse:
    id_, data = secrets.token_urlsafe(9), encrypt(value, _associated_data(slot, page))
    entry = {"form": form or request.endpoint, "page": page, "until": until, "data": data}
    session = sessions.current_session()
    stored = [*session.get(slot, {}).items(), (id_, entry)]
    session[slot] = dict(stored[-1 if session.id is None else -MAX_ENTRIES :])
    parameters = {name: text for name, text in (query or {}).items() if text}
    return redirect(f"{page}?{urlencode({**parameters, slot: id_})}", 303)


def _entry(slot: str) -> dict[str, Any] | None:
    """What is stored under the id in the address, for this page."""
    entry: dict[str, Any] | None = sessions.current_session().get(slot, {}).get(request.args.get(slot))
    if entry is None or request.method == "POST":
        return None
    return entry if entry["page"] == request.script_root + request.path else None


def _decrypted(slot: str, entry: Mapping[str, Any] | None) -> Any:
    return None if entry is None else decrypt(entry["data"], _associated_data(slot, entry["page"]))


def _associated_data(slot: str, page: str) -> str:
    return f"{slot} {sessions.current_session().id or ''} {page}"


def _code(error: Any, texts: Texts) -> str:
    return next((code for code, text in texts.items() if text is error), "")


def _is_expired(entry: Mapping[str, Any]) -> bool:
    return entry["until"] is not None and current.now() >= entry["until"]


def _delete_used(response: Response) -> Response:
    """Delete the last refusal of a form that is now accepted, and results whose time is over."""
    session = sessions.current_session()
    if request.method != "POST" or response.status_code != 303:
        return response
    sent, results = session.get(FORM, {}), session.get(RESULT, {})
    done = [id_ for id_, entry in results.items() if _is_expired(entry)]
    if not any(f"{FORM}={id_}" in (response.location or "") for id_ in sent):
        done += [id_ for id_, entry in sent.items() if entry["form"] == request.endpoint and _is_here(entry)][-1:]
    for slot, entries in ((FORM, sent), (RESULT, results)):
        left = {id_: entry for id_, entry in entries.items() if id_ not in done}
        if left != entries:
            session[slot] = left
        if entries and not left:
            session.pop(slot)
    return response


def _is_here(entry: Mapping[str, Any]) -> bool:
    """Whether the request was sent from the page that shows an entry."""
    return request.path.startswith(entry["page"].removeprefix(request.script_root))
