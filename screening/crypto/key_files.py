"""Key files: one TOML file per purpose, with the active key and the decrypt-only keys."""

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
    """One key: a random public id, 32 secret bytes, and the day it was created."""

    id: str
    secret: bytes
    made: date

    @classmethod
    def fresh(cls, today: date) -> Key:
        """Return a new random key."""
        return cls(secrets.token_hex(4), secrets.token_bytes(KEY_BYTES), today)


@dataclass(frozen=True)
class Ring:
    """The keys of one purpose; ``active`` is the id of the key that encrypts."""

    keys: tuple[Key, ...]
    active: str

    def key(self, id_: str) -> Key | None:
        """Return the key with this id, or None."""
        return next((key for key in self.keys if key.id == id_), None)


def ring_file(folder: Path, purpose: str) -> Path:
    """Return the path of a purpose's key file."""
    return folder / f"{purpose}.toml"


def read_ring(folder: Path, purpose: str) -> Ring:
    """Read one key file. Raises SettingsError, which says what to do and never contains a key."""
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
    except PermissionError:
        raise SettingsError(
            f"key file {path.name} cannot be read: chown it to the site's user, and run chmod 600 on it"
        ) from None
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
    """Write one key file atomically, readable by its owner only (mode 0600)."""
    lines = [f'active = "{ring.active}"']
    for key in ring.keys:
        secret = base64.b64encode(key.secret).decode()
        lines += ["", f"[keys.{key.id}]", f"made = {key.made}", f'secret = "{secret}"']
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = ring_file(folder, purpose)
    fresh = path.with_suffix(f".{secrets.token_hex(4)}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:  # such as a full disk
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(folder)


def create_ring(folder: Path, purpose: str, today: date) -> bool:
    """Create the key file of a purpose that has none yet; return whether it was created."""
    if ring_file(folder, purpose).exists():
        return False
    key = Key.fresh(today)
    write_ring(folder, purpose, Ring((key,), key.id))
    return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on the key files, against other processes of this machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # releases the lock


def add_key(folder: Path, purpose: str, today: date) -> Key:
    """Add a new decrypt-only key; ``activate_key`` makes it the one that encrypts. Raises SettingsError."""
    with locked(folder):
        ring = read_ring(folder, purpose)
        key = Key.fresh(today)
        write_ring(folder, purpose, replace(ring, keys=(*ring.keys, key)))
    return key


def activate_key(folder: Path, purpose: str, id_: str) -> None:
    """Make a key of the ring the one that encrypts. Raises SettingsError when the ring has no such key."""
    with locked(folder):
        ring = read_ring(folder, purpose)
        if ring.key(id_) is None:
            raise SettingsError(f"{purpose} has no key {id_}: flask keys list shows which there are")
        write_ring(folder, purpose, replace(ring, active=id_))


def rotate_key(folder: Path, purpose: str, today: date) -> None:
    """Add a new key and activate it, in one write. The caller holds ``locked``. Raises SettingsError."""
    ring = read_ring(folder, purpose)
    key = Key.fresh(today)
    write_ring(folder, purpose, Ring((*ring.keys, key), key.id))


def destroy_keys(folder: Path, purpose: str, ids: Collection[str]) -> None:
    """Destroy keys, so that nothing encrypted with them can be decrypted. The active key is never destroyed.

    The file is replaced, then the blocks of the old file are overwritten in place, as are those of temporary
    files left by a killed process. The caller holds ``locked``. Raises SettingsError.

    The file system limits this. One that journals data or never writes in place (ext4 with
    ``data=journal``, btrfs, ZFS, snapshots) and flash storage (SSD, memory cards) may retain an old block
    until it is reused; a running process holds a key in memory until it reads the file again. Disk
    encryption protects such remains against theft of the disk.
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
    """Flush the directory entries of a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
