"""What is kept of a visit, when the visitor agreed: a row that holds answers and nothing of the person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db

INBOX = "inbox"
"""The bind of the holding file: a file of its own in SQLite, so that backups leave it out."""


class Copy:
    """What a copy holds, before mixing and after."""

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    period: Mapped[str] = mapped_column(String(7))
    questionnaire: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    age_band: Mapped[str] = mapped_column(String(20))
    pain_duration: Mapped[str] = mapped_column(String(20))
    answers: Mapped[dict[str, str]] = mapped_column(JSON)


class InboxCopy(Copy, db.Model):  # type: ignore[name-defined]
    """An agreed copy in the holding file, until it is mixed with others.

    Its id is random and known only to the visitor's own draft: by it the copy can be changed or taken
    back. There is no time, no address, no language and no free text. In SQLite the table has no
    rowid and in PostgreSQL it is unlogged, so neither order nor the write-ahead log remembers more.
    """

    __tablename__ = "inbox_copy"
    __bind_key__ = INBOX
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str | None] = mapped_column(String(32))
    """The mixing that has begun to move this copy; from then on it is out of its visitor's reach."""


class MixedCopy(Copy, db.Model):  # type: ignore[name-defined]
    """A copy after mixing: the same answers under a fresh random id, in shuffled order."""

    __tablename__ = "mixed_copy"
    __table_args__ = ({"sqlite_with_rowid": False},)


class Moved(db.Model):  # type: ignore[name-defined]
    """A batch whose copies are stored: noted for good, so that no other run, however late, stores them twice."""

    __tablename__ = "moved_batch"
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str] = mapped_column(String(32), primary_key=True)


class Release(db.Model):  # type: ignore[name-defined]
    """A frozen set of rows: made once, never changed.

    ``made_at`` (seconds since 1970, UTC) and ``made_by`` (an account's id, or ``audit.COMMAND``) are for
    staff and never exported.
    """

    __tablename__ = "release"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    made_at: Mapped[int] = mapped_column(BigInteger)
    made_by: Mapped[str] = mapped_column(String(64))
    questionnaire: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    rows: Mapped[int] = mapped_column(BigInteger)
    manifest: Mapped[str] = mapped_column(Text)
    """What is stated of the release, as the JSON text that goes with its files."""

    tables: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The counts that charts may show, fixed when the release was made; None where a count is hidden."""

    codebook: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What the columns and codes mean, by detail (see ``files.codebook``): definitions change, a release does not."""

    promised: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What may stand in the rows by the terms it was made on (see ``Terms.promised``), for the verifier."""

    @property
    def number(self) -> str:
        """What people call it: ``R-0001``."""
        return number_of(self.id)


def number_of(release_id: int) -> str:
    """What people call a release: ``R-0001``."""
    return f"R-{release_id:04}"


class ReleaseFile(db.Model):  # type: ignore[name-defined]
    """A file of a release, such as ``signs.csv``: its size in bytes and its SHA-256 in hex."""

    __tablename__ = "release_file"

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class ReleaseChunk(db.Model):  # type: ignore[name-defined]
    """A piece of a file, compressed by zlib; ``number`` counts from 0."""

    __tablename__ = "release_chunk"

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
