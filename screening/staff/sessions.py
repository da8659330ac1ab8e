"""Staff sessions: rows after the password was accepted (the cookie is a random id, stored hashed), a cookie before."""

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
from screening.extensions import db
from screening.staff.models import Account, StaffSession

log = logging.getLogger(__name__)

IDLE_SECONDS = 15 * 60
"""Seconds without a request after which a session has ended."""

ABSOLUTE_SECONDS = 10 * 60 * 60
"""Seconds after the sign-in when a session ends in any case."""

ANONYMOUS_SECONDS = 60 * 60
"""Seconds that what the sign-in page remembers is good for."""

SKEW_SECONDS = 60
"""Seconds by which the clocks of two machines may differ. A session seen further ahead is from before a clock was put
back: it ends, since nobody can tell how long it was idle."""

TOUCH_SECONDS = 30
"""Seconds that may pass before a request is noted in the row again: a session may end so much early, never late."""

MAX_COOKIE = 3000
"""A longer cookie is not ours."""


class Session(SecureCookieSession):
    """One browser's session. ``id`` is what its cookie says, None while no password was accepted.

    ``whose`` is the account of one that begins just now. ``ended`` tells that the browser came with a
    cookie that is good no more; ``unknown`` that the database could not be asked.
    """

    def __init__(self, values: Any = (), id_: str | None = None, began: int = 0, seen: int = 0) -> None:
        super().__init__(values)
        self.id = id_
        self.began = began
        self.seen = seen
        self.whose = ""
        self.fresh = self.ended = self.unknown = False


class StaffSessions(SessionInterface):
    """Flask's session for staff. ``clock`` gives the time in seconds, for tests to set."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float]) -> None:
        self.keyring = keyring
        self.clock = clock

    def open_session(self, app: Flask, request: Request) -> Session:
        """The session of the request's cookie, or an empty one."""
        now = int(self.clock())
        value = request.cookies.get(self.get_cookie_name(app), "")
        try:
            found = self._strangers(app, value, now) if "." in value else self._row(value, now)
        except SQLAlchemyError as error:
            log.error("sessions cannot be read: %s", type(error).__name__)
            found = Session(began=now)
            found.unknown = True
        if found is None:
            found = Session(began=now)
            found.ended = bool(value)
        return found

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Note what changed, in the row or in the stranger's cookie. What a view left uncommitted is dropped."""
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
            self._keep(session)
            if session.fresh:
                response.set_cookie(name, session.id, **cookie)
        elif session:
            if session.modified:
                text = json.dumps({"began": session.began, "values": dict(session)}).encode()
                response.set_cookie(name, self.keyring.encrypt(STAFF, text, name.encode()), **cookie)
        elif session.modified:
            response.delete_cookie(name, **cookie)

    def _strangers(self, app: Flask, sealed: str, now: int) -> Session | None:
        try:
            if len(sealed) > MAX_COOKIE:
                return None
            kept = json.loads(self.keyring.decrypt(STAFF, sealed, self.get_cookie_name(app).encode()))
        except DecryptionError:
            return None
        return Session(kept["values"], began=kept["began"]) if now < kept["began"] + ANONYMOUS_SECONDS else None

    def _row(self, id_: str, now: int) -> Session | None:
        if not id_:
            return None
        row = db.session.execute(
            select(StaffSession.data, StaffSession.began, StaffSession.seen).where(StaffSession.id == _hashed(id_))
        ).one_or_none()
        if row is None:
            return None
        if now >= min(row.seen + IDLE_SECONDS, row.began + ABSOLUTE_SECONDS) or row.seen > now + SKEW_SECONDS:
            db.session.execute(delete(StaffSession).where(StaffSession.id == _hashed(id_)))
            db.session.commit()
            return None
        return Session(json.loads(row.data), id_, row.began, row.seen)

    def _keep(self, session: Session) -> None:
        """Update the row. One that was ended meanwhile stays away."""
        now = int(self.clock())
        try:
            db.session.rollback()
            if session.modified or now - session.seen >= TOUCH_SECONDS:
                changed = (
                    {"data": json.dumps(dict(session))} if session.modified else {}
                )  # another request may change it
                db.session.execute(
                    update(StaffSession).where(StaffSession.id == _hashed(str(session.id))).values(seen=now, **changed)
                )
                db.session.commit()
        except SQLAlchemyError as error:
            log.error("a session cannot be kept: %s", type(error).__name__)


def current_session() -> Session:
    """The session of the request being answered."""
    return cast(Session, flask_session._get_current_object())  # type: ignore[attr-defined]


def begin(session: Session, account: Account, now: int, since: int | None = None) -> None:
    """Go on with an account under a new id, with nothing kept from before. The caller commits.

    ``since`` is when the sign-in was, if it was not now: seconds since 1970, UTC.
    """
    _forget_old(session, now)
    session.clear()
    session.id, session.fresh, session.whose = secrets.token_urlsafe(32), True, account.id
    session.began, session.seen = now if since is None else since, now
    row = StaffSession(id=_hashed(session.id), account_id=account.id, data="{}", began=session.began, seen=now)
    db.session.add(row)


def end(session: Session, now: int) -> None:
    """End a session. The caller commits."""
    _forget_old(session, now)
    session.clear()
    session.id = None


def end_all(account: Account) -> None:
    """End every session of an account, also one that is just being made. The caller commits."""
    account.fs_uniquifier = secrets.token_hex(32)
    db.session.execute(delete(StaffSession).where(StaffSession.account_id == account.id))


def purge(now: float, dry_run: bool = False) -> int:
    """Delete the sessions whose time is over, or count them; how many. Commits. Raises SQLAlchemyError."""
    return delete_where(StaffSession, or_(*_over(int(now))), dry_run=dry_run)


def _over(now: int) -> list[ColumnElement[bool]]:
    """What a session is whose time is over: any of these."""
    return [
        StaffSession.seen <= now - IDLE_SECONDS,
        StaffSession.began <= now - ABSOLUTE_SECONDS,
        StaffSession.seen > now + SKEW_SECONDS,
    ]


def _forget_old(session: Session, now: int) -> None:
    """Remove the row of this session, and those whose time is over."""
    ends = _over(now)
    if session.id is not None:
        ends.append(StaffSession.id == _hashed(session.id))
    db.session.execute(delete(StaffSession).where(or_(*ends)))


def _hashed(id_: str) -> str:
    return hashlib.sha256(id_.encode()).hexdigest()
