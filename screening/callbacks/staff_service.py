"""Staff operations on requests. ``transition`` checks workflow and version, and stores the audit event."""

import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, case, func, literal, select, tuple_, update
from sqlalchemy.orm.attributes import flag_modified

from screening import audit
from screening.callbacks import contact_index, public_key
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import (
    CLOSED,
    HANDOVER,
    NOTE,
    REACHED,
    WAITING,
    WITHDRAWN,
    CallbackContact,
    CallbackNote,
    CallbackRequest,
)
from screening.callbacks.patient_service import flush
from screening.callbacks.workflow import NotAllowedError, Progress, State
from screening.crypto import DecryptionError
from screening.crypto.keyring import Keyring
from screening.extensions import db

PAGE_SIZE = 25
COUNT_LIMIT = 100
"""Upper limit of counts ("99+"), so that a long list costs no more than a short one."""

VIEWING_SECONDS = 10 * 60
"""Seconds for which others see that a colleague opened a request."""

TABS = (WAITING, "overdue", REACHED, CLOSED, WITHDRAWN)
ENDED = (CLOSED, WITHDRAWN)

CALL_ACTIONS = ("request.attempted", "request.reached", "request.closed")
"""Audit actions of a call. After one, a handover note becomes a plain note."""


@dataclass(frozen=True)
class Filter:
    """The queue's filter: a tab, a language, and the owner: ``me``, ``unclaimed`` or an account's id; empty is any."""

    tab: str = WAITING
    language: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Row:
    """A request in the queue. ``details`` is None if it was erased or cannot be decrypted here."""

    request: CallbackRequest
    details: ContactDetails | None


@dataclass(frozen=True)
class Queue:
    """One page of the queue. ``following`` is the position after which the next page begins, None on the last."""

    rows: tuple[Row, ...]
    following: str | None


def queue(keyring: Keyring, wanted: Filter, me: str, now: int, after: str = "") -> Queue:
    """Return a page of requests: the most urgent first; of ended ones, the latest first. Raises SQLAlchemyError."""
    contact_index.index_contacts(keyring)
    order = _ended_order() if wanted.tab in ENDED else _urgent_order()
    chosen = select(CallbackRequest).where(*_conditions(wanted, me, now))
    position = _parse_position(after, len(order))
    if position:
        key = tuple_(*order)
        chosen = chosen.where(key < position if wanted.tab in ENDED else key > position)
    chosen = chosen.order_by(*(column.desc() if wanted.tab in ENDED else column for column in order))
    found = list(db.session.scalars(chosen.limit(PAGE_SIZE + 1)))
    rows = tuple(Row(request, decrypt(keyring, request)) for request in found[:PAGE_SIZE])
    return Queue(rows, _format_position(found[PAGE_SIZE - 1], order) if len(found) > PAGE_SIZE else None)


def counts(wanted: Filter, me: str, now: int) -> dict[str, int]:
    """Return the number of requests in each tab, with the filter's language and owner, at most ``COUNT_LIMIT``."""
    found = {}
    for tab in TABS:
        some = select(literal(1)).where(*_conditions(replace(wanted, tab=tab), me, now)).limit(COUNT_LIMIT)
        found[tab] = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
    return found


def get_request(id_: str) -> CallbackRequest | None:
    """Return the request with an id, if there is one."""
    found: CallbackRequest | None = db.session.get(CallbackRequest, id_)
    return found


def decrypt(keyring: Keyring, request: CallbackRequest) -> ContactDetails | None:
    """Return a request's contact details; None if it was erased or cannot be decrypted here."""
    try:
        content = public_key.decrypt(keyring, request.id, request.ciphertext, request.key_id)
        if request.summary is not None:
            associated_data = public_key.summary_associated_data(request.id)
            content |= public_key.decrypt(keyring, associated_data, request.summary, request.summary_key_id)
        return ContactDetails.read(content)
    except (DecryptionError, TypeError, KeyError):
        return None


def transition(
    request: CallbackRequest,
    seen: int,
    step: Callable[[Progress], Progress],
    action: str,
    by: str,
    now: float,
    attempt: str = "",
    **detail: str,
) -> None:
    """Make a workflow transition, if the request still has the version ``seen``. Commits.

    ``attempt``: the id of the one that is recorded or undone. A call makes handover notes plain; undo restores them.
    Raises NotAllowedError with ``changed`` after a concurrent change, or with the workflow's reason.
    """
    if request.version != seen:
        raise NotAllowedError("changed")
    progress = step(request.progress)
    request.progress = progress
    request.ended_at = int(now) if progress.state is State.CLOSED else None
    db.session.add(audit.event(action, now, by, request.id, **detail))
    flush()
    if action in CALL_ACTIONS:
        _settle_handovers(request, attempt)
    elif attempt:
        settled = update(CallbackNote).where(CallbackNote.settled_by == attempt)
        db.session.execute(settled.values(kind=HANDOVER, settled_by=None))
    db.session.commit()


def record_note(request: CallbackRequest, seen: int, text: str, by: str, now: float) -> None:
    """Store a note about a request. Commits. Raises NotAllowedError, NoKeyError, SQLAlchemyError."""
    if request.version != seen or request.ciphertext is None:
        raise NotAllowedError("changed" if request.ciphertext is not None else "withdrawn")
    flag_modified(request, "state")  # increments the version, so that a concurrent withdrawal is detected
    flush()
    add_note(request, text, by, now)
    db.session.add(audit.event("request.noted", now, by, request.id))
    db.session.commit()


def add_note(request: CallbackRequest, text: str, by: str, now: float, kind: str = NOTE) -> None:
    """Add an encrypted note about a request to the session; the caller commits. Raises NoKeyError."""
    id_ = secrets.token_hex(16)
    ciphertext, key_id = public_key.encrypt(public_key.note_associated_data(request.id, id_), {"text": text})
    note = CallbackNote(id=id_, request_id=request.id, at=int(now), by=by, kind=kind)
    note.ciphertext, note.key_id = ciphertext, key_id
    db.session.add(note)


def last_handover(ids: Iterable[str]) -> set[str]:
    """Return which of these requests have a handover note, that is one without a later call."""
    noted = select(CallbackNote.request_id).where(CallbackNote.request_id.in_(ids), CallbackNote.kind == HANDOVER)
    return set(db.session.scalars(noted))


def notes(keyring: Keyring, request: CallbackRequest) -> list[tuple[CallbackNote, str | None]]:
    """Return the notes of a request with their texts, the oldest first; None for a text that cannot be decrypted."""
    found = db.session.scalars(
        select(CallbackNote).where(CallbackNote.request_id == request.id).order_by(CallbackNote.at, CallbackNote.id)
    )
    return [(note, _note_text(keyring, note)) for note in found]


def history(request: CallbackRequest) -> list[audit.AuditEvent]:
    """Return a request's audit events, the oldest first, with only the first view by each account."""
    seen: set[str] = set()
    found = []
    for event in db.session.scalars(
        select(audit.AuditEvent).where(audit.AuditEvent.subject == request.id).order_by(audit.AuditEvent.id)
    ):
        if event.action == "request.viewed":
            if event.actor in seen:
                continue
            seen.add(event.actor)
        found.append(event)
    return found


def put_back_orphans(active: Collection[str], now: float, by: str = audit.COMMAND) -> int:
    """Put open requests back whose owner is none of these accounts; return how many. The caller commits."""
    table = CallbackRequest.__table__
    orphaned = (table.c.state_group.in_((WAITING, REACHED)), table.c.owner.is_not(None), table.c.owner.not_in(active))
    state = case((table.c.state == State.CLAIMED.value, State.NEW.value), else_=table.c.state)
    change = update(table).where(*orphaned).values(owner=None, state=state, version=table.c.version + 1)
    ids = list(db.session.scalars(change.returning(table.c.id)))
    db.session.add_all(audit.event("request.put_back", now, by, id_) for id_ in ids)
    return len(ids)


def last_viewer(request: CallbackRequest, me: str, now: float) -> audit.AuditEvent | None:
    """Return the last view of a request by someone else in the last ``VIEWING_SECONDS``."""
    viewed = select(audit.AuditEvent).where(
        audit.AuditEvent.subject == request.id,
        audit.AuditEvent.action == "request.viewed",
        audit.AuditEvent.actor != me,
        audit.AuditEvent.at > now - VIEWING_SECONDS,
    )
    found: audit.AuditEvent | None = db.session.scalars(viewed.order_by(audit.AuditEvent.id.desc()).limit(1)).first()
    return found


def find_by_contact(keyring: Keyring, *contacts: str) -> list[Row]:
    """Return the requests with one of these phone numbers (E.164) or e-mail addresses, the newest first."""
    contact_index.index_contacts(keyring)
    hashes = [contact_index.contact_hash(keyring, contact) for contact in contacts]
    ids = select(CallbackContact.request_id).where(CallbackContact.hash.in_(hashes))
    found = db.session.scalars(
        select(CallbackRequest)
        .where(CallbackRequest.id.in_(ids))
        .order_by(CallbackRequest.asked_at.desc())
        .limit(PAGE_SIZE)
    )
    return [Row(request, decrypt(keyring, request)) for request in found]


def _settle_handovers(request: CallbackRequest, attempt: str) -> None:
    """Turn a request's handover notes into plain notes."""
    handovers = (CallbackNote.request_id == request.id, CallbackNote.kind == HANDOVER)
    db.session.execute(update(CallbackNote).where(*handovers).values(kind=NOTE, settled_by=attempt or None))


def _note_text(keyring: Keyring, note: CallbackNote) -> str | None:
    try:
        associated_data = public_key.note_associated_data(note.request_id, note.id)
        text: str = public_key.decrypt(keyring, associated_data, note.ciphertext, note.key_id)["text"]
        return text
    except (DecryptionError, KeyError):
        return None


def _conditions(wanted: Filter, me: str, now: int) -> list[ColumnElement[bool]]:
    overdue = wanted.tab == "overdue"
    conditions = [CallbackRequest.state_group == (WAITING if overdue else wanted.tab)]
    if overdue:
        conditions.append(CallbackRequest.due_at < now)
    if wanted.language:
        conditions.append(CallbackRequest.language == wanted.language)
    if wanted.owner:
        unclaimed, owner = wanted.owner == "unclaimed", me if wanted.owner == "me" else wanted.owner
        conditions.append(CallbackRequest.owner.is_(None) if unclaimed else CallbackRequest.owner == owner)
    return conditions


def _urgent_order() -> tuple[Any, ...]:
    return CallbackRequest.rank, CallbackRequest.due_at, CallbackRequest.asked_at, CallbackRequest.id


def _ended_order() -> tuple[Any, ...]:
    return CallbackRequest.ended_at, CallbackRequest.id


def _format_position(request: CallbackRequest, order: tuple[Any, ...]) -> str:
    return ".".join(str(getattr(request, column.key)) for column in order)


def _parse_position(text: str, length: int) -> tuple[Any, ...] | None:
    """Return a page's start position from its URL parameter; None for the first page and for an invalid value."""
    *numbers, id_ = text.split(".")
    if len(numbers) != length - 1 or not all(n.isdecimal() and n.isascii() and len(n) < 12 for n in numbers):
        return None
    return (*map(int, numbers), id_)
