"""The second factor: a code that an app on a phone shows for half a minute, and codes for when the phone is gone."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask_security import Security
from flask_security.totp import Totp
from passlib.totp import TOTP
from qrcode.main import QRCode

from screening.crypto import DecryptionError
from screening.crypto.keyring import STAFF, Keyring
from screening.staff.models import Account

METHOD = "authenticator"
"""Flask-Security's word for an app that shows codes."""

PERIOD_SECONDS = 30
"""Seconds a code is shown for; one of the period before or after is taken too, since clocks differ."""

RECOVERY_CODES = 10


class Codes(Totp):
    """Flask-Security's codes, with each accepted once only, and our clock.

    Their secrets are in the open here. The library would encrypt them so that nobody can tell whether one was
    changed (AES in counter mode); we seal them with the key ring, each for its account.
    """

    def __init__(self, clock: Callable[[], float], issuer: str) -> None:
        self._totp = TOTP.using(issuer=issuer, now=clock)

    def generate_totp_secret(self) -> str:
        """A new secret, in the open."""
        return str(self._totp.new().to_json(encrypt=False))

    def get_last_counter(self, user: Any) -> int | None:
        """The time step of the code last accepted."""
        return int(user.totp_counter) or None

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        """Use up a code, and all before it. The account is held meanwhile (see ``authentication``)."""
        user.totp_counter = tmatch.counter


def recovery_keys(keyring: Keyring) -> list[bytes]:
    """What the recovery codes are encrypted with, the key for new ones first, as Flask-Security wants it."""
    return [base64.urlsafe_b64encode(key) for key in keyring.derive_all(STAFF, "recovery codes").values()]


@dataclass(frozen=True)
class SecondFactor:
    """Issues and verifies codes. Secrets are encrypted, each bound to its account; ``security`` is Flask-Security's."""

    keyring: Keyring
    security: Security

    def new_secret(self, account: Account) -> str:
        """A secret to share with an account's phone, sealed."""
        return self.keyring.encrypt(STAFF, self._codes.generate_totp_secret().encode(), _place(account))

    def verify_code(self, account: Account, code: str, secret: str | None = None) -> bool:
        """Whether a code is the app's and was not used; it is used now.

        ``secret`` is the account's, or one to come.
        """
        try:
            plain = self._opened(account, secret or account.tf_totp_secret or "")
        except DecryptionError:
            return False
        return self._codes.verify_totp(code.strip(), plain, account, window=PERIOD_SECONDS)

    def verify_recovery_code(self, account: Account, code: str) -> bool:
        """Whether a recovery code is one of the account's; it is taken off its list."""
        util = self.security.mf_recovery_codes_util
        plain = "-".join(re.findall("[0-9a-f]{4}", re.sub(r"[\s-]", "", code.lower())))
        return util.check_recovery_code(account, plain) and util.delete_recovery_code(account, plain)

    def enroll(self, account: Account, secret: str) -> list[str]:
        """Let a secret be the account's from now on; gives its recovery codes, which are readable this once."""
        account.tf_primary_method, account.tf_totp_secret = METHOD, secret
        return self.new_recovery_codes(account)

    def new_recovery_codes(self, account: Account) -> list[str]:
        """Replace the recovery codes; they are readable this once."""
        return list(self.security.mf_recovery_codes_util.create_recovery_codes(account))

    def format_secret(self, account: Account, secret: str) -> str:
        """A secret as it is typed into an app: groups of four letters. Raises DecryptionError."""
        return str(self._codes.get_totp_pretty_key(self._opened(account, secret))).replace("-", " ")

    def qr_modules(self, account: Account, secret: str) -> tuple[int, str]:
        """The secret as a QR code: how many squares wide, and the dark ones as the ``d`` of an SVG path.

        Raises DecryptionError.
        """
        code = QRCode()
        code.add_data(self._codes.get_totp_uri(account.email, self._opened(account, secret)))
        matrix = code.get_matrix()
        path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark)
        return len(matrix), path

    @property
    def _codes(self) -> Totp:
        codes: Totp = self.security.totp_factory
        return codes

    def _opened(self, account: Account, secret: str) -> str:
        return self.keyring.decrypt(STAFF, secret, _place(account)).decode()


def delete_second_factor(account: Account) -> None:
    """Take app and recovery codes off an account."""
    account.tf_primary_method = account.tf_totp_secret = account.mf_recovery_codes = None
    account.totp_counter = 0


def _place(account: Account) -> bytes:
    return f"second factor {account.id}".encode()
