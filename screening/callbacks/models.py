"""Tables of call-back requests. Workflow columns are plain text, everything personal is encrypted."""

from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.callbacks.workflow import Progress, State
from screening.extensions import db

WAITING, REACHED, CLOSED, WITHDRAWN = "waiting", "reached", "closed", "withdrawn"

STATE_GROUPS = {
    State.NEW: WAITING,
    State.CLAIMED: WAITING,
    State.ATTEMPTED: WAITING,
    State.REACHED: REACHED,
    State.CLOSED: CLOSED,
    State.WITHDRAWN: WITHDRAWN,
}
"""The group that lists requests of a state. Stored in a column of its own, so that an index can serve the queue."""


class CallbackKey(db.Model):  # type: ignore[name-defined]
    """A public key that requests are encrypted to. The private key is in the key files of the staff's machines.

    The row is deleted when the private key is destroyed. Times are seconds since 1970, UTC.
    """

    __tablename__ = "callback_key"

    id: Mapped[str] = mapped_column(String(8), primary_key=True)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    active: Mapped[bool]
    published_at: Mapped[int | None] = mapped_column(BigInteger)
    """When it became the active key; None if unknown."""

    empty_since: Mapped[int | None] = mapped_column(BigInteger)
    """Since when no row is encrypted to it; None while there may be one."""


class CallbackRequest(db.Model):  # type: ignore[name-defined]
    """One request for a call. Times are seconds since 1970, UTC; ``owner`` and ``entered_by`` are ids of accounts.

    ``id`` is part of staff URLs; of the patient's reference only a fingerprint is stored. Of a withdrawn request only
    the workflow columns remain.
    """

    __tablename__ = "callback_request"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    reference: Mapped[str | None] = mapped_column(String(64), unique=True)
    digest: Mapped[str | None] = mapped_column(String(64))
    """A hash of the form, keyed by the form's secret, which is not stored: it shows that a form was sent twice."""

    ciphertext: Mapped[bytes | None] = mapped_column(LargeBinary)
    key_id: Mapped[str | None] = mapped_column(String(8))
    summary: Mapped[bytes | None] = mapped_column(LargeBinary)
    summary_key_id: Mapped[str | None] = mapped_column(String(8))
    """The shared summary, encrypted separately: a patient who changes a request need not share it again."""

    words: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The two words that prove who calls, encrypted with the reference, for the patient's page: ``call_words.seal``."""

    index_key_id: Mapped[str | None] = mapped_column(String(8), index=True)
    """The search key that the contacts were hashed with; None until the staff application has indexed the request."""

    language: Mapped[str] = mapped_column(String(8))
    rank: Mapped[int]
    """0 for "call first today", 1 for the others."""

    asked_at: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[int | None] = mapped_column(BigInteger)
    due_at: Mapped[int] = mapped_column(BigInteger)
    ended_at: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(12))
    state_group: Mapped[str] = mapped_column(String(12))
    owner: Mapped[str | None] = mapped_column(String(32))
    attempts: Mapped[int]
    next_at: Mapped[int | None] = mapped_column(BigInteger)
    """When the patient may be called again, or for the first time; None: at any time."""

    lease_owner: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[int | None] = mapped_column(BigInteger)
    """Until when "next request" offers the request to no one else. It lapses unless an outcome is recorded."""

    reminded: Mapped[int] = mapped_column(server_default="0")
    """Mails about its due time: 0 none, 1 that it is due soon, 2 that it is overdue."""

    entered_by: Mapped[str | None] = mapped_column(String(32))
    version: Mapped[int] = mapped_column()

    __mapper_args__: ClassVar = {"version_id_col": version}
    """Optimistic locking: the second of two concurrent changes raises StaleDataError."""

    __table_args__ = (
        Index("callback_queue", "state_group", "rank", "due_at", "asked_at", "id"),
        Index("callback_queue_of", "state_group", "owner", "rank", "due_at", "asked_at", "id"),
        Index("callback_queue_in", "state_group", "language", "rank", "due_at", "asked_at", "id"),
        Index("callback_ended", "state_group", "ended_at", "id"),
    )

    @property
    def progress(self) -> Progress:
        """The request's state in the workflow."""
        return Progress(State(self.state), self.owner, self.attempts, self.next_at)

    @progress.setter
    def progress(self, progress: Progress) -> None:
        self.state, self.state_group = progress.state.value, STATE_GROUPS[progress.state]
        self.owner, self.attempts, self.next_at = progress.owner, progress.attempts, progress.next_at
        self.lease_owner = self.lease_until = None


class CallbackContact(db.Model):  # type: ignore[name-defined]
    """A keyed hash of a request's phone number or e-mail address, to search by."""

    __tablename__ = "callback_contact"

    request_id: Mapped[str] = mapped_column(ForeignKey("callback_request.id", ondelete="CASCADE"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), primary_key=True, index=True)


class CallbackAttempt(db.Model):  # type: ignore[name-defined]
    """The outcome of one call or e-mail, and the request's position before it, to which it can be undone.

    It is deleted with its request, and holds nothing personal.
    """

    __tablename__ = "callback_attempt"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("callback_request.id", ondelete="CASCADE"), index=True)
    at: Mapped[int] = mapped_column(BigInteger)
    by: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(24))
    """A value of ``workflow.Outcome``."""

    next_at: Mapped[int | None] = mapped_column(BigInteger)
    """When to call again; of a booked visit, its time."""

    state_before: Mapped[str] = mapped_column(String(12))
    owner_before: Mapped[str | None] = mapped_column(String(32))
    attempts_before: Mapped[int]
    next_before: Mapped[int | None] = mapped_column(BigInteger)

    @property
    def before(self) -> Progress:
        """The request's position in the workflow before this outcome."""
        return Progress(State(self.state_before), self.owner_before, self.attempts_before, self.next_before)


NOTE, HANDOVER = "note", "handover"
"""Kinds of notes: plain, and for the next colleague. The latter becomes a plain note at the next call."""


class CallbackNote(db.Model):  # type: ignore[name-defined]
    """A staff member's note about a request, encrypted like the request."""

    __tablename__ = "callback_note"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    request_id: Mapped[str] = mapped_column(ForeignKey("callback_request.id", ondelete="CASCADE"), index=True)
    at: Mapped[int] = mapped_column(BigInteger)
    by: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(12), server_default=NOTE)
    settled_by: Mapped[str | None] = mapped_column(String(32))
    """The attempt that made a handover note a plain one."""

    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(8))


class WeeklyCount(db.Model):  # type: ignore[name-defined]
    """A count of deleted requests of one week (its Monday), until the week's block is published (``FigureBlock``)."""

    __tablename__ = "callback_weekly_count"

    week: Mapped[str] = mapped_column(String(10), primary_key=True)
    language: Mapped[str] = mapped_column(String(8), primary_key=True)
    figure: Mapped[str] = mapped_column(String(12), primary_key=True)
    value: Mapped[str] = mapped_column(String(24), primary_key=True)
    count: Mapped[int]


class FigureBlock(db.Model):  # type: ignore[name-defined]
    """The published figures of four weeks, from the Monday ``start``: ``figures.publish``. Small counts are missing."""

    __tablename__ = "callback_figures"

    start: Mapped[str] = mapped_column(String(10), primary_key=True)
    tables: Mapped[dict[str, Any]] = mapped_column(JSON)


class ClosedDay(db.Model):  # type: ignore[name-defined]
    """A day without calls, in addition to the holidays of the clinic file, as ``2026-12-24``."""

    __tablename__ = "callback_closed_day"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
