"""Keys, each in a file of its purpose, and what is sealed with them.

A purpose has its own file ``<folder>/<purpose>.toml``, so a machine holds only the keys it needs.
In the file one key is active: it seals. The others only open, so that a new key can be laid on
every machine before it is used. Sealing is AES-256-GCM with a random 96-bit nonce
(NIST SP 800-38D); the purpose is bound into what is sealed, so one purpose opens nothing of another.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import stat
import tomllib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from screening.config import SettingsError

DRAFT = "draft"
"""Seals the visitor's answers in their own browser."""

FORMS = "forms"
"""Signs form tokens and blurs addresses for the limits. Opens nothing."""

STAFF = "staff"
"""Guards what staff carry: sessions and second factors."""

CALLBACK = "callback"
"""Opens what was sealed for the people who call back."""

SEARCH = "search"
"""Hashes a phone number or e-mail so that it can be found and not read."""

BACKUP = "backup"
"""Seals backups."""

PURPOSES = {"visitor": (DRAFT, FORMS), "staff": (STAFF, CALLBACK, SEARCH, BACKUP)}
"""The purposes each surface needs; a machine holds the files of its own surfaces only."""

NONCE_BYTES = 12
KEY_BYTES = 32
_KEY_ID = re.compile(r"[a-z0-9]{8}")


class UnsealableError(ValueError):
    """What was to be opened is no sealed text of this purpose and place, or its key is gone."""


@dataclass(frozen=True)
class Key:
    """One key: a random id that is no secret, 32 secret bytes, and the day it was made."""

    id: str
    secret: bytes
    made: date

    @classmethod
    def fresh(cls, today: date) -> Key:
        """A new random key."""
        return cls(secrets.token_hex(4), secrets.token_bytes(KEY_BYTES), today)


@dataclass(frozen=True)
class Ring:
    """The keys of one purpose; ``active`` is the id of the one that seals."""

    keys: tuple[Key, ...]
    active: str

    def key(self, id_: str) -> Key | None:
        """The key of that id, if it is here."""
        return next((key for key in self.keys if key.id == id_), None)


class Keyring:
    """The rings of the purposes a process works with."""

    def __init__(self, folder: Path, purposes: tuple[str, ...]) -> None:
        """Read every ring at once. Raises SettingsError when a file is missing, open to others or damaged."""
        self._folder = folder
        self._lock = Lock()
        self._stamps = {purpose: _stamp(folder, purpose) for purpose in purposes}
        self._rings = {purpose: read_ring(folder, purpose) for purpose in purposes}
        self._ciphers: dict[bytes, AESGCM] = {}

    def seal(self, purpose: str, text: bytes, place: bytes) -> str:
        """Seal ``text`` for one purpose and one place (a cookie's name, say): ``<key id>.<base64url>``."""
        key = self._active(purpose)
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._cipher(key).encrypt(nonce, text, _bound(purpose, key.id, place))
        return f"{key.id}.{base64.urlsafe_b64encode(nonce + sealed).rstrip(b'=').decode()}"

    def open(self, purpose: str, sealed: str, place: bytes) -> bytes:
        """Open what was sealed for this purpose and place. Raises UnsealableError."""
        key_id, _, body = sealed.partition(".")
        key = self._key(purpose, key_id)
        if key is None:
            raise UnsealableError("unknown key")
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
            return self._cipher(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(purpose, key_id, place))
        except (ValueError, InvalidTag) as error:
            raise UnsealableError("damaged, or sealed for another place") from error

    def derive(self, purpose: str, label: str, key_id: str | None = None) -> bytes:
        """32 bytes for one use, the same on every node that holds the key: HMAC-SHA256 of the label.

        The active key's, or that of ``key_id``. Raises UnsealableError when there is no such key.
        """
        key = self._active(purpose) if key_id is None else self._key(purpose, key_id)
        if key is None:
            raise UnsealableError("unknown key")
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
            raise UnsealableError("no active key")
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


def _bound(purpose: str, key_id: str, place: bytes) -> bytes:
    return b"\0".join((purpose.encode(), key_id.encode(), place))


def ring_file(folder: Path, purpose: str) -> Path:
    """Where the keys of a purpose lie."""
    return folder / f"{purpose}.toml"


def _stamp(folder: Path, purpose: str) -> tuple[int, ...] | None:
    """What tells a key file from the one that lay there before; None where there is none."""
    try:
        found = ring_file(folder, purpose).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read_ring(folder: Path, purpose: str) -> Ring:
    """Read one key file. Raises SettingsError with what to do; never shows a key."""
    path = ring_file(folder, purpose)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsError(f"key file {path.name} can be read by others: run chmod 600 on it")
        table = tomllib.loads(path.read_text(encoding="ascii"))
        keys = tuple(
            Key(id_, base64.b64decode(key["secret"], validate=True), key["made"]) for id_, key in table["keys"].items()
        )
        ring = Ring(keys, table["active"])
    except FileNotFoundError:
        raise SettingsError(f"key file {path.name} is missing: run flask keys init") from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(f"key file {path.name} is damaged: restore it from a backup") from None
    if ring.key(ring.active) is None or any(
        len(key.secret) != KEY_BYTES or type(key.made) is not date for key in ring.keys
    ):
        raise SettingsError(f"key file {path.name} is damaged: restore it from a backup")
    return ring


def write_ring(folder: Path, purpose: str, ring: Ring) -> None:
    """Write one key file whole or not at all, readable by its owner only (mode 0600)."""
    lines = [f'active = "{ring.active}"']
    for key in ring.keys:
        secret = base64.b64encode(key.secret).decode()
        lines += ["", f"[keys.{key.id}]", f"made = {key.made}", f'secret = "{secret}"']
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = ring_file(folder, purpose)
    fresh = path.with_suffix(f".{secrets.token_hex(4)}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(folder)


def create_ring(folder: Path, purpose: str, today: date) -> bool:
    """Write a first key for a purpose that has none yet; tells whether it did."""
    if ring_file(folder, purpose).exists():
        return False
    key = Key.fresh(today)
    write_ring(folder, purpose, Ring((key,), key.id))
    return True


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from changing key files meanwhile."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)  # and with it the lock


def add_key(folder: Path, purpose: str, today: date) -> Key:
    """Lay a new key beside the others: it opens, and seals only once it is activated. Raises SettingsError."""
    with changing(folder):
        ring = read_ring(folder, purpose)
        key = Key.fresh(today)
        write_ring(folder, purpose, replace(ring, keys=(*ring.keys, key)))
    return key


def activate_key(folder: Path, purpose: str, id_: str) -> None:
    """Let a key of the ring seal from now on. Raises SettingsError when it is not there."""
    with changing(folder):
        ring = read_ring(folder, purpose)
        if ring.key(id_) is None:
            raise SettingsError(f"{purpose} has no key {id_}: flask keys list shows which there are")
        write_ring(folder, purpose, replace(ring, active=id_))


def turn_key(folder: Path, purpose: str, today: date) -> None:
    """Lay a new key and let it seal, in one write: a ring is never left between. Raises SettingsError.

    The caller is ``changing`` the folder.
    """
    ring = read_ring(folder, purpose)
    key = Key.fresh(today)
    write_ring(folder, purpose, Ring((*ring.keys, key), key.id))


def destroy_keys(folder: Path, purpose: str, ids: Collection[str]) -> None:
    """Take keys out of a ring for good: nothing that was sealed with them can be opened again. Never the active one.

    The file is written anew, then the bytes of the old one are overwritten where they lie, and so are
    those of files that a killed process left half written. The caller is ``changing`` the folder.

    That reaches as far as the file system lets it. One that journals data or never writes in place
    (ext4 with ``data=journal``, btrfs, ZFS, snapshots) and flash storage (SSD, memory cards) may keep
    an old block until they need the room; the memory of a process keeps a key until it reads the file
    again. An encrypted disk keeps such leftovers from whoever finds the disk. Raises SettingsError.
    """
    ring = read_ring(folder, purpose)
    with ring_file(folder, purpose).open("r+b") as old:
        keys = tuple(key for key in ring.keys if key.id not in ids or key.id == ring.active)
        write_ring(folder, purpose, replace(ring, keys=keys))
        _overwrite(old)
    for left in folder.glob(f"{purpose}.*.new"):
        with left.open("r+b") as file:
            _overwrite(file)
        left.unlink()


def _overwrite(file: BinaryIO) -> None:
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    file.write(bytes(size))
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the folder itself written: which file a name means."""
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
