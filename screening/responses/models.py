"""The tables of anonymous responses: answers of visitors who agreed, without personal data."""

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db

PENDING_BIND = "pending"
"""The database bind of pending responses: in SQLite a separate file, which backups leave out."""


class ResponseColumns:
    """The columns of a response, pending or shuffled."""

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    period: Mapped[str] = mapped_column(String(7))
    questionnaire: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    age_band: Mapped[str] = mapped_column(String(20))
    pain_duration: Mapped[str] = mapped_column(String(20))
    answers: Mapped[dict[str, str]] = mapped_column(JSON)


class PendingResponse(ResponseColumns, db.Model):  # type: ignore[name-defined]
    """An agreed response until it is shuffled with others.

    Its random id is stored in the visitor's draft only and allows to change or withdraw the response. There is
    no time, address, language or free text. In SQLite the table has no rowid and in PostgreSQL it is
    unlogged, so that the order of insertion is in neither the table nor the write-ahead log.
    """

    __tablename__ = "pending_response"
    __bind_key__ = PENDING_BIND
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str | None] = mapped_column(String(32))
    """The batch that moves this response; once set, the visitor cannot change or withdraw it."""


class ShuffledResponse(ResponseColumns, db.Model):  # type: ignore[name-defined]
    """A response after shuffling: the same answers under a new random id, in random order."""

    __tablename__ = "shuffled_response"
    __table_args__ = ({"sqlite_with_rowid": False},)


class ShuffledBatch(db.Model):  # type: ignore[name-defined]
    """A batch whose responses are stored. Never deleted, so that no later run stores them twice."""

    __tablename__ = "shuffled_batch"
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str] = mapped_column(String(32), primary_key=True)
