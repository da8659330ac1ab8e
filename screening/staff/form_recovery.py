"""A form sent after the session ended: saved for 15 minutes in an encrypted cookie, restored once after sign-in.

A second encrypted cookie, bound to the session's, holds the account. Nothing is stored on the server.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from screening import current
from screening.crypto import DecryptionError
from screening.crypto.keyring import STAFF
from screening.staff import sessions
from screening.staff.current_account import account_or_none
from screening.web import origin

RECOVERY_SECONDS = 15 * 60
"""Seconds that it is kept."""

MAX_COOKIE = 3900
"""Bytes of a cookie's value: browsers take 4096 with its name."""

NOT_TYPED = ("csrf_token", "next", "seen", "secret")
"""Fields that nobody types, and that the form has anew."""


def recoverable(app: Flask, *forms: str) -> None:
    """Keep what is typed into these forms (endpoints), whose pages ask ``recover_form``. None that takes a password."""
    app.extensions.setdefault("recoverable_forms", set()).update(forms)


def save_form() -> tuple[str | None, bool]:
    """Keep what a form brought whose session has ended: the page it belongs to, and whether it was too long.

    Called before anybody is signed in; what the form says is believed by nobody, only shown again.
    """
    if request.method != "POST" or request.endpoint not in _forms() or not sessions.current_session().ended:
        return None, False
    page, account_id = _page_of(request.path), _whose()
    fields = [(k, v) for k, v in request.form.items(multi=True) if k not in NOT_TYPED and v.strip("\r\n\t ")]
    if account_id is None or not origin.is_own() or not fields or any("\0" in k + v for k, v in fields):
        return page, False
    text = json.dumps({"account": account_id, "at": _now(), "form": request.endpoint, "page": page, "fields": fields})
    sealed = current.keyring().encrypt(STAFF, zlib.compress(text.encode(), 9), _place())
    if len(sealed) > MAX_COOKIE:
        return page, True
    g.unsaved_cookie = sealed
    return page, False


def recover_form(*forms: str) -> MultiDict[str, str] | None:
    """What the account that is signed in typed into one of these forms (endpoints) before it was signed out.

    None when there is nothing, it is another's, another page's, or too old. What is given back is gone afterwards.
    """
    kept, account = _opened(), account_or_none()
    if kept is None or account is None or request.method != "GET" or kept["account"] != account.id:
        return None
    if kept["form"] not in forms or kept["page"] != request.path:
        return None
    g.unsaved_shown = True
    return MultiDict([(str(k), str(v)) for k, v in kept["fields"]])


def init_app(app: Flask) -> None:
    """Set and take away the two cookies, and tell templates when a form was filled again."""
    app.after_request(_set_cookies)
    app.jinja_env.globals["form_was_recovered"] = lambda: bool(g.get("unsaved_shown"))


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
    try:
        kept: Mapping[str, Any] = json.loads(zlib.decompress(current.keyring().decrypt(STAFF, sealed, _place())))
    except DecryptionError:
        return None
    return kept if kept["at"] <= _now() < kept["at"] + RECOVERY_SECONDS else None


def _whose() -> str | None:
    """The account of the session that this browser had last."""
    session_id = request.cookies.get(str(current_app.config["SESSION_COOKIE_NAME"]), "")
    try:
        return current.keyring().decrypt(STAFF, request.cookies.get(_name("whose"), ""), _bound(session_id)).decode()
    except DecryptionError:
        return None


def _page_of(path: str) -> str | None:
    """The page a form belongs to: what it is sent to, or the next address above that can be looked at."""
    addresses = current_app.url_map.bind("")
    while path.strip("/"):
        try:
            addresses.match(path, method="GET")
            return path
        except (HTTPException, RequestRedirect):
            path = path.rpartition("/")[0]
    return None


def _forms() -> set[str]:
    found: set[str] = current_app.extensions.get("recoverable_forms", set())
    return found


def _name(what: str) -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-{what}"


def _place() -> bytes:
    return _name("words").encode()


def _bound(session_id: str) -> bytes:
    return f"{_name('whose')} {session_id}".encode()


def _now() -> int:
    return current.now()
