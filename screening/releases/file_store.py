"""Storage of release files in the database, in compressed chunks, so that every node can stream the same bytes."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from screening.extensions import db
from screening.releases.models import ReleaseChunk, ReleaseFile

CHUNK_BYTES = 1 << 18
"""Uncompressed bytes of a chunk: a download takes some of them in memory at a time."""


def store_file(connection: Connection, release_id: int, name: str, parts: Iterable[bytes]) -> dict[str, int | str]:
    """Store a file in the caller's transaction; return its ``size`` in bytes and its ``sha256``."""
    size, digest = 0, hashlib.sha256()
    for number, piece in enumerate(_pieces(parts)):
        size += len(piece)
        digest.update(piece)
        values = {"release_id": release_id, "name": name, "number": number, "data": zlib.compress(piece)}
        connection.execute(insert(ReleaseChunk), values)
    stored: dict[str, int | str] = {"size": size, "sha256": digest.hexdigest()}
    connection.execute(insert(ReleaseFile), {"release_id": release_id, "name": name} | stored)
    return stored


def find_file(release_id: int, name: str) -> ReleaseFile | None:
    """Return a file's record (size and hash); None when it is not stored."""
    return db.session.get(ReleaseFile, (release_id, name))


def read_file(release_id: int, name: str) -> Iterator[bytes]:
    """Yield a file's chunks, each from a query of its own, so that a slow client holds no connection.

    Needs an application context while a chunk is read.
    """
    number = 0
    wanted = select(ReleaseChunk.data).where(ReleaseChunk.release_id == release_id, ReleaseChunk.name == name)
    while True:
        with db.engines[None].connect() as connection:
            data = connection.execute(wanted.where(ReleaseChunk.number == number)).scalar_one_or_none()
        if data is None:
            return
        yield zlib.decompress(data)
        number += 1


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in chunks of ``CHUNK_BYTES``; the last may be shorter."""
    buffer = bytearray()
    for part in parts:
        buffer += part
        while len(buffer) >= CHUNK_BYTES:
            yield bytes(buffer[:CHUNK_BYTES])
            del buffer[:CHUNK_BYTES]
    if buffer:
        yield bytes(buffer)
