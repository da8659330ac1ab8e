"""A form sent after the session ended: saved for 15 minutes in an encrypted cookie, restored once after sign-in.

A second encrypted cookie, bound to the session's, holds the account. The server stores nothing before the sign-in.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.wrappers import Response as AnyResponse

from screening import current
from screening.crypto import DecryptionError
from screening.crypto.keyring import STAFF
from screening.staff import sent_forms, sessions
from screening.staff.current_account import account_or_none
from screening.web import origin

RECOVERY_SECONDS = 15 * 60
"""Seconds that it is kept."""

MAX_COOKIE = 3900
"""Bytes of a cookie's value: browsers take 4096 with its name."""


def recoverable(app: Flask, *forms: str) -> None:
    """Save what is typed into these forms (endpoints), whose pages ask ``sent_forms``. None that takes a password."""
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


def recover_form() -> AnyResponse | None:
    """Move what this account typed before its session ended into its new session; return a redirect to that form.

    None when there is nothing, it is another account's, or it is older than 15 minutes.
    """
    kept, account = _opened(), account_or_none()
    if kept is None or account is None or kept["account"] != account.id:
        return None
    g.unsaved_moved = True
    return sent_forms.show_later(kept["form"], request.script_root + kept["page"], kept["fields"])


def init_app(app: Flask) -> None:
    """Set and delete the two cookies."""
    app.after_request(_set_cookies)


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
    elif g.get("unsaved_moved"):
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
