"""What staff do with requests. ``transition`` checks workflow and version, and stores the audit event with it."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select, tuple_, update
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
"""Counts stop here ("99+"), so that a long list costs no more than a short one."""

TABS = (WAITING, "overdue", REACHED, CLOSED, WITHDRAWN)
ENDED = (CLOSED, WITHDRAWN)

ATTEMPTED_TABS = ("request.attempted", "request.reached", "request.closed")
"""Events after which a handover note was read and acted on."""


@dataclass(frozen=True)
class Filter:
    """Which requests: a tab, a language (empty is any), and whose: ``me``, ``nobody``, or empty for anybody's."""

    tab: str = WAITING
    language: str = ""
    whose: str = ""


@dataclass(frozen=True)
class Row:
    """A request in the queue. ``details`` is None where it was erased or cannot be opened here."""

    request: CallbackRequest
    details: ContactDetails | None


@dataclass(frozen=True)
class Queue:
    """One page of the queue; ``following`` names where the next one begins, None at the end."""

    rows: tuple[Row, ...]
    following: str | None


def queue(keyring: Keyring, wanted: Filter, me: str, now: int, after: str = "") -> Queue:
    """A page of requests: the most urgent first, or the last that ended. Raises SQLAlchemyError."""
    contact_index.index_contacts(keyring)
    order = _ended_order() if wanted.tab in ENDED else _urgent_order()
    chosen = select(CallbackRequest).where(*_conditions(wanted, me, now))
    place = _place(after, len(order))
    if place:
        key = tuple_(*order)
        chosen = chosen.where(key < place if wanted.tab in ENDED else key > place)
    chosen = chosen.order_by(*(column.desc() if wanted.tab in ENDED else column for column in order))
    found = list(db.session.scalars(chosen.limit(PAGE_SIZE + 1)))
    rows = tuple(Row(request, decrypt(keyring, request)) for request in found[:PAGE_SIZE])
    return Queue(rows, _named(found[PAGE_SIZE - 1], order) if len(found) > PAGE_SIZE else None)


def counts(me: str, now: int) -> dict[str, int]:
    """How many requests each tab holds, at most ``COUNT_LIMIT``."""
    found = {}
    for tab in TABS:
        some = select(literal(1)).where(*_conditions(Filter(tab), me, now)).limit(COUNT_LIMIT)
        found[tab] = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
    return found


def get_request(id_: str) -> CallbackRequest | None:
    """A request by the id its address has."""
    found: CallbackRequest | None = db.session.get(CallbackRequest, id_)
    return found


def decrypt(keyring: Keyring, request: CallbackRequest) -> ContactDetails | None:
    """What a request says; None where it was erased, or is sealed with a key that is not here, or for another."""
    try:
        content = public_key.decrypt(keyring, request.id, request.ciphertext, request.key_id)
        if request.summary is not None:
            place = public_key.summary_associated_data(request.id)
            content |= public_key.decrypt(keyring, place, request.summary, request.summary_key_id)
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
    **detail: str,
) -> None:
    """Take a request one step on, if it is still as it was ``seen`` (its version then). Commits.

    Raises NotAllowedError with ``changed`` when somebody was quicker, or with the reason the course gives.
    """
    if request.version != seen:
        raise NotAllowedError("changed")
    progress = step(request.progress)
    request.progress = progress
    request.ended_at = int(now) if progress.state is State.CLOSED else None
    db.session.add(audit.event(action, now, by, request.id, **detail))
    flush()
    if action in ATTEMPTED_TABS:
        _settle(request)
    db.session.commit()


def record_note(request: CallbackRequest, seen: int, text: str, by: str, now: float) -> None:
    """Lay a note by a request. Commits. Raises NotAllowedError, NoKeyError, SQLAlchemyError."""
    if request.version != seen or request.ciphertext is None:
        raise NotAllowedError("changed" if request.ciphertext is not None else "withdrawn")
    flag_modified(request, "state")  # a new version: so a withdrawal at the same moment is met
    flush()
    add_note(request, text, by, now)
    db.session.add(audit.event("request.noted", now, by, request.id))
    db.session.commit()


def add_note(request: CallbackRequest, text: str, by: str, now: float, kind: str = NOTE) -> None:
    """Lay a note by a request that is being changed, sealed like it; stored with it. Raises NoKeyError."""
    id_ = secrets.token_hex(16)
    sealed, key_id = public_key.encrypt(public_key.note_associated_data(request.id, id_), {"text": text})
    note = CallbackNote(id=id_, request_id=request.id, at=int(now), by=by, kind=kind)
    note.ciphertext, note.key_id = sealed, key_id
    db.session.add(note)


def last_handover(ids: Iterable[str]) -> set[str]:
    """Which of these requests have a handover note that no call came after."""
    marked = select(CallbackNote.request_id).where(CallbackNote.request_id.in_(ids), CallbackNote.kind == HANDOVER)
    return set(db.session.scalars(marked))


def notes(keyring: Keyring, request: CallbackRequest) -> list[tuple[CallbackNote, str | None]]:
    """The notes of a request, oldest first, each with its text; None for what cannot be opened."""
    found = db.session.scalars(
        select(CallbackNote).where(CallbackNote.request_id == request.id).order_by(CallbackNote.at, CallbackNote.id)
    )
    return [(note, _note_text(keyring, note)) for note in found]


def history(request: CallbackRequest) -> list[audit.AuditEvent]:
    """What happened to a request, oldest first; of the views of it only the first by each."""
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


def find_by_contact(keyring: Keyring, contact: str) -> list[Row]:
    """The requests with this phone number (E.164) or e-mail address, the newest first."""
    contact_index.index_contacts(keyring)
    ids = select(CallbackContact.request_id).where(CallbackContact.hash == contact_index.contact_hash(keyring, contact))
    found = db.session.scalars(
        select(CallbackRequest)
        .where(CallbackRequest.id.in_(ids))
        .order_by(CallbackRequest.asked_at.desc())
        .limit(PAGE_SIZE)
    )
    return [Row(request, decrypt(keyring, request)) for request in found]


def _settle(request: CallbackRequest) -> None:
    """Let the handover notes of a request that was called be plain notes from now on."""
    ours = (CallbackNote.request_id == request.id, CallbackNote.kind == HANDOVER)
    db.session.execute(update(CallbackNote).where(*ours).values(kind=NOTE))


def _note_text(keyring: Keyring, note: CallbackNote) -> str | None:
    try:
        place = public_key.note_associated_data(note.request_id, note.id)
        text: str = public_key.decrypt(keyring, place, note.ciphertext, note.key_id)["text"]
        return text
    except (DecryptionError, KeyError):
        return None


def _conditions(wanted: Filter, me: str, now: int) -> list[ColumnElement[bool]]:
    late = wanted.tab == "overdue"
    conditions = [CallbackRequest.state_group == (WAITING if late else wanted.tab)]
    if late:
        conditions.append(CallbackRequest.due_at < now)
    if wanted.language:
        conditions.append(CallbackRequest.language == wanted.language)
    if wanted.whose:
        conditions.append(CallbackRequest.owner == me if wanted.whose == "me" else CallbackRequest.owner.is_(None))
    return conditions


def _urgent_order() -> tuple[Any, ...]:
    return CallbackRequest.rank, CallbackRequest.due_at, CallbackRequest.id


def _ended_order() -> tuple[Any, ...]:
    return CallbackRequest.ended_at, CallbackRequest.id


def _named(request: CallbackRequest, order: tuple[Any, ...]) -> str:
    return ".".join(str(getattr(request, column.key)) for column in order)


def _place(text: str, length: int) -> tuple[Any, ...] | None:
    """Where a page begins, from its name in the address; None for the first, and for a name that is none."""
    *numbers, id_ = text.split(".")
    if len(numbers) != length - 1 or not all(n.isdecimal() and n.isascii() and len(n) < 10 for n in numbers[:-1]):
        return None
    if not all(n.isdecimal() and n.isascii() and len(n) < 12 for n in numbers[-1:]):
        return None
    return (*map(int, numbers), id_)
