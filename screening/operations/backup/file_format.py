"""Backup format: gzipped JSON lines.

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
    """Metadata of a backup. ``made_at`` is in seconds since 1970, UTC; ``migration`` is that of its database."""

    made_at: int
    migration: str
    rows: dict[str, int]
    """Number of rows by table."""

    sha256: str

    @property
    def number(self) -> str:
        """The backup's id in audit events."""
        return self.sha256[:16]


@dataclass(frozen=True)
class Batch:
    """Some rows of one table, each a list in the order of ``columns``; bytes are in base64 in a batch that was read."""

    table: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def write_backup(
    file: BinaryIO, keyring: Keyring, made_at: int, migration: str, tables: Sequence[Table], batches: Iterable[Batch]
) -> BackupHeader:
    """Write a complete backup of these tables from batches of their rows; return its metadata."""
    writer, digest = EncryptingWriter(file, keyring), hashlib.sha256()
    columns = {table.name: table.columns.keys() for table in tables}
    counts = dict.fromkeys(columns, 0)
    with gzip.GzipFile("", "wb", COMPRESSION, writer, mtime=0) as target:

        def put(content: dict[str, Any]) -> None:
            line = json.dumps(content, separators=(",", ":"), default=_in_base64).encode() + b"\n"
            digest.update(line)
            target.write(line)

        put({"made_at": made_at, "migration": migration, "columns": columns})
        for batch in batches:
            put({"table": batch.table, "rows": batch.rows})
            counts[batch.table] += len(batch.rows)
        header = BackupHeader(made_at, migration, counts, digest.hexdigest())
        put({"counts": counts, "sha256": header.sha256})
    writer.finish()
    return header


class BackupReader:
    """An open backup."""

    def __init__(self, source: DecryptingReader) -> None:
        self._source, self._digest = source, hashlib.sha256()
        self._lines = iter(gzip.GzipFile(fileobj=source))
        first = self._next()
        self.made_at: int = first["made_at"]
        self.migration: str = first["migration"]
        self._columns: dict[str, list[str]] = first["columns"]

    def read_batches(self, process: Callable[[Batch], object]) -> BackupHeader:
        """Call ``process`` with every batch in the order of the file; return the metadata.

        Raises BackupError for a damaged file, possibly only after the last batch.
        """
        counts = dict.fromkeys(self._columns, 0)
        sha256, content = self._digest.hexdigest(), self._next()
        while "table" in content:
            batch = Batch(content["table"], self._columns[content["table"]], content["rows"])
            counts[batch.table] += len(batch.rows)
            process(batch)
            sha256, content = self._digest.hexdigest(), self._next()
        if content != {"counts": counts, "sha256": sha256} or any(self._lines):
            raise self._source.damaged()
        return BackupHeader(self.made_at, self.migration, counts, sha256)

    def _next(self) -> dict[str, Any]:
        line = next(self._lines, b"{}")
        self._digest.update(line)
        content: dict[str, Any] = json.loads(line)
        return content


@contextmanager
def open_backup(file: Path, keyring: Keyring, progress: Progress = lambda size: None) -> Iterator[BackupReader]:
    """Open a backup; ``progress`` receives the number of bytes read. Raises BackupError for a damaged file."""
    try:
        with file.open("rb") as source:
            reader = DecryptingReader(source, keyring, progress)
            try:
                yield BackupReader(reader)
            except (EOFError, KeyError, ValueError, TypeError, gzip.BadGzipFile, zlib.error):  # authentic, yet invalid
                raise reader.damaged() from None
    except OSError as error:
        raise BackupError(f"{file}: {error.strerror}") from error


def check_header(file: Path, keyring: Keyring, progress: Progress = lambda size: None) -> BackupHeader:
    """Verify a backup by reading all of it, without a database; return its metadata. Raises BackupError."""
    with open_backup(file, keyring, progress) as contents:
        return contents.read_batches(lambda batch: None)


def _in_base64(value: object) -> str:
    """Encode bytes for JSON. Raises TypeError for other types."""
    if not isinstance(value, bytes | memoryview):
        raise TypeError(f"cannot serialize {type(value).__name__}")
    return base64.b64encode(value).decode()
