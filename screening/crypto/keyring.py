"""Symmetric encryption with keys by purpose: AES-256-GCM with random 96-bit nonces (NIST SP 800-38D).

Each purpose has its own key file, so a machine holds only the keys it needs. The purpose is part of the associated
data. One key of a ring is active; the others only decrypt.
"""

import base64
import hashlib
import hmac
import re
import secrets
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from screening.config import SettingsError
from screening.crypto import DecryptionError
from screening.crypto.key_files import Key, read_ring, ring_file

DRAFT = "draft"
"""Encrypts the visitor's cookies: the draft and the call-back form."""

FORMS = "forms"
"""Keys the hashes of client addresses for rate limits. Encrypts nothing."""

STAFF = "staff"
"""Encrypts session cookies, TOTP secrets and saved forms of staff; signs their form tokens."""

CALLBACK = "callback"
"""Derives the private keys that decrypt call-back requests."""

SEARCH = "search"
"""Keys the hashes of phone numbers and e-mail addresses, by which requests are found."""

BACKUP = "backup"
"""Encrypts backups."""

RESPONSES = "responses"
"""Derives the private keys that decrypt pending responses."""

PURPOSES = {"visitor": (DRAFT, FORMS), "staff": (STAFF, CALLBACK, SEARCH, BACKUP), "worker": (RESPONSES,)}
"""The purposes that each application and the worker need; a machine holds the key files of what it runs only."""

NONCE_BYTES = 12
_KEY_ID = re.compile(r"[a-z0-9]{8}")


class StaleKeysError(SettingsError):
    """This machine's key file is older than the published key: what is encrypted to its key could be lost."""

    def __init__(self, purpose: str, key_id: str) -> None:
        super().__init__(
            f"{purpose}.toml here is older than the published key {key_id}: "
            "copy it from the machine that rotated the key"
        )


class Keyring:
    """The keys of the purposes that a process uses."""

    def __init__(self, folder: Path, purposes: tuple[str, ...]) -> None:
        """Read every key file. Raises SettingsError when one is missing, readable by others or damaged."""
        self._folder = folder
        self._lock = Lock()
        self._stamps = {purpose: _stamp(folder, purpose) for purpose in purposes}
        self._rings = {purpose: read_ring(folder, purpose) for purpose in purposes}
        self._ciphers: dict[bytes, AESGCM] = {}

    def encrypt(self, purpose: str, plaintext: bytes, associated_data: bytes) -> str:
        """Return ``<key id>.<base64url>``, bound to the purpose and to ``associated_data``, such as a cookie name."""
        key = self._active(purpose)
        nonce = secrets.token_bytes(NONCE_BYTES)
        ciphertext = self._cipher(key).encrypt(nonce, plaintext, _bound(purpose, key.id, associated_data))
        return f"{key.id}.{base64.urlsafe_b64encode(nonce + ciphertext).rstrip(b'=').decode()}"

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
        """Return a 32-byte subkey for one use: HMAC-SHA256 of the label, equal on every node that holds the key.

        It is derived from the active key, or from ``key_id``. Raises DecryptionError when there is no such key.
        """
        key = self._active(purpose) if key_id is None else self._key(purpose, key_id)
        if key is None:
            raise DecryptionError("unknown key")
        return _derived(key, label)

    def active_id(self, purpose: str) -> str:
        """Return the id of the active key."""
        return self._active(purpose).id

    def made(self, purpose: str) -> date:
        """Return the day on which the active key was created."""
        return self._active(purpose).made

    def refuse_stale(self, purpose: str, published: str, published_at: float | None) -> None:
        """Raise StaleKeysError if the published key is missing here and was published after the active one was made.

        A missing key that is older comes from a restored database; then the ring's active key is to be published.
        """
        if self._key(purpose, published) or published_at is None:
            return
        if self.made(purpose) < datetime.fromtimestamp(published_at, UTC).date():
            raise StaleKeysError(purpose, published)

    def derive_all(self, purpose: str, label: str) -> dict[str, bytes]:
        """Return ``derive`` of each key of the ring by key id, the active key first.

        For values that must remain valid after a new key is activated.
        """
        active = self._active(purpose)
        keys = (active, *(key for key in self._rings[purpose].keys if key.id != active.id))
        return {key.id: _derived(key, label) for key in keys}

    def derive_rotating(self, purpose: str, label: str) -> list[bytes]:
        """Return ``derive`` of each key, the active key last: the order in which itsdangerous expects its keys.

        A signature by a newly activated key is then valid on machines where that key is not active yet.
        """
        return [*self.derive_all(purpose, label).values()][::-1]

    def _active(self, purpose: str) -> Key:
        ring = self._rings[purpose]
        key = ring.key(ring.active)
        if key is None:  # read_ring refuses such a file
            raise DecryptionError("no active key")
        return key

    def refresh(self, purpose: str) -> None:
        """Read a purpose's key file again if it changed; one that cannot be read is ignored."""
        with self._lock:
            stamp = _stamp(self._folder, purpose)
            if stamp == self._stamps[purpose]:
                return
            with suppress(SettingsError):
                self._rings[purpose] = read_ring(self._folder, purpose)
                self._stamps[purpose] = stamp

    def _key(self, purpose: str, key_id: str) -> Key | None:
        """Return the key, or None. For an unknown id the file is read again: another process may have added a key."""
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
    """Return inode, modification time and size, which change when a key file is replaced; None without a file."""
    try:
        found = ring_file(folder, purpose).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
