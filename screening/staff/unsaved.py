"""What was typed when a session ended before it was sent: kept in the browser, sealed, for who typed it.

On a long call the 15 minutes run out while a note is being written. What then arrives is not let in; it goes back
to the browser in a sealed cookie, and fills the form again once the same account has signed in. Nothing of it lies
on the server, and the cookie holds no more than 15 minutes and one use.

Whose session it was is known by a second sealed cookie, bound to the session's own: the row may be gone by then.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from screening.keyring import STAFF, Keyring, UnsealableError
from screening.staff import sessions
from screening.staff.guard import account_or_none
from screening.web import origin

KEPT = 15 * 60
"""Seconds that it is kept."""

LONGEST = 3900
"""Bytes of a cookie's value: browsers take 4096 with its name."""

OF_THE_FRAME = ("csrf_token", "next", "seen", "secret")
"""Fields that nobody types, and that the form has anew."""


def gives_back(app: Flask, *forms: str) -> None:
    """Keep what is typed into these forms (endpoints), whose pages ask ``given_back``. None that takes a password."""
    app.extensions.setdefault("unsaved_forms", set()).update(forms)


def keep() -> tuple[str | None, bool]:
    """Keep what a form brought whose session has ended: the page it belongs to, and whether it was too long.

    Called before anybody is signed in; what the form says is believed by nobody, only shown again.
    """
    if request.method != "POST" or request.endpoint not in _forms() or not sessions.current().ended:
        return None, False
    page, account_id = _page_of(request.path), _whose()
    fields = [(k, v) for k, v in request.form.items(multi=True) if k not in OF_THE_FRAME and v.strip("\r\n\t ")]
    if account_id is None or not origin.is_own() or not fields or any("\0" in k + v for k, v in fields):
        return page, False
    text = json.dumps({"account": account_id, "at": _now(), "form": request.endpoint, "page": page, "fields": fields})
    sealed = _keyring().seal(STAFF, zlib.compress(text.encode(), 9), _place())
    if len(sealed) > LONGEST:
        return page, True
    g.unsaved_cookie = sealed
    return page, False


def given_back(*forms: str) -> MultiDict[str, str] | None:
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
    app.jinja_env.globals["given_back"] = lambda: bool(g.get("unsaved_shown"))


def _set_cookies(response: Response) -> Response:
    session = sessions.current()
    options: dict[str, Any] = {
        "path": current_app.session_interface.get_cookie_path(current_app),
        "secure": current_app.session_interface.get_cookie_secure(current_app),
        "httponly": True,
        "samesite": "Lax",
    }
    if "unsaved_cookie" in g:
        response.set_cookie(_name("words"), g.unsaved_cookie, max_age=KEPT, **options)
    elif g.get("unsaved_shown"):
        response.delete_cookie(_name("words"), **options)
    if session.fresh and session.id is not None and session.whose:
        sealed = _keyring().seal(STAFF, session.whose.encode(), _bound(session.id))
        response.set_cookie(_name("whose"), sealed, **options)
    return response


def _opened() -> Mapping[str, Any] | None:
    sealed = request.cookies.get(_name("words"), "")
    if not sealed or len(sealed) > LONGEST:
        return None
    try:
        kept: Mapping[str, Any] = json.loads(zlib.decompress(_keyring().open(STAFF, sealed, _place())))
    except UnsealableError:
        return None
    return kept if kept["at"] <= _now() < kept["at"] + KEPT else None


def _whose() -> str | None:
    """The account of the session that this browser had last."""
    session_id = request.cookies.get(str(current_app.config["SESSION_COOKIE_NAME"]), "")
    try:
        return _keyring().open(STAFF, request.cookies.get(_name("whose"), ""), _bound(session_id)).decode()
    except UnsealableError:
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
    found: set[str] = current_app.extensions.get("unsaved_forms", set())
    return found


def _name(what: str) -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}-{what}"


def _place() -> bytes:
    return _name("words").encode()


def _bound(session_id: str) -> bytes:
    return f"{_name('whose')} {session_id}".encode()


def _keyring() -> Keyring:
    found: Keyring = current_app.extensions["keyring"]
    return found


def _now() -> int:
    return int(current_app.extensions["clock"]())
