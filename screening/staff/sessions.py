"""Staff sessions: an encrypted cookie before the password is accepted, then a row (the cookie is its unhashed id)."""

import hashlib
import json
import logging
import secrets
from collections.abc import Callable
from typing import Any, cast

from flask import Flask, Request, Response
from flask import session as flask_session
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from screening.crypto import DecryptionError
from screening.crypto.keyring import STAFF, Keyring
from screening.database.secure_delete import delete_where
from screening.durations import MINUTE_SECONDS
from screening.extensions import db
from screening.staff.models import Account, StaffSession

log = logging.getLogger(__name__)

ABSOLUTE_SECONDS = 10 * 60 * 60
"""Seconds after the sign-in after which a session ends in any case."""

ANONYMOUS_SECONDS = 60 * 60
"""Lifetime of a session before the password is accepted."""

SKEW_SECONDS = 60
"""Seconds by which the clocks of two machines may differ. A session last used further in the future ends: the clock was
set back, so its idle time is unknown."""

TOUCH_SECONDS = 30
"""Minimum interval between two updates of a row's ``seen``: a session may end this much early, never late."""

MAX_COOKIE = 3000
"""Characters. A longer cookie is ignored."""


class Session(SecureCookieSession):
    """A browser's session. ``id``: the value of its cookie, None before a password was accepted.

    ``fresh``: it began in this request, for ``account_id``. ``ended``: the request's cookie is no longer valid.
    ``unknown``: the database was unavailable. ``untouched``: this request is no activity of a person.
    """

    def __init__(self, values: Any = (), id_: str | None = None, began: int = 0, seen: int = 0) -> None:
        super().__init__(values)
        self.id = id_
        self.began = began
        self.seen = seen
        self.account_id = ""
        self.fresh = self.ended = self.unknown = self.untouched = False
        self.idle_seconds = 0


class StaffSessions(SessionInterface):
    """The session interface of the staff application. ``clock`` returns seconds since 1970.

    A session ends after ``idle_seconds`` without a request.
    """

    def __init__(self, keyring: Keyring, clock: Callable[[], float], idle_seconds: int) -> None:
        self.keyring = keyring
        self.clock = clock
        self.idle_seconds = idle_seconds

    def open_session(self, app: Flask, request: Request) -> Session:
        """Return the session of the request's cookie, or an empty one."""
        now = int(self.clock())
        value = request.cookies.get(self.get_cookie_name(app), "")
        try:
            found = self._from_cookie(app, value, now) if "." in value else self._from_row(value, now)
        except SQLAlchemyError as error:
            log.error("sessions cannot be read: %s", type(error).__name__)
            found = Session(began=now)
            found.unknown = True
        if found is None:
            found = Session(began=now)
            found.ended = bool(value)
        found.idle_seconds = self.idle_seconds
        return found

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Store a changed session in its row or cookie. Rolls back what a view left uncommitted."""
        session = cast(Session, session)
        if session.unknown:
            return
        name = self.get_cookie_name(app)
        cookie: dict[str, Any] = {
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "httponly": True,
            "samesite": "Lax",
        }
        if session.id is not None:
            self._update_row(session)
            if session.fresh:
                response.set_cookie(name, session.id, **cookie)
        elif session:
            if session.modified:
                text = json.dumps({"began": session.began, "values": dict(session)}).encode()
                response.set_cookie(name, self.keyring.encrypt(STAFF, text, name.encode()), **cookie)
        elif session.modified:
            response.delete_cookie(name, **cookie)

    def _from_cookie(self, app: Flask, cookie: str, now: int) -> Session | None:
        try:
            if len(cookie) > MAX_COOKIE:
                return None
            stored = json.loads(self.keyring.decrypt(STAFF, cookie, self.get_cookie_name(app).encode()))
        except DecryptionError:
            return None
        return Session(stored["values"], began=stored["began"]) if now < stored["began"] + ANONYMOUS_SECONDS else None

    def _from_row(self, id_: str, now: int) -> Session | None:
        if not id_:
            return None
        row = db.session.execute(
            select(StaffSession.data, StaffSession.began, StaffSession.seen).where(StaffSession.id == _hashed(id_))
        ).one_or_none()
        if row is None:
            return None
        if now >= min(row.seen + self.idle_seconds, row.began + ABSOLUTE_SECONDS) or row.seen > now + SKEW_SECONDS:
            db.session.execute(delete(StaffSession).where(StaffSession.id == _hashed(id_)))
            db.session.commit()
            return None
        return Session(json.loads(row.data), id_, row.began, row.seen)

    def _update_row(self, session: Session) -> None:
        """Update the session's row, if it was not deleted meanwhile."""
        now = int(self.clock())
        try:
            db.session.rollback()
            if session.modified or (now - session.seen >= TOUCH_SECONDS and not session.untouched):
                # unmodified data is left out: a concurrent request may have changed it
                changed = {"data": json.dumps(dict(session))} if session.modified else {}
                db.session.execute(
                    update(StaffSession).where(StaffSession.id == _hashed(str(session.id))).values(seen=now, **changed)
                )
                db.session.commit()
        except SQLAlchemyError as error:
            log.error("a session cannot be stored: %s", type(error).__name__)


def current_session() -> Session:
    """Return the session of the current request."""
    return cast(Session, flask_session._get_current_object())  # type: ignore[attr-defined]


def begin(session: Session, account: Account, now: int, since: int | None = None) -> None:
    """Begin an account's session under a new id, and delete the values of the old one. The caller commits.

    ``since``: when the sign-in was, if not now, in seconds since 1970, UTC.
    """
    _delete_old(session, now)
    session.clear()
    session.id, session.fresh, session.account_id = secrets.token_urlsafe(32), True, account.id
    session.began, session.seen = now if since is None else since, now
    row = StaffSession(id=_hashed(session.id), account_id=account.id, data="{}", began=session.began, seen=now)
    db.session.add(row)


def end(session: Session, now: int) -> None:
    """End a session. The caller commits."""
    _delete_old(session, now)
    session.clear()
    session.id = None


def end_all(account: Account) -> None:
    """End every session of an account, including one that another request is beginning. The caller commits."""
    account.fs_uniquifier = secrets.token_hex(32)
    db.session.execute(delete(StaffSession).where(StaffSession.account_id == account.id))


def purge(now: float, dry_run: bool = False, *, idle_minutes: int) -> int:
    """Delete expired sessions, or count them; return how many. Commits. Raises SQLAlchemyError."""
    return delete_where(StaffSession, or_(*_expired(int(now), idle_minutes * MINUTE_SECONDS)), dry_run=dry_run)


def _expired(now: int, idle_seconds: int) -> list[ColumnElement[bool]]:
    """Return the conditions of which an expired session meets at least one."""
    return [
        StaffSession.seen <= now - idle_seconds,
        StaffSession.began <= now - ABSOLUTE_SECONDS,
        StaffSession.seen > now + SKEW_SECONDS,
    ]


def _delete_old(session: Session, now: int) -> None:
    """Delete the row of this session, and all expired ones."""
    conditions = _expired(now, session.idle_seconds)
    if session.id is not None:
        conditions.append(StaffSession.id == _hashed(session.id))
    db.session.execute(delete(StaffSession).where(or_(*conditions)))


def _hashed(id_: str) -> str:
    return hashlib.sha256(id_.encode()).hexdigest()
