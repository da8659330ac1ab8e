"""Forms that a page shows again: refused ones (``sent_forms``), and those sent after the session ended.

The latter are saved for 15 minutes in an encrypted cookie and restored once after sign-in. A second encrypted cookie,
bound to the session's, holds the account. Nothing of them is stored on the server.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from werkzeug.datastructures import MultiDict
from wtforms import Form

from screening import current
from screening.crypto import DecryptionError
from screening.crypto.keyring import STAFF
from screening.staff import sent_forms, sessions
from screening.staff.current_account import account_or_none
from screening.staff.sent_forms import SentForm, Texts
from screening.web import origin
from screening.web.errors import ERROR_TEXTS

RECOVERY_SECONDS = 15 * 60
"""Seconds that it is kept."""

MAX_COOKIE = 3900
"""Bytes of a cookie's value: browsers take 4096 with its name."""

SIGNED_OUT = "signed_out"
"""The reason of a form that was sent after the session ended."""

SIGNED_OUT_TEXT = lazy_gettext(
    "You were signed out before this was saved. Your words are here: press the button again."
)
NO_LONGER_SHOWN = lazy_gettext("What was shown here is no longer available.")

AnyForm = TypeVar("AnyForm", bound=Form)


def recoverable(app: Flask, *forms: str) -> None:
    """Keep what is typed into these forms (endpoints), whose pages ask ``recover_form``. None that takes a password."""
    app.extensions.setdefault("recoverable_forms", set()).update(forms)


def save_form() -> tuple[str | None, bool]:
    """Keep what a form brought whose session has ended: the page it belongs to, and whether it was too long.

    Called before anybody is signed in; what the form says is believed by nobody, only shown again.
    """
    if request.method != "POST" or request.endpoint not in _forms() or not sessions.current_session().ended:
        return None, False
    page, account_id = sent_forms.page_of_form(), _whose()
    fields = [(name, value) for name, value in sent_forms.typed_fields() if value.strip("\r\n\t ")]
    if account_id is None or not origin.is_own() or not fields or any("\0" in k + v for k, v in fields):
        return page, False
    form = {"account": account_id, "at": _now(), "form": request.endpoint, "page": page, "fields": fields}
    sealed = sent_forms.encrypt(form, _name("words"))
    if len(sealed) > MAX_COOKIE:
        return page, True
    g.unsaved_cookie = sealed
    return page, False


def recover_form(*forms: str) -> SentForm | None:
    """Return what this account typed into one of these forms (endpoints; none: any form of this page).

    That is the refused form the address names; else the form sent after the session ended, which is given once, within
    15 minutes, to the same account on the same page.
    """
    sent = sent_forms.find(*forms)
    if sent is not None:
        return sent
    kept, account = _opened(), account_or_none()
    if kept is None or account is None or request.method != "GET" or kept["account"] != account.id:
        return None
    if (forms and kept["form"] not in forms) or kept["page"] != request.path:
        return None
    g.unsaved_shown = True
    return SentForm(kept["form"], MultiDict([(str(k), str(v)) for k, v in kept["fields"]]), SIGNED_OUT)


def fill(make: Callable[..., AnyForm], texts: Texts | None = None) -> AnyForm:
    """Return the form of this page: as sent by a POST, as typed before with its errors, or empty."""
    if request.method == "POST":
        return make(formdata=request.form)
    sent = recover_form(request.endpoint or "")
    form = make(formdata=sent.fields if sent else None)
    if sent is not None:
        sent.show_errors(form, texts)
    return form


def form_notice() -> LazyString | None:
    """Return why the page shows a form again, or no longer shows a result; None for other pages."""
    if g.get("unsaved_shown"):
        return SIGNED_OUT_TEXT
    sent = sent_forms.find()
    without_session = sent_forms.FORM in request.args and not sessions.current_session()
    if without_session or (sent is not None and sent.reason == sent_forms.EXPIRED_TOKEN):
        return ERROR_TEXTS["csrf"].text
    return NO_LONGER_SHOWN if sent_forms.RESULT in request.args and sent_forms.find_result() is None else None


def init_app(app: Flask) -> None:
    """Set and delete the two cookies, and give templates the notice of a form shown again."""
    app.after_request(_set_cookies)
    app.jinja_env.globals["form_notice"] = form_notice


def _set_cookies(response: Response) -> Response:
    session = sessions.current_session()
    options: dict[str, Any] = {
        "path": current_app.session_interface.get_cookie_path(current_app),
        "secure": current_app.session_interface.get_cookie_secure(current_app),
        "httponly": True,
        "samesite": "Lax",
    }
    if "unsaved_cookie" in g:
        response.set_cookie(_name("words"), g.unsaved_cookie, max_age=RECOVERY_SECONDS, **options)
    elif g.get("unsaved_shown"):
        response.delete_cookie(_name("words"), **options)
    if session.fresh and session.id is not None and session.whose:
        sealed = current.keyring().encrypt(STAFF, session.whose.encode(), _bound(session.id))
        response.set_cookie(_name("whose"), sealed, **options)
    return response


def _opened() -> Mapping[str, Any] | None:
    sealed = request.cookies.get(_name("words"), "")
    if not sealed or len(sealed) > MAX_COOKIE:
        return None
    kept: Mapping[str, Any] | None = sent_forms.decrypt(sealed, _name("words"))
    return kept if kept and kept["at"] <= _now() < kept["at"] + RECOVERY_SECONDS else None


def _whose() -> str | None:
    """The account of the session that this browser had last."""
    session_id = request.cookies.get(str(current_app.config["SESSION_COOKIE_NAME"]), "")
    try:
        return current.keyring().decrypt(STAFF, request.cookies.get(_name("whose"), ""), _bound(session_id)).decode()
    except DecryptionError:
        return None


def _forms() -> set[str]:
    found: set[str] = current_app.extensions.get("recoverable_forms", set())
    return found


def _name(what: str) -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-{what}"


def _bound(session_id: str) -> bytes:
    return f"{_name('whose')} {session_id}".encode()


def _now() -> int:
    return current.now()
