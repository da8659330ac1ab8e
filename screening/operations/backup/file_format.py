"""Backup format: compressed lines of JSON.

A header (time, migration, columns), rows in batches by table (bytes in base64), then row counts and a SHA-256.
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Table

from screening.crypto.keyring import Keyring
from screening.operations.backup import BackupError, Progress
from screening.operations.backup.encryption import DecryptingReader, EncryptingWriter

COMPRESSION = 6


@dataclass(frozen=True)
class BackupHeader:
    """What a backup says of itself. ``made_at`` is in seconds since 1970, UTC; ``migration`` is its database's."""

    made_at: int
    migration: str
    rows: dict[str, int]
    """How many, by table."""

    sha256: str

    @property
    def number(self) -> str:
        """What the audit calls it."""
        return self.sha256[:16]


@dataclass(frozen=True)
class Batch:
    """Some rows of one table: of each a list of what ``columns`` hold, bytes in base 64 when they were read."""

    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def write_backup(
    file: BinaryIO, keyring: Keyring, made_at: int, migration: str, tables: Sequence[Table], batches: Iterable[Batch]
) -> BackupHeader:
    """Write a whole backup: these tables, with these batches of their rows. Gives what it says of itself."""
    sealer, digest = EncryptingWriter(file, keyring), hashlib.sha256()
    columns = {table.name: table.columns.keys() for table in tables}
    counts = dict.fromkeys(columns, 0)
    with gzip.GzipFile("", "wb", COMPRESSION, sealer, mtime=0) as target:

        def put(said: dict[str, Any]) -> None:
            line = json.dumps(said, separators=(",", ":"), default=_in_base64).encode() + b"\n"
            digest.update(line)
            target.write(line)

        put({"made_at": made_at, "migration": migration, "columns": columns})
        for batch in batches:
            put({"table": batch.table, "rows": batch.rows})
            counts[batch.table] += len(batch.rows)
        stated = BackupHeader(made_at, migration, counts, digest.hexdigest())
        put({"counts": counts, "sha256": stated.sha256})
    sealer.finish()
    return stated


class BackupReader:
    """A backup that is being read."""

    def __init__(self, opener: DecryptingReader) -> None:
        self._opener, self._digest = opener, hashlib.sha256()
        self._lines = iter(gzip.GzipFile(fileobj=opener))
        first = self._next()
        self.made_at: int = first["made_at"]
        self.migration: str = first["migration"]
        self._columns: dict[str, list[str]] = first["columns"]

    def hand_to(self, taker: Callable[[Batch], object]) -> BackupHeader:
        """Hand over every batch, once, in the order of the file; gives what the file says of itself.

        Raises BackupError, perhaps only after the last batch, when the file is not as it was written.
        """
        counts = dict.fromkeys(self._columns, 0)
        sha256, said = self._digest.hexdigest(), self._next()
        while "table" in said:
            batch = Batch(said["table"], self._columns[said["table"]], said["rows"])
            counts[batch.table] += len(batch.rows)
            taker(batch)
            sha256, said = self._digest.hexdigest(), self._next()
        if said != {"counts": counts, "sha256": sha256} or any(self._lines):
            raise self._opener.damaged()
        return BackupHeader(self.made_at, self.migration, counts, sha256)

    def _next(self) -> dict[str, Any]:
        line = next(self._lines, b"{}")
        self._digest.update(line)
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def open_backup(file: Path, keyring: Keyring, progress: Progress = lambda size: None) -> Iterator[BackupReader]:
    """Open a backup; ``progress`` is told of bytes of the file. Raises BackupError when it is not as it was written."""
    try:
        with file.open("rb") as source:
            opener = DecryptingReader(source, keyring, progress)
            try:
                yield BackupReader(opener)
            except (EOFError, KeyError, ValueError, TypeError, gzip.BadGzipFile, zlib.error):  # sealed, yet nonsense
                raise opener.damaged() from None
    except OSError as error:
        raise BackupError(f"{file}: {error.strerror}") from error


def check_header(file: Path, keyring: Keyring, progress: Progress = lambda size: None) -> BackupHeader:
    """Read a backup to its end, without a database; gives what it says of itself. Raises BackupError."""
    with open_backup(file, keyring, progress) as contents:
        return contents.hand_to(lambda batch: None)


def _in_base64(value: object) -> str:
    """For what JSON has no form of. Raises TypeError for anything but bytes."""
    if not isinstance(value, bytes | memoryview):
        raise TypeError(f"no form for a {type(value).__name__}")
    return base64.b64encode(value).decode()
