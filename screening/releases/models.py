"""Releases and their files, as the database stores them."""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db


class Release(db.Model):  # type: ignore[name-defined]
    """A release: an immutable set of rows.

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
    """The manifest as JSON text, as exported."""

    tables: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The counts of the charts, computed when the release was made; None if suppressed."""

    codebook: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The codebook by detail (see ``exporters.codebook``), as of when the release was made."""

    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The specification of the rows under the policy of the release (see ``ReleasePolicy.spec``), for the verifier."""

    @property
    def number(self) -> str:
        """The release's number: ``R-0001``."""
        return number_of(self.id)


def number_of(release_id: int) -> str:
    """Return a release's number: ``R-0001``."""
    return f"R-{release_id:04}"


class ReleaseFile(db.Model):  # type: ignore[name-defined]
    """A file of a release, such as ``signs.csv``: its size in bytes and its SHA-256 in hex."""

    __tablename__ = "release_file"

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))


class ReleaseChunk(db.Model):  # type: ignore[name-defined]
    """A chunk of a file, compressed with zlib; ``number`` counts from 0."""

    __tablename__ = "release_chunk"

    release_id: Mapped[int] = mapped_column(ForeignKey("release.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
