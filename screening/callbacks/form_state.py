"""State of the call-back form between its pages, in an encrypted cookie of its own and in hidden fields.

The cookie lets every page of the form be fetched again. It is bound to the draft, limited to the form's path, and
invalid 30 minutes after the last POST. A form that does not fit into a cookie, or a browser without cookies, has the
hidden fields only. They are no key: a form that comes without the draft it was opened with is a new request.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from screening.callbacks.patient_service import fresh_secret
from screening.crypto import DecryptionError
from screening.crypto.keyring import DRAFT, Keyring
from screening.draft import EXTENDED_SECONDS, FORM_SECONDS, SKEW_SECONDS, Draft

ASSOCIATED_DATA = b"consultation form"
MAX_FIELD = 1000
"""Characters of the hidden field. A longer value is truncated, so that it cannot be decrypted."""

STATE_SECONDS = EXTENDED_SECONDS
"""Seconds for which the hidden field is valid: as long as any draft lasts."""

PADDING_STEP, MAX_BYTES = 256, 2900
"""The compressed form is padded to a multiple of the first and at most to the second. Browsers store 4,096 bytes of a
cookie with its name; encrypted and in base64, 2,900 bytes become 3,967."""

MAX_COOKIE = 4000
"""Characters of the cookie's value. A longer one is ignored."""

Typed = Mapping[str, "str | list[str]"]
"""The form's data by field name."""


@dataclass(frozen=True)
class FormState:
    """``secret``: random, one a form. ``opened``: seconds since 1970. ``replaces``: reference to change, or empty.

    ``draft_id``: the draft that the form was opened with. Only that draft may see or change what was sent with it.
    """

    secret: str
    opened: int
    replaces: str = ""
    draft_id: str = ""

    @classmethod
    def fresh(cls, now: int, draft_id: str, replaces: str = "") -> FormState:
        """Return the state of a form that is opened now."""
        return cls(fresh_secret(), now, replaces, draft_id)

    @classmethod
    def read(cls, keyring: Keyring, field: str, now: int, draft_id: str) -> FormState:
        """Return the state in a form's hidden field; that of a new form if it cannot be decrypted, or has expired."""
        try:
            state = cls(**json.loads(keyring.decrypt(DRAFT, field[:MAX_FIELD], ASSOCIATED_DATA)))
        except DecryptionError:
            return cls.fresh(now, draft_id)
        return state if now - state.opened < STATE_SECONDS else cls.fresh(now, draft_id)

    def is_held_by(self, draft: Draft) -> bool:
        """Return whether the form was opened with this draft, which has not forgotten its request since."""
        return self.draft_id == draft.response_id and self.opened >= draft.forgotten_at

    def encrypted(self, keyring: Keyring) -> str:
        """Return the value of the form's hidden field."""
        return keyring.encrypt(DRAFT, json.dumps(asdict(self)).encode(), ASSOCIATED_DATA)


@dataclass(frozen=True)
class StoredForm:
    """The content of the form's cookie. ``checked``: show validation errors. ``at``: when it was sent."""

    state: FormState
    typed: Typed
    checked: bool
    at: int

    def encrypted(self, keyring: Keyring, draft_id: str) -> str | None:
        """Return the value of the cookie, bound to a draft; None when the form does not fit."""
        text = json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        packed = zlib.compress(text, 9)
        if len(packed) > MAX_BYTES:
            return None
        padded = packed.ljust(min(-len(packed) // PADDING_STEP * -PADDING_STEP, MAX_BYTES), b"\0")
        return keyring.encrypt(DRAFT, padded, _associated_data(draft_id))

    @classmethod
    def read(cls, keyring: Keyring, cookie: str, draft_id: str, now: int) -> StoredForm | None:
        """Return the form in a cookie of this draft; None if there is none, or it has expired."""
        if not cookie or len(cookie) > MAX_COOKIE:
            return None
        try:
            padded = keyring.decrypt(DRAFT, cookie, _associated_data(draft_id))
        except DecryptionError:
            return None
        stored = json.loads(zlib.decompressobj().decompress(padded))
        form = cls(**{**stored, "state": FormState(**stored["state"])})
        return form if -SKEW_SECONDS <= now - form.at < FORM_SECONDS else None

    @property
    def fields(self) -> MultiDict[str, Any] | None:
        """The typed values as form data; None if there are none."""
        pairs = [(name, item) for name, value in self.typed.items() for item in _items(value)]
        return MultiDict(pairs) if pairs else None


def _items(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def _associated_data(draft_id: str) -> bytes:
    return b"consultation cookie " + draft_id.encode()
