"""The tables of anonymous responses: answers of visitors who agreed, without personal data."""

from sqlalchemy import JSON, BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.extensions import db

PENDING_BIND = "pending"
"""The database bind of pending responses: in SQLite a separate file, which backups leave out."""


class PendingKey(db.Model):  # type: ignore[name-defined]
    """A public key that pending responses are encrypted to. Times are seconds since 1970, UTC.

    The private key is in the key file ``responses.toml`` of the worker's machine. The row is deleted when no response
    needs it any more, and then the private key is destroyed.
    """

    __tablename__ = "pending_key"
    __bind_key__ = PENDING_BIND

    id: Mapped[str] = mapped_column(String(8), primary_key=True)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    published_at: Mapped[int] = mapped_column(BigInteger)
    replaced_at: Mapped[int | None] = mapped_column(BigInteger)
    """When a newer key was published; None for the active key."""

    held: Mapped[bool]
    """Whether the worker's key file had the private key at its last run."""


class PendingResponse(db.Model):  # type: ignore[name-defined]
    """An agreed response until it is shuffled with others: one encrypted row, all of the same size.

    Month, questionnaire, age band, pain duration and answers are in the ciphertext, which only the worker can decrypt.
    ``id_hash`` allows the visitor's draft to change or withdraw the response. What storage shows (dead rows,
    transaction ids, write-ahead logs) is that responses were stored, changed and withdrawn, in which order and about
    when, but not what they say.
    """

    __tablename__ = "pending_response"
    __bind_key__ = PENDING_BIND
    __table_args__ = ({"sqlite_with_rowid": False},)

    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    """HMAC-SHA256 of the response id, which is in the draft only; keyed by the ``draft`` keys."""

    key_id: Mapped[str] = mapped_column(ForeignKey(PendingKey.id))
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    batch: Mapped[str | None] = mapped_column(String(32))
    """The batch that moves this response; once set, the visitor cannot change or withdraw it."""


class ResponseColumns:
    """The columns of a response after shuffling."""

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    period: Mapped[str] = mapped_column(String(7))
    questionnaire: Mapped[str] = mapped_column(String(40))
    version: Mapped[int]
    age_band: Mapped[str] = mapped_column(String(20))
    pain_duration: Mapped[str] = mapped_column(String(20))
    answers: Mapped[dict[str, str]] = mapped_column(JSON)


class ShuffledResponse(ResponseColumns, db.Model):  # type: ignore[name-defined]
    """A response after shuffling: the answers under a new random id, in random order. Together they are the pool."""

    __tablename__ = "shuffled_response"
    __table_args__ = ({"sqlite_with_rowid": False},)


class HeldResponse(ResponseColumns, db.Model):  # type: ignore[name-defined]
    """A shuffled response of a batch that is held apart from the pool (see ``held_batches``)."""

    __tablename__ = "held_response"
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str] = mapped_column(String(32))


class ShuffledBatch(db.Model):  # type: ignore[name-defined]
    """A batch whose responses are stored. Never deleted, so that no later run stores them twice.

    ``shuffled_at`` is in seconds since 1970, UTC; ``state`` is one of ``held_batches``.
    """

    __tablename__ = "shuffled_batch"
    __table_args__ = ({"sqlite_with_rowid": False},)

    batch: Mapped[str] = mapped_column(String(32), primary_key=True)
    shuffled_at: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(10))
