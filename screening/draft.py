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
from flask_wtf.csrf import generate_csrf

from screening import current
from screening.crypto import DecryptionError
from screening.crypto.keyring import DRAFT, Keyring
from screening.questionnaires.branching import answers_on_path
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


class Draft(SecureCookieSession):
    """One visitor's draft. ``lost`` tells that a cookie came with the request and could not be used."""

    def __init__(self, values: Mapping[str, Any], lost: bool = False) -> None:
        super().__init__(values)
        self.lost = lost

    @classmethod
    def fresh(cls, now: int, lost: bool = False) -> Draft:
        """An empty draft that begins now."""
        return cls({"began": now, "seen": now, "response": secrets.token_hex(16)}, lost)

    @property
    def answers(self) -> Mapping[str, Answer]:
        """What was answered, question id to answer."""
        stored = self.get("answers", {})
        return {id_: tuple(answer) if isinstance(answer, list) else answer for id_, answer in stored.items()}

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
            return Draft.fresh(now)
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
    """The draft of the request being answered."""
    return cast(Draft, session._get_current_object())  # type: ignore[attr-defined]


def current_answers() -> dict[str, Answer]:
    """The current draft's answers, as far as the present questionnaire knows them."""
    return answers_on_path(current.questionnaire(), current_draft().answers)


def form_token() -> str:
    """The token of this draft's forms: signed once and kept with the draft."""
    draft = current_draft()
    if "form_token" not in draft:
        draft["form_token"] = generate_csrf()
    return str(draft["form_token"])


def renew_form_token() -> None:
    """Let the next form have a new token, since the one kept was refused."""
    current_draft().pop("form_token", None)


def seconds_left() -> int:
    """Until the current draft is forgotten."""
    return current_draft().seconds_left(current.now())


def extend() -> None:
    """Give the current draft a day from now, by both limits."""
    current_draft().update(longer=True, began=current.now())


def start_again() -> None:
    """Forget the answers and all that belongs to them; time once asked for stays granted."""
    draft = current_draft()
    longer = draft.get("longer")
    draft.clear()
    if longer:
        draft.update(Draft.fresh(current.now()), longer=True)
