"""Checks of a zip file: no zip bomb, no metadata, no bytes outside its entries."""

import io
import struct
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, cast

from screening.releases.verify.spec import UnreadableError, shown

FIXED = (1980, 1, 1, 0, 0, 0)
"""The date of every entry, the earliest of the format; a real one would disclose when the file was downloaded."""

MOST_ENTRIES = 100
MOST_BYTES = 4 << 30
FREE_BYTES = 200 << 20
MOST_TIMES = 200
"""Largest compression ratio of an entry over ``FREE_BYTES``; a million sorted rows are below it."""

LARGEST_TEXT = 16 << 20
LOCAL = struct.Struct("<4s5H3L2H")
ZIP64 = b"\x01\x00"
"""The only extra field allowed; it contains sizes."""


class Archive:
    """The entries of a zip file. Raises UnreadableError when it is damaged or a zip bomb."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.zip = zipfile.ZipFile(file)
        self.names = [entry.filename for entry in self.zip.infolist()]
        self.refuse_bombs()

    def refuse_bombs(self) -> None:
        """Raise UnreadableError for excessive sizes, before anything is decompressed."""
        entries = self.zip.infolist()
        if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_BYTES:
            raise UnreadableError("would unpack to more than a release can be")
        for entry in entries:
            if entry.file_size > max(FREE_BYTES, MOST_TIMES * entry.compress_size):
                raise UnreadableError("an entry would unpack to far more than its size")
            if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnreadableError("an entry is encrypted or compressed with an unsupported method")

    def open(self, name: str) -> io.BufferedReader:
        """Return a stream of an entry's bytes."""
        return io.BufferedReader(cast(io.RawIOBase, self.zip.open(name)), 1 << 16)

    def read(self, name: str) -> bytes:
        """Return the bytes of a small entry."""
        if self.zip.getinfo(name).file_size > LARGEST_TEXT:
            raise UnreadableError(f"{shown(name)} is larger than it can be")
        return self.zip.read(name)

    def findings(self) -> Iterator[tuple[str, str]]:
        """Yield place and kind of metadata that a release must not contain."""
        if self.zip.comment:
            yield "zip comment", "is not empty"
        for entry in self.zip.infolist():
            where = f"entry {shown(entry.filename)}"
            if entry.date_time != FIXED:
                yield where, "has a date other than 1980-01-01"
            if entry.comment:
                yield where, "has a comment"
            if entry.extra:
                yield where, "has an extra field"
            if self.names.count(entry.filename) > 1:
                yield where, "occurs more than once"
        yield from self.inside()

    def inside(self) -> Iterator[tuple[str, str]]:
        """Yield bytes outside the entries, and local headers that differ from the central directory."""
        place = 0
        for entry in sorted(self.zip.infolist(), key=lambda entry: entry.header_offset):
            where = f"entry {shown(entry.filename)}"
            if entry.header_offset != place:
                yield where, "bytes before it belong to no entry"
            self.file.seek(entry.header_offset)
            head = LOCAL.unpack(self.file.read(LOCAL.size))
            name, extra = self.file.read(head[9]), self.file.read(head[10])
            if name != name_bytes(entry) or (head[4], head[5]) != packed_time(entry):
                yield where, "its local header differs from the central directory"
            if extra and not (extra.startswith(ZIP64) and len(extra) <= 20):
                yield where, "has an extra field"
            place = entry.header_offset + LOCAL.size + len(name) + len(extra) + entry.compress_size
            place += self.descriptor(entry, place, extra)
        listed = sum(46 + len(name_bytes(e)) + len(e.extra) + len(e.comment) for e in self.zip.infolist())
        size = self.file.seek(0, io.SEEK_END)
        if place != self.zip.start_dir or size != place + listed + 22 + len(self.zip.comment):
            yield "zip", "holds bytes that belong to no entry"

    def descriptor(self, entry: zipfile.ZipInfo, place: int, extra: bytes) -> int:
        """Return the length of the data descriptor that may follow an entry."""
        if not entry.flag_bits & 8:
            return 0
        self.file.seek(place)
        signed = 4 if self.file.read(4) == b"PK\x07\x08" else 0
        return signed + (20 if extra.startswith(ZIP64) else 12)


def name_bytes(entry: zipfile.ZipInfo) -> bytes:
    """Return the entry's name as stored."""
    return entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437")


def packed_time(entry: zipfile.ZipInfo) -> tuple[int, int]:
    """Return the entry's time and date in MS-DOS format."""
    year, month, day, hour, minute, second = entry.date_time
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day
