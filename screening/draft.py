"""The visitor's answers in an encrypted cookie: nothing is stored on the server.

The cookie name is associated data, the size is padded, and both time limits are inside. An invalid or expired cookie
yields an empty draft that is marked as lost.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Flask, Request, Response, session
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin

from screening.crypto import DecryptionError
from screening.crypto.keyring import DRAFT, Keyring
from screening.questionnaires.model import Answer

log = logging.getLogger(__name__)

IDLE_SECONDS = 30 * 60
"""Idle limit: seconds after the last submitted form at which a draft expires."""

ABSOLUTE_SECONDS = 2 * 60 * 60
"""Absolute limit: seconds after its beginning at which a draft expires."""

EXTENDED_SECONDS = 24 * 60 * 60
"""Both limits once the visitor asked for more time. WCAG 2.2, 2.2.1: at least ten times the default."""

SKEW_SECONDS = 60
"""Seconds by which the clocks of two nodes may differ. A draft from further ahead was saved before a clock was set
back: it is treated as saved now, so that the limits apply."""

PADDING_BLOCK = 1088
"""Plaintexts are padded to a multiple of this many bytes; a complete draft fits in one block."""

MAX_COOKIE = 3000
"""A longer cookie was not set by the site and is not decrypted."""

FORM_COOKIE, FORM_PATH, FORM_SECONDS = "consultation", "/consultation", 30 * 60
"""Name, path and lifetime in seconds of the cookie that holds the call-back form (see ``callbacks.form_state``).

It is deleted with the draft, and expires this long after the last post.
"""


class Draft(SecureCookieSession):
    """One visitor's draft.

    ``new``: no cookie came with the request. ``lost``: one came and cannot be used. ``form_ended``: the call-back
    form's cookie is deleted when the draft is saved.
    """

    def __init__(self, values: Mapping[str, Any], new: bool = False, lost: bool = False) -> None:
        super().__init__(values)
        self.new, self.lost, self.form_ended = new, lost, False

    @classmethod
    def fresh(cls, now: int, new: bool = False, lost: bool = False) -> Draft:
        """Return an empty draft. If the request had a cookie (not ``new``), the call-back form's cookie is deleted."""
        draft = cls(_beginning(now), new, lost)
        draft.form_ended = not new
        return draft

    @property
    def answers(self) -> Mapping[str, Answer]:
        """The answers by question id."""
        return {id_: _as_answer(answer) for id_, answer in self.get("answers", {}).items()}

    @answers.setter
    def answers(self, answers: Mapping[str, Answer]) -> None:
        self["answers"] = dict(answers)

    @property
    def response_id(self) -> str:
        """The random id of this draft's anonymous response while it is pending."""
        return str(self["response"])

    @property
    def response_stored(self) -> bool:
        """Whether the response was stored as pending at some time."""
        return bool(self.get("response_stored"))

    @response_stored.setter
    def response_stored(self, stored: bool) -> None:
        self["response_stored"] = stored

    @property
    def shared(self) -> bool:
        """Whether these answers were sent to the clinic with a name; then no anonymous response of them is stored."""
        return bool(self.get("shared"))

    @shared.setter
    def shared(self, shared: bool) -> None:
        self["shared"] = shared

    @property
    def forgotten_at(self) -> int:
        """When a call-back request was forgotten in this browser: forms opened before no longer lead to it."""
        return int(self.get("forgotten_at", 0))

    @forgotten_at.setter
    def forgotten_at(self, now: int) -> None:
        self["forgotten_at"] = now

    @property
    def form_token(self) -> str:
        """The random token of this draft's forms, created when the first form is shown."""
        if "form_token" not in self:
            self["form_token"] = secrets.token_urlsafe(16)
        return str(self["form_token"])

    def refuse(self, question_id: str, sent: Answer | None, error: str) -> None:
        """Store what was sent to a question and the name of what is wrong with it, until the question is answered.

        Only the last refused answer is stored, so that the draft's size stays the same.
        """
        self["refused"] = [question_id, sent, error]

    def refused(self, question_id: str) -> tuple[Answer | None, str] | None:
        """Return what was last sent to a question and refused, and the error's name."""
        id_, sent, error = self.get("refused", (None, None, ""))
        return (_as_answer(sent), error) if id_ == question_id else None

    def accept(self, question_id: str, answers: Mapping[str, Answer]) -> None:
        """Store the answers after a question was answered, and remove its refused answer."""
        self.answers = answers
        if self.refused(question_id):
            del self["refused"]

    def handle_clock_skew(self, now: int) -> None:
        """Move times that lie in the future, since the clock was set back after the draft was saved, to now."""
        if max(self["began"], self["seen"]) > now + SKEW_SECONDS:
            self.update(began=min(self["began"], now), seen=now)

    def seconds_left(self, now: int) -> int:
        """Return the seconds until this draft expires."""
        idle, absolute = self._limits()
        return int(min(self["seen"] + idle, self["began"] + absolute)) - now

    def extend(self, now: int) -> None:
        """Extend both limits to a day from now."""
        self.update(longer=True, began=now)

    def renew(self, now: int) -> None:
        """Keep the draft for at least 30 minutes from now, past the absolute limit if need be."""
        _, absolute = self._limits()
        self["began"] = max(self["began"], now + IDLE_SECONDS - absolute)

    def _limits(self) -> tuple[int, int]:
        """Return the idle and the absolute limit in seconds."""
        return (EXTENDED_SECONDS, EXTENDED_SECONDS) if self.get("longer") else (IDLE_SECONDS, ABSOLUTE_SECONDS)

    @property
    def form_stored(self) -> bool:
        """Whether a call-back form was stored and not sent: its cookie is shorter-lived than the draft may be."""
        return bool(self.get("form"))

    def bind_form(self) -> None:
        """Note that a call-back form is stored with the response; this saves the draft that it is bound to."""
        self["form"], self.form_ended = True, False

    def end_form(self) -> None:
        """Delete the call-back form's cookie with the response."""
        self.pop("form", None)
        self.form_ended = self.modified = True

    def start_again(self, now: int) -> None:
        """Remove everything but the extended time limit."""
        longer = self.get("longer")
        self.clear()
        if longer:
            self.update(_beginning(now), longer=True)
        self.form_ended = True


def _beginning(now: int) -> dict[str, Any]:
    return {"began": now, "seen": now, "response": secrets.token_hex(16)}


def _as_answer(stored: Any) -> Any:
    return tuple(stored) if isinstance(stored, list) else stored


class DraftSessionInterface(SessionInterface):
    """Flask's session interface with a draft as the session. ``clock`` returns the time in seconds; tests set it."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float] = time.time) -> None:
        self.keyring = keyring
        self.clock = clock

    def open_session(self, app: Flask, request: Request) -> Draft:
        """Return the draft of the request's cookie, or an empty one."""
        now = int(self.clock())
        cookie = request.cookies.get(self.get_cookie_name(app))
        if cookie is None:
            return Draft.fresh(now, new=True)
        try:
            draft = self._decrypt(app, cookie)
            draft.handle_clock_skew(now)
            if draft.seconds_left(now) > 0:
                return draft
            return Draft.fresh(now, lost=bool(draft.answers))
        except DecryptionError:
            return Draft.fresh(now, lost=True)
        except Exception as error:  # crisis help must be shown even with broken keys
            log.error("drafts cannot be decrypted: %s", type(error).__name__)
            draft = Draft.fresh(now, lost=True)
            draft.form_ended = False  # the form's cookie may be readable again in a moment
            return draft

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie if the draft changed; delete it if the draft is empty."""
        draft = cast(Draft, session)
        if not draft.modified:
            return
        if draft.form_ended:
            delete_form_cookie(response, self.get_cookie_secure(app))
        name, secure = self.get_cookie_name(app), self.get_cookie_secure(app)
        if not draft:
            response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
            return
        draft["seen"] = int(self.clock())
        text = json.dumps(dict(draft), ensure_ascii=False, separators=(",", ":")).encode()
        text = text.ljust(-len(text) // PADDING_BLOCK * -PADDING_BLOCK)
        try:
            cookie = self.keyring.encrypt(DRAFT, text, name.encode())
        except Exception as error:  # a page without its draft is better than no page
            log.error("drafts cannot be encrypted: %s", type(error).__name__)
            return
        response.set_cookie(name, cookie, secure=secure, httponly=True, samesite="Lax")

    def _decrypt(self, app: Flask, cookie: str) -> Draft:
        if len(cookie) > MAX_COOKIE:
            raise DecryptionError("too long")
        text = self.keyring.decrypt(DRAFT, cookie, self.get_cookie_name(app).encode())
        return Draft(json.loads(text))


def current_draft() -> Draft:
    """Return the draft of the current request."""
    return cast(Draft, session._get_current_object())  # type: ignore[attr-defined]


def form_cookie_name(secure: bool) -> str:
    """Return the name of the call-back form's cookie. ``__Host-`` would need the path ``/``."""
    return f"__Secure-{FORM_COOKIE}" if secure else FORM_COOKIE


def delete_form_cookie(response: Response, secure: bool) -> None:
    """Delete the call-back form's cookie by name and path, since browsers send it to ``FORM_PATH`` only."""
    response.delete_cookie(form_cookie_name(secure), path=FORM_PATH, secure=secure, httponly=True, samesite="Lax")
