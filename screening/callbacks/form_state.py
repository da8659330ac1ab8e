"""What a consultation form carries in an encrypted hidden field: its secret, when it was opened, what it replaces."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from screening.callbacks.patient_service import fresh_secret
from screening.crypto import DecryptionError
from screening.crypto.keyring import DRAFT, Keyring

ASSOCIATED_DATA = b"consultation form"
MAX_CHARACTERS = 1000


@dataclass(frozen=True)
class FormState:
    """``secret``: of this form alone. ``opened``: seconds since 1970. ``replaces``: a reference, or empty."""

    secret: str
    opened: int
    replaces: str = ""

    @classmethod
    def fresh(cls, now: int, replaces: str = "") -> FormState:
        """For a form that is opened now."""
        return cls(fresh_secret(), now, replaces)

    @classmethod
    def read(cls, keyring: Keyring, sealed: str, now: int) -> FormState:
        """What a sent form carried; as of a form opened only now, when that is none of ours."""
        try:
            return cls(**json.loads(keyring.decrypt(DRAFT, sealed[:MAX_CHARACTERS], ASSOCIATED_DATA)))
        except DecryptionError:
            return cls.fresh(now)

    def sealed(self, keyring: Keyring) -> str:
        """For the hidden field of a form."""
        return keyring.encrypt(DRAFT, json.dumps(asdict(self)).encode(), ASSOCIATED_DATA)
