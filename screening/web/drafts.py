"""The visitor's answers, kept by the visitor: an encrypted cookie, and nothing on the server.

The cookie is sealed for its own name, padded so that its size says nothing, and carries its own
two limits. Whatever is wrong with it (unknown, too old, tampered with, from elsewhere), the
visitor gets an empty draft that knows it was lost, never an error.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Flask, Request, Response, current_app, session
from flask.sessions import SecureCookieSession, SessionInterface, SessionMixin
from flask_wtf.csrf import generate_csrf

from screening.keyring import DRAFT, Keyring, UnsealableError
from screening.questionnaire.model import Answer
from screening.questionnaire.path import on_path

log = logging.getLogger(__name__)

IDLE = 30 * 60
"""Seconds without a sent form after which a draft is forgotten."""

ABSOLUTE = 2 * 60 * 60
"""Seconds after its beginning when a draft is forgotten in any case."""

LONGER = 24 * 60 * 60
"""Both limits for those who asked for more time. WCAG 2.2, 2.2.1: at least ten times the default."""

SKEW = 60
"""Seconds by which the clocks of two machines may differ. A draft from further ahead was made before a clock was put
back: it counts as of now, or the limits would not hold."""

BLOCK = 1024
"""Plain texts are padded to a multiple of this many bytes; a full draft fits in one."""

LONGEST = 3000
"""A longer cookie is not ours and is not even opened."""


class Draft(SecureCookieSession):
    """One visitor's draft. ``lost`` tells that a cookie came with the request and could not be used."""

    def __init__(self, values: Mapping[str, Any], lost: bool = False) -> None:
        super().__init__(values)
        self.lost = lost

    @classmethod
    def fresh(cls, now: int, lost: bool = False) -> Draft:
        """An empty draft that begins now."""
        return cls({"began": now, "seen": now, "copy": secrets.token_hex(16)}, lost)

    @property
    def answers(self) -> Mapping[str, Answer]:
        """What was answered, question id to answer."""
        stored = self.get("answers", {})
        return {id_: tuple(answer) if isinstance(answer, list) else answer for id_, answer in stored.items()}

    @answers.setter
    def answers(self, answers: Mapping[str, Answer]) -> None:
        self["answers"] = dict(answers)

    @property
    def copy_id(self) -> str:
        """The name this draft's anonymous copy has while it lies in the inbox: random, made with the draft."""
        return str(self["copy"])

    @property
    def copy_kept(self) -> bool:
        """Whether the copy once reached the inbox."""
        return bool(self.get("kept"))

    @copy_kept.setter
    def copy_kept(self, kept: bool) -> None:
        self["kept"] = kept

    @property
    def shared(self) -> bool:
        """Whether these answers were sent to the clinic with a name: then no anonymous copy is kept of them."""
        return bool(self.get("shared"))

    @shared.setter
    def shared(self, shared: bool) -> None:
        self["shared"] = shared

    def came_back(self, now: int) -> None:
        """Mind a clock that was put back since the draft was last sealed."""
        if max(self["began"], self["seen"]) > now + SKEW:
            self.update(began=min(self["began"], now), seen=now)

    def seconds_left(self, now: int) -> int:
        """Until this draft is forgotten if nothing more is sent."""
        idle, absolute = (LONGER, LONGER) if self.get("longer") else (IDLE, ABSOLUTE)
        return int(min(self["seen"] + idle, self["began"] + absolute)) - now


class DraftSessions(SessionInterface):
    """Flask's session, as a draft in a cookie. ``clock`` gives the time in seconds, for tests to set."""

    def __init__(self, keyring: Keyring, clock: Callable[[], float] = time.time) -> None:
        self.keyring = keyring
        self.clock = clock

    def open_session(self, app: Flask, request: Request) -> Draft:
        """The draft the request carries, or an empty one."""
        now = int(self.clock())
        sealed = request.cookies.get(self.get_cookie_name(app))
        if sealed is None:
            return Draft.fresh(now)
        try:
            draft = self._opened(app, sealed)
            draft.came_back(now)
            if draft.seconds_left(now) > 0:
                return draft
            return Draft.fresh(now, lost=bool(draft.answers))
        except UnsealableError:
            return Draft.fresh(now, lost=True)
        except Exception as error:  # help pages must show even with the keys broken
            log.error("drafts cannot be opened: %s", type(error).__name__)
            return Draft.fresh(now, lost=True)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the draft back if it changed. A draft emptied of everything takes its cookie away."""
        draft = cast(Draft, session)
        if not draft.modified:
            return
        name, secure = self.get_cookie_name(app), self.get_cookie_secure(app)
        if not draft:
            response.delete_cookie(name, secure=secure, httponly=True, samesite="Lax")
            return
        draft["seen"] = int(self.clock())
        text = json.dumps(dict(draft), separators=(",", ":")).encode()
        text = text.ljust(-len(text) // BLOCK * -BLOCK)
        try:
            sealed = self.keyring.seal(DRAFT, text, name.encode())
        except Exception as error:  # a page without its draft is better than no page
            log.error("drafts cannot be sealed: %s", type(error).__name__)
            return
        response.set_cookie(name, sealed, secure=secure, httponly=True, samesite="Lax")

    def _opened(self, app: Flask, sealed: str) -> Draft:
        if len(sealed) > LONGEST:
            raise UnsealableError("too long")
        text = self.keyring.open(DRAFT, sealed, self.get_cookie_name(app).encode())
        return Draft(json.loads(text))


def current() -> Draft:
    """The draft of the request being answered."""
    return cast(Draft, session._get_current_object())  # type: ignore[attr-defined]


def answers() -> dict[str, Answer]:
    """The current draft's answers, as far as the present questionnaire knows them."""
    return on_path(current_app.extensions["questionnaire"], current().answers)


def form_token() -> str:
    """The token of this draft's forms: signed once and kept with the draft."""
    draft = current()
    if "form_token" not in draft:
        draft["form_token"] = generate_csrf()
    return str(draft["form_token"])


def renew_form_token() -> None:
    """Let the next form have a new token, since the one kept was refused."""
    current().pop("form_token", None)


def seconds_left() -> int:
    """Until the current draft is forgotten."""
    return current().seconds_left(_now())


def ask_for_more_time() -> None:
    """Give the current draft a day from now, by both limits."""
    current().update(longer=True, began=_now())


def start_again() -> None:
    """Forget the answers and all that belongs to them; time once asked for stays granted."""
    draft = current()
    longer = draft.get("longer")
    draft.clear()
    if longer:
        draft.update(Draft.fresh(_now()), longer=True)


def _now() -> int:
    return int(cast(DraftSessions, current_app.session_interface).clock())
