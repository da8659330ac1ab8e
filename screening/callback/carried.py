"""What a form carries from page to page besides what is typed: sealed, so only this site can have written it.

It lasts as long as the page does, longer than any session: which request the form is, when it was
opened, and which earlier request it takes the place of.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from screening.callback.requests import fresh_secret
from screening.keyring import DRAFT, Keyring, UnsealableError

PLACE = b"consultation form"
LONGEST = 1000


@dataclass(frozen=True)
class Carried:
    """``secret``: of this form alone. ``opened``: seconds since 1970. ``replaces``: a reference, or empty."""

    secret: str
    opened: int
    replaces: str = ""

    @classmethod
    def fresh(cls, now: int, replaces: str = "") -> Carried:
        """For a form that is opened now."""
        return cls(fresh_secret(), now, replaces)

    @classmethod
    def read(cls, keyring: Keyring, sealed: str, now: int) -> Carried:
        """What a sent form carried; as of a form opened only now, when that is none of ours."""
        try:
            return cls(**json.loads(keyring.open(DRAFT, sealed[:LONGEST], PLACE)))
        except UnsealableError:
            return cls.fresh(now)

    def sealed(self, keyring: Keyring) -> str:
        """For the hidden field of a form."""
        return keyring.seal(DRAFT, json.dumps(asdict(self)).encode(), PLACE)
