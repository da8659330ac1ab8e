"""The visitor's answers in an encrypted cookie: nothing is stored on the server.

The cookie name is associated data, the size is padded, both time limits lie inside. Whatever is wrong with a cookie,
the visitor gets an empty draft that is marked as lost.
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
"""Seconds without a sent form after which a draft is forgotten."""

ABSOLUTE_SECONDS = 2 * 60 * 60
"""Seconds after its beginning when a draft is forgotten in any case."""

EXTENDED_SECONDS = 24 * 60 * 60
"""Both limits for those who asked for more time. WCAG 2.2, 2.2.1: at least ten times the default."""

SKEW_SECONDS = 60
"""Seconds by which the clocks of two machines may differ. A draft from further ahead was made before a clock was put
back: it counts as of now, or the limits would not hold."""

PADDING_BLOCK = 1024
"""Plain texts are padded to a multiple of this many bytes; a full draft fits in one."""

MAX_COOKIE = 3000
"""A longer cookie is not ours and is not even opened."""

FORM_COOKIE, FORM_PATH, FORM_SECONDS = "consultation", "/consultation", 30 * 60
"""Name, path and lifetime in seconds of the cookie that holds the call-back form (see ``callbacks.form_state``).

It ends with the draft, and so long after the last post.
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
        """Return an empty draft that begins now. Where a cookie came, the earlier draft ended, and its form with it."""
        draft = cls(_beginning(now), new, lost)
        draft.form_ended = not new
        return draft

    @property
    def answers(self) -> Mapping[str, Answer]:
        """What was answered, question id to answer."""
        return {id_: _as_answer(answer) for id_, answer in self.get("answers", {}).items()}

    @answers.setter
    def answers(self, answers: Mapping[str, Answer]) -> None:
        self["answers"] = dict(answers)

    @property
    def response_id(self) -> str:
        """The name this draft's anonymous copy has while it is pending: random, made with the draft."""
        return str(self["response"])

    @property
    def response_stored(self) -> bool:
        """Whether the copy once was pending."""
        return bool(self.get("response_stored"))

    @response_stored.setter
    def response_stored(self, kept: bool) -> None:
        self["response_stored"] = kept

    @property
    def shared(self) -> bool:
        """Whether these answers were sent to the clinic with a name: then no anonymous copy is kept of them."""
        return bool(self.get("shared"))

    @shared.setter
    def shared(self, shared: bool) -> None:
        self["shared"] = shared

    @property
    def form_token(self) -> str:
        """The random token of this draft's forms, made when the first form is shown."""
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
        """Store the answers that follow from answering a question."""
        self.answers = answers
        if self.refused(question_id):
            del self["refused"]

    def handle_clock_skew(self, now: int) -> None:
        """Mind a clock that was put back since the draft was last sealed."""
        if max(self["began"], self["seen"]) > now + SKEW_SECONDS:
            self.update(began=min(self["began"], now), seen=now)

    def seconds_left(self, now: int) -> int:
        """Until this draft is forgotten if nothing more is sent."""
        idle, absolute = (
            (EXTENDED_SECONDS, EXTENDED_SECONDS) if self.get("longer") else (IDLE_SECONDS, ABSOLUTE_SECONDS)
        )
        return int(min(self["seen"] + idle, self["began"] + absolute)) - now

    def extend(self, now: int) -> None:
        """Keep the draft for a day from now, by both limits."""
        self.update(longer=True, began=now)

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
        """Forget the answers and all that belongs to them; time once asked for stays granted."""
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
    """Flask's session, as a draft in a cookie. ``clock`` gives the time in seconds, for tests to set."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float] = time.time) -> None:
        self.keyring = keyring
        self.clock = clock

    def open_session(self, app: Flask, request: Request) -> Draft:
        """The draft the request carries, or an empty one."""
        now = int(self.clock())
        sealed = request.cookies.get(self.get_cookie_name(app))
        if sealed is None:
            return Draft.fresh(now, new=True)
        try:
            draft = self._opened(app, sealed)
            draft.handle_clock_skew(now)
            if draft.seconds_left(now) > 0:
                return draft
            return Draft.fresh(now, lost=bool(draft.answers))
        except DecryptionError:
            return Draft.fresh(now, lost=True)
        except Exception as error:  # help pages must show even with the keys broken
            log.error("drafts cannot be opened: %s", type(error).__name__)
            draft = Draft.fresh(now, lost=True)
            draft.form_ended = False  # the form's cookie may be readable again in a moment
            return draft

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the draft back if it changed. A draft emptied of everything takes its cookie away."""
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
            sealed = self.keyring.encrypt(DRAFT, text, name.encode())
        except Exception as error:  # a page without its draft is better than no page
            log.error("drafts cannot be sealed: %s", type(error).__name__)
            return
        response.set_cookie(name, sealed, secure=secure, httponly=True, samesite="Lax")

    def _opened(self, app: Flask, sealed: str) -> Draft:
        if len(sealed) > MAX_COOKIE:
            raise DecryptionError("too long")
        text = self.keyring.decrypt(DRAFT, sealed, self.get_cookie_name(app).encode())
        return Draft(json.loads(text))


def current_draft() -> Draft:
    """Return the draft of the request being answered."""
    return cast(Draft, session._get_current_object())  # type: ignore[attr-defined]


def form_cookie_name(secure: bool) -> str:
    """Return the name of the call-back form's cookie. ``__Host-`` would need the path ``/``."""
    return f"__Secure-{FORM_COOKIE}" if secure else FORM_COOKIE


def delete_form_cookie(response: Response, secure: bool) -> None:
    """Delete the call-back form's cookie, which browsers send to its own pages only."""
    response.delete_cookie(form_cookie_name(secure), path=FORM_PATH, secure=secure, httponly=True, samesite="Lax")
