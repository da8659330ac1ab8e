"""The files of a release, kept in the database in pieces: any node gives the same bytes, and none needs them whole."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from screening.extensions import db
from screening.releases.models import ReleaseChunk, ReleaseFile

CHUNK_BYTES = 1 << 20
"""Bytes of a piece before it is compressed."""


def store_file(connection: Connection, release_id: int, name: str, parts: Iterable[bytes]) -> dict[str, int | str]:
    """Store a file in the caller's transaction; gives its ``size`` in bytes and its ``sha256``."""
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
    """A file's size and hash; None when there is no such file yet."""
    return db.session.get(ReleaseFile, (release_id, name))


def read_file(release_id: int, name: str) -> Iterator[bytes]:
    """A file's bytes, a piece at a time; each is asked for by itself, so that a slow reader holds nothing open.

    Needs an application context for as long as it is read.
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
    """The same bytes in pieces of one size, but for the last."""
    waiting = bytearray()
    for part in parts:
        waiting += part
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)
