"""The second factor: time-based codes (TOTP) of an authenticator app, and recovery codes for a lost phone."""

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
"""Flask-Security's name of the method."""

PERIOD_SECONDS = 30
"""Time step of TOTP in seconds. Codes of the adjacent steps are accepted, too, because clocks differ."""

RECOVERY_CODES = 10


class Codes(Totp):
    """Flask-Security's TOTP with our clock, and with each code accepted once only.

    Secrets are plain text here; ``SecondFactor`` encrypts them with the key ring, bound to the account. The library's
    own encryption (AES in counter mode) does not detect changes.
    """

    def __init__(self, clock: Callable[[], float], issuer: str) -> None:
        self._totp = TOTP.using(issuer=issuer.replace(":", " "), now=clock)  # ":" ends an issuer in the app's address

    def generate_totp_secret(self) -> str:
        """Return a new secret, not encrypted."""
        return str(self._totp.new().to_json(encrypt=False))

    def get_last_counter(self, user: Any) -> int | None:
        """Return the time step of the last accepted code."""
        return int(user.totp_counter) or None

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        """Mark a code and all earlier ones as used. ``authentication`` holds a lock on the account's row."""
        user.totp_counter = tmatch.counter


def recovery_keys(keyring: Keyring) -> list[bytes]:
    """Return the keys of the recovery codes in Flask-Security's format, the key for new ones first."""
    return [base64.urlsafe_b64encode(key) for key in keyring.derive_all(STAFF, "recovery codes").values()]


@dataclass(frozen=True)
class SecondFactor:
    """Issues and verifies codes. Secrets are encrypted, each bound to its account; ``security`` is Flask-Security's."""

    keyring: Keyring
    security: Security

    def new_secret(self, account: Account) -> str:
        """Return a new encrypted secret for an account."""
        return self.keyring.encrypt(STAFF, self._codes.generate_totp_secret().encode(), _associated_data(account))

    def verify_code(self, account: Account, code: str, secret: str | None = None) -> bool:
        """Return whether a code is valid and unused, and mark it as used.

        ``secret``: the encrypted secret if it is not the account's yet.
        """
        try:
            plain = self._decrypted(account, secret or account.tf_totp_secret or "")
        except DecryptionError:
            return False
        return self._codes.verify_totp(code.strip(), plain, account, window=PERIOD_SECONDS)

    def verify_recovery_code(self, account: Account, code: str) -> bool:
        """Return whether a recovery code is one of the account's, and delete it."""
        util = self.security.mf_recovery_codes_util
        plain = "-".join(re.findall("[0-9a-f]{4}", re.sub(r"[\s-]", "", code.lower())))
        return util.check_recovery_code(account, plain) and util.delete_recovery_code(account, plain)

    def enroll(self, account: Account, secret: str) -> list[str]:
        """Set an account's secret; return new recovery codes. Only their ciphertexts are stored."""
        account.tf_primary_method, account.tf_totp_secret = METHOD, secret
        return self.new_recovery_codes(account)

    def new_recovery_codes(self, account: Account) -> list[str]:
        """Replace an account's recovery codes; return the new ones. Only their ciphertexts are stored."""
        return list(self.security.mf_recovery_codes_util.create_recovery_codes(account))

    def format_secret(self, account: Account, secret: str) -> str:
        """Return a decrypted secret for typing into an app, in groups of four letters. Raises DecryptionError."""
        return str(self._codes.get_totp_pretty_key(self._decrypted(account, secret))).replace("-", " ")

    def qr_modules(self, account: Account, secret: str) -> tuple[int, str]:
        """Return the QR code of a secret: its width in modules, and the dark ones as the ``d`` of an SVG path.

        Raises DecryptionError.
        """
        code = QRCode()
        code.add_data(self._codes.get_totp_uri(account.email, self._decrypted(account, secret)))
        matrix = code.get_matrix()
        path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark)
        return len(matrix), path

    @property
    def _codes(self) -> Totp:
        codes: Totp = self.security.totp_factory
        return codes

    def _decrypted(self, account: Account, secret: str) -> str:
        return self.keyring.decrypt(STAFF, secret, _associated_data(account)).decode()


def delete_second_factor(account: Account) -> None:
    """Delete an account's secret and recovery codes."""
    account.tf_primary_method = account.tf_totp_secret = account.mf_recovery_codes = None
    account.totp_counter = 0


def _associated_data(account: Account) -> bytes:
    return f"second factor {account.id}".encode()
