"""A form sent after the session ended: saved for 15 minutes in an encrypted cookie, restored once after sign-in.

A second encrypted cookie, bound to the session's id, holds the account. The server stores nothing before the sign-in.
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
"""Seconds for which a form can be restored."""

MAX_COOKIE = 3900
"""Bytes of a cookie's value: browsers store 4,096 including its name."""


def recoverable(app: Flask, *forms: str) -> None:
    """Register the endpoints of forms to save. Their pages must use ``sent_forms``, and ask for no password."""
    app.extensions.setdefault("recoverable_forms", set()).update(forms)


def save_form() -> tuple[str | None, bool]:
    """Save the form of this request if its session has ended; return its page, and whether the form was too long.

    The request is not authenticated: the values are not acted on, only shown again after the sign-in.
    """
    if request.method != "POST" or request.endpoint not in _forms() or not sessions.current_session().ended:
        return None, False
    page, account_id = sent_forms.page_of_form(), _previous_account()
    fields = [(name, value) for name, value in sent_forms.typed_fields() if value.strip("\r\n\t ")]
    if account_id is None or not origin.is_own() or not fields or any("\0" in k + v for k, v in fields):
        return page, False
    form = {"account": account_id, "at": _now(), "form": request.endpoint, "page": page, "fields": fields}
    value = sent_forms.encrypt(form, _name("form"))
    if len(value) > MAX_COOKIE:
        return page, True
    g.unsaved_cookie = value
    return page, False


def recover_form() -> AnyResponse | None:
    """Move this account's saved form into its new session; return a redirect to the form.

    None if there is no form, it is another account's, or it is older than 15 minutes.
    """
    saved, account = _saved_form(), account_or_none()
    if saved is None or account is None or saved["account"] != account.id:
        return None
    g.unsaved_moved = True
    return sent_forms.show_later(saved["form"], request.script_root + saved["page"], saved["fields"])


def init_app(app: Flask) -> None:
    """Set and delete the two cookies after each request."""
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
        response.set_cookie(_name("form"), g.unsaved_cookie, max_age=RECOVERY_SECONDS, **options)
    elif g.get("unsaved_moved"):
        response.delete_cookie(_name("form"), **options)
    if session.fresh and session.id is not None and session.account_id:
        value = current.keyring().encrypt(STAFF, session.account_id.encode(), _associated_data(session.id))
        response.set_cookie(_name("account"), value, **options)
    return response


def _saved_form() -> Mapping[str, Any] | None:
    value = request.cookies.get(_name("form"), "")
    if not value or len(value) > MAX_COOKIE:
        return None
    saved: Mapping[str, Any] | None = sent_forms.decrypt(value, _name("form"))
    return saved if saved and saved["at"] <= _now() < saved["at"] + RECOVERY_SECONDS else None


def _previous_account() -> str | None:
    """Return the id of the account of this browser's last session, if it can be decrypted."""
    session_id = request.cookies.get(str(current_app.config["SESSION_COOKIE_NAME"]), "")
    value = request.cookies.get(_name("account"), "")
    try:
        return current.keyring().decrypt(STAFF, value, _associated_data(session_id)).decode()
    except DecryptionError:
        return None


def _forms() -> set[str]:
    found: set[str] = current_app.extensions.get("recoverable_forms", set())
    return found


def _name(what: str) -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-{what}"


def _associated_data(session_id: str) -> bytes:
    return f"{_name('account')} {session_id}".encode()


def _now() -> int:
    return current.now()
