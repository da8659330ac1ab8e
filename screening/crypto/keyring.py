"""Symmetric encryption with keys by purpose: AES-256-GCM with random 96-bit nonces (NIST SP 800-38D).

Each purpose has its own key file, so a machine holds only the keys it needs, and is part of the associated data. One
key of a ring is active; the others only decrypt.
"""

import base64
import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from datetime import date
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from screening.config import SettingsError
from screening.crypto import DecryptionError
from screening.crypto.key_files import Key, read_ring, ring_file

DRAFT = "draft"
"""Encrypts the visitor's answers in their own browser."""

FORMS = "forms"
"""Signs form tokens and hashes addresses for rate limits. Decrypts nothing."""

STAFF = "staff"
"""Encrypts session cookies and second factors of staff."""

CALLBACK = "callback"
"""Decrypts call-back requests."""

SEARCH = "search"
"""Keys the hashes of phone numbers and e-mails, by which requests are found."""

BACKUP = "backup"
"""Encrypts backups."""

PURPOSES = {"visitor": (DRAFT, FORMS), "staff": (STAFF, CALLBACK, SEARCH, BACKUP)}
"""The purposes each surface needs; a machine holds the files of its own surfaces only."""

NONCE_BYTES = 12
_KEY_ID = re.compile(r"[a-z0-9]{8}")


class Keyring:
    """The rings of the purposes a process works with."""

    def __init__(self, folder: Path, purposes: tuple[str, ...]) -> None:
        """Read every ring at once. Raises SettingsError when a file is missing, open to others or damaged."""
        self._folder = folder
        self._lock = Lock()
        self._stamps = {purpose: _stamp(folder, purpose) for purpose in purposes}
        self._rings = {purpose: read_ring(folder, purpose) for purpose in purposes}
        self._ciphers: dict[bytes, AESGCM] = {}

    def encrypt(self, purpose: str, plaintext: bytes, associated_data: bytes) -> str:
        """Return ``<key id>.<base64url>``, bound to the purpose and to ``associated_data``, such as a cookie name."""
        key = self._active(purpose)
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher(key).encrypt(nonce, plaintext, _bound(purpose, key.id, associated_data))
        return f"{key.id}.{base64.urlsafe_b64encode(nonce + sealed).rstrip(b'=').decode()}"

    def decrypt(self, purpose: str, ciphertext: str, associated_data: bytes) -> bytes:
        """Return the plaintext of this purpose and associated data. Raises DecryptionError."""
        key_id, _, body = ciphertext.partition(".")
        key = self._key(purpose, key_id)
        if key is None:
            raise DecryptionError("unknown key")
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            return self._cipher(key).decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(purpose, key_id, associated_data)
            )
        except (ValueError, InvalidTag) as error:
            raise DecryptionError("damaged, or bound to other associated data") from error

    def derive(self, purpose: str, label: str, key_id: str | None = None) -> bytes:
        """32 bytes for one use, the same on every node that holds the key: HMAC-SHA256 of the label.

        The active key's, or that of ``key_id``. Raises DecryptionError when there is no such key.
        """
        key = self._active(purpose) if key_id is None else self._key(purpose, key_id)
        if key is None:
            raise DecryptionError("unknown key")
        return _derived(key, label)

    def active_id(self, purpose: str) -> str:
        """The id of the key that seals."""
        return self._active(purpose).id

    def made(self, purpose: str) -> date:
        """The day on which the key that seals was made."""
        return self._active(purpose).made

    def derive_all(self, purpose: str, label: str) -> dict[str, bytes]:
        """What ``derive`` gives for each key of the ring, by key id, the active one first.

        For what must still open after a new key was activated.
        """
        active = self._active(purpose)
        keys = (active, *(key for key in self._rings[purpose].keys if key.id != active.id))
        return {key.id: _derived(key, label) for key in keys}

    def derive_rotating(self, purpose: str, label: str) -> list[bytes]:
        """What ``derive`` gives for each key, the active one last: as itsdangerous takes keys to sign and to check.

        So what one machine signs with a new key is good on another where that key only opens yet.
        """
        return [*self.derive_all(purpose, label).values()][::-1]

    def _active(self, purpose: str) -> Key:
        ring = self._rings[purpose]
        key = ring.key(ring.active)
        if key is None:  # read_ring refuses such a file
            raise DecryptionError("no active key")
        return key

    def refresh(self, purpose: str) -> None:
        """Read a purpose's file again if it is another than was read; one that cannot be read changes nothing."""
        with self._lock:
            stamp = _stamp(self._folder, purpose)
            if stamp == self._stamps[purpose]:
                return
            with suppress(SettingsError):
                self._rings[purpose] = read_ring(self._folder, purpose)
                self._stamps[purpose] = stamp

    def _key(self, purpose: str, key_id: str) -> Key | None:
        """The key; for an id that is not known the file is looked at: another process may have laid a key there."""
        key = self._rings[purpose].key(key_id)
        if key or not _KEY_ID.fullmatch(key_id):
            return key
        self.refresh(purpose)
        return self._rings[purpose].key(key_id)

    def _cipher(self, key: Key) -> AESGCM:
        if key.secret not in self._ciphers:
            self._ciphers[key.secret] = AESGCM(key.secret)
        return self._ciphers[key.secret]


def _derived(key: Key, label: str) -> bytes:
    return hmac.new(key.secret, label.encode(), hashlib.sha256).digest()


def _bound(purpose: str, key_id: str, associated_data: bytes) -> bytes:
    return b"\0".join((purpose.encode(), key_id.encode(), associated_data))


def _stamp(folder: Path, purpose: str) -> tuple[int, ...] | None:
    """What tells a key file from the one that lay there before; None where there is none."""
    try:
        found = ring_file(folder, purpose).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
