"""Responses: the answers of visitors who agreed, and nothing of the person."""

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db

PENDING_BIND = "pending"
"""The bind of the holding file: a file of its own in SQLite, so that backups leave it out."""


class ResponseColumns:
    """What a copy holds, before mixing and after."""

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    period: Mapped[str] = mapped_column(String(7))
    questionnaire: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    age_band: Mapped[str] = mapped_column(String(20))
    pain_duration: Mapped[str] = mapped_column(String(20))
    answers: Mapped[dict[str, str]] = mapped_column(JSON)


class PendingResponse(ResponseColumns, db.Model):  # type: ignore[name-defined]
    """An agreed copy in the holding file, until it is mixed with others.

    Its id is random and known only to the visitor's own draft: by it the copy can be changed or taken
    back. There is no time, no address, no language and no free text. In SQLite the table has no
    rowid and in PostgreSQL it is unlogged, so neither order nor the write-ahead log remembers more.
    """

    __tablename__ = "pending_response"
    __bind_key__ = PENDING_BIND
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str | None] = mapped_column(String(32))
    """The mixing that has begun to move this copy; from then on it is out of its visitor's reach."""


class ShuffledResponse(ResponseColumns, db.Model):  # type: ignore[name-defined]
    """A copy after mixing: the same answers under a fresh random id, in shuffled order."""

    __tablename__ = "shuffled_response"
    __table_args__ = ({"sqlite_with_rowid": False},)


class ShuffledBatch(db.Model):  # type: ignore[name-defined]
    """A batch whose copies are stored: noted for good, so that no other run, however late, stores them twice."""

    __tablename__ = "shuffled_batch"
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str] = mapped_column(String(32), primary_key=True)
