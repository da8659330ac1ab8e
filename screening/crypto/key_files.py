"""Key files: one for each purpose, with the active key and those that only decrypt."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import stat
import tomllib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import BinaryIO

from screening.config import SettingsError

KEY_BYTES = 32


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


def ring_file(folder: Path, purpose: str) -> Path:
    """Where the keys of a purpose lie."""
    return folder / f"{purpose}.toml"


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
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes of this machine from changing key files meanwhile."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)  # and with it the lock


def add_key(folder: Path, purpose: str, today: date) -> Key:
    """Lay a new key beside the others: it opens, and seals only once it is activated. Raises SettingsError."""
    with locked(folder):
        ring = read_ring(folder, purpose)
        key = Key.fresh(today)
        write_ring(folder, purpose, replace(ring, keys=(*ring.keys, key)))
    return key


def activate_key(folder: Path, purpose: str, id_: str) -> None:
    """Let a key of the ring seal from now on. Raises SettingsError when it is not there."""
    with locked(folder):
        ring = read_ring(folder, purpose)
        if ring.key(id_) is None:
            raise SettingsError(f"{purpose} has no key {id_}: flask keys list shows which there are")
        write_ring(folder, purpose, replace(ring, active=id_))


def rotate_key(folder: Path, purpose: str, today: date) -> None:
    """Lay a new key and let it seal, in one write: a ring is never left between. Raises SettingsError.

    The caller is ``locked`` the folder.
    """
    ring = read_ring(folder, purpose)
    key = Key.fresh(today)
    write_ring(folder, purpose, Ring((*ring.keys, key), key.id))


def destroy_keys(folder: Path, purpose: str, ids: Collection[str]) -> None:
    """Take keys out of a ring for good: nothing that was sealed with them can be opened again. Never the active one.

    The file is written anew, then the bytes of the old one are overwritten where they lie, and so are
    those of files that a killed process left half written. The caller is ``locked`` the folder.

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
