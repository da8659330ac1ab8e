"""What the team does with requests: see them by urgency, open one, and note how it went on.

Everything that changes a request goes through ``act``: the course allows it, the row is still as it
was seen, and the audit event is stored with it, or nothing is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, func, literal, select, tuple_, update
from sqlalchemy.orm.attributes import flag_modified

from screening import audit
from screening.callback import sealing
from screening.callback.details import Details
from screening.callback.models import (
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
from screening.callback.requests import flush
from screening.callback.states import NotAllowedError, Progress, State
from screening.extensions import db
from screening.keyring import CALLBACK, SEARCH, Keyring, UnsealableError

A_PAGE = 25
MOST_COUNTED = 100
"""Counts stop here ("99+"), so that a long list costs no more than a short one."""

INDEXED_AT_ONCE = 200
"""Requests whose contacts are hashed before a page of the queue is shown, at most."""

TABS = (WAITING, "overdue", REACHED, CLOSED, WITHDRAWN)
ENDED = (CLOSED, WITHDRAWN)

AFTER_A_CALL = ("request.attempted", "request.reached", "request.closed")
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
    details: Details | None


@dataclass(frozen=True)
class Queue:
    """One page of the queue; ``following`` names where the next one begins, None at the end."""

    rows: tuple[Row, ...]
    following: str | None


def queue(keyring: Keyring, wanted: Filter, me: str, now: int, after: str = "") -> Queue:
    """A page of requests: the most urgent first, or the last that ended. Raises SQLAlchemyError."""
    index_new(keyring)
    order = _ended_order() if wanted.tab in ENDED else _urgent_order()
    chosen = select(CallbackRequest).where(*_conditions(wanted, me, now))
    place = _place(after, len(order))
    if place:
        key = tuple_(*order)
        chosen = chosen.where(key < place if wanted.tab in ENDED else key > place)
    chosen = chosen.order_by(*(column.desc() if wanted.tab in ENDED else column for column in order))
    found = list(db.session.scalars(chosen.limit(A_PAGE + 1)))
    rows = tuple(Row(request, opened(keyring, request)) for request in found[:A_PAGE])
    return Queue(rows, _named(found[A_PAGE - 1], order) if len(found) > A_PAGE else None)


def counts(me: str, now: int) -> dict[str, int]:
    """How many requests each tab holds, at most ``MOST_COUNTED``."""
    found = {}
    for tab in TABS:
        some = select(literal(1)).where(*_conditions(Filter(tab), me, now)).limit(MOST_COUNTED)
        found[tab] = db.session.scalar(select(func.count()).select_from(some.subquery())) or 0
    return found


def one(id_: str) -> CallbackRequest | None:
    """A request by the id its address has."""
    found: CallbackRequest | None = db.session.get(CallbackRequest, id_)
    return found


def opened(keyring: Keyring, request: CallbackRequest) -> Details | None:
    """What a request says; None where it was erased, or is sealed with a key that is not here, or for another."""
    try:
        content = sealing.unseal(keyring, request.id, request.sealed, request.sealed_with)
        if request.summary is not None:
            place = sealing.summary_place(request.id)
            content |= sealing.unseal(keyring, place, request.summary, request.summary_with)
        return Details.read(content)
    except (UnsealableError, TypeError, KeyError):
        return None


def act(
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
    if action in AFTER_A_CALL:
        _settle(request)
    db.session.commit()


def note(request: CallbackRequest, seen: int, text: str, by: str, now: float) -> None:
    """Lay a note by a request. Commits. Raises NotAllowedError, NoKeyError, SQLAlchemyError."""
    if request.version != seen or request.sealed is None:
        raise NotAllowedError("changed" if request.sealed is not None else "withdrawn")
    flag_modified(request, "state")  # a new version: so a withdrawal at the same moment is met
    flush()
    add_note(request, text, by, now)
    db.session.add(audit.event("request.noted", now, by, request.id))
    db.session.commit()


def add_note(request: CallbackRequest, text: str, by: str, now: float, kind: str = NOTE) -> None:
    """Lay a note by a request that is being changed, sealed like it; stored with it. Raises NoKeyError."""
    id_ = secrets.token_hex(16)
    sealed, key_id = sealing.seal(sealing.note_place(request.id, id_), {"text": text})
    note = CallbackNote(id=id_, request_id=request.id, at=int(now), by=by, kind=kind)
    note.sealed, note.sealed_with = sealed, key_id
    db.session.add(note)


def handed_over(ids: Iterable[str]) -> set[str]:
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


def duplicates(request: CallbackRequest) -> list[CallbackRequest]:
    """Other requests with the same number or e-mail, the newest first."""
    own = select(CallbackContact.hash).where(CallbackContact.request_id == request.id)
    ids = select(CallbackContact.request_id).where(
        CallbackContact.hash.in_(own), CallbackContact.request_id != request.id
    )
    return list(
        db.session.scalars(
            select(CallbackRequest)
            .where(CallbackRequest.id.in_(ids))
            .order_by(CallbackRequest.asked_at.desc())
            .limit(A_PAGE)
        )
    )


def with_contact(keyring: Keyring, contact: str) -> list[Row]:
    """The requests with this phone number (E.164) or e-mail address, the newest first."""
    index_new(keyring)
    ids = select(CallbackContact.request_id).where(CallbackContact.hash == _hash(keyring, contact))
    found = db.session.scalars(
        select(CallbackRequest)
        .where(CallbackRequest.id.in_(ids))
        .order_by(CallbackRequest.asked_at.desc())
        .limit(A_PAGE)
    )
    return [Row(request, opened(keyring, request)) for request in found]


def index_new(keyring: Keyring, most: int = INDEXED_AT_ONCE) -> int:
    """Hash the contacts of requests that came since, ``most`` at a time; how many there were. Commits.

    The node that took them had no key for it.
    """
    for purpose in (CALLBACK, SEARCH):
        keyring.refresh(purpose)
    key_id, here = keyring.active_id(SEARCH), tuple(keyring.derive_all(CALLBACK, ""))
    unknown = CallbackRequest.indexed_with.is_(None)
    waiting = select(CallbackRequest.id, CallbackRequest.sealed, CallbackRequest.sealed_with, CallbackRequest.version)
    found = db.session.execute(waiting.where(CallbackRequest.sealed_with.in_(here), unknown).limit(most)).all()
    for id_, sealed, sealed_with, version in found:
        try:
            contacts = Details.read(sealing.unseal(keyring, id_, sealed, sealed_with)).contacts
        except (UnsealableError, TypeError, KeyError):
            contacts = ()  # damaged: there is nothing to find it by
        same = (CallbackRequest.id == id_, CallbackRequest.version == version)
        _store_hashes(id_, same, key_id, [_hash(keyring, contact, key_id) for contact in contacts])
    return len(found)


def forget_hashes(key_id: str) -> None:
    """Let every request be hashed anew that was not hashed with this search key. Commits."""
    table = CallbackRequest.__table__
    db.session.execute(table.update().where(table.c.indexed_with != key_id).values(indexed_with=None))
    db.session.commit()


def _settle(request: CallbackRequest) -> None:
    """Let the handover notes of a request that was called be plain notes from now on."""
    ours = (CallbackNote.request_id == request.id, CallbackNote.kind == HANDOVER)
    db.session.execute(update(CallbackNote).where(*ours).values(kind=NOTE))


def _store_hashes(id_: str, same: tuple[ColumnElement[bool], ...], key_id: str, hashes: list[str]) -> None:
    """Replace a request's hashes, unless it was changed or withdrawn since it was read."""
    table = CallbackRequest.__table__
    marked: Any = db.session.execute(table.update().where(*same).values(indexed_with=key_id))
    if marked.rowcount:
        db.session.execute(delete(CallbackContact).where(CallbackContact.request_id == id_))
        db.session.add_all(CallbackContact(request_id=id_, hash=hashed) for hashed in hashes)
    db.session.commit()


def _hash(keyring: Keyring, contact: str, key_id: str | None = None) -> str:
    key = keyring.derive(SEARCH, "contacts", key_id)
    return hmac.new(key, contact.partition(";")[0].lower().encode(), hashlib.sha256).hexdigest()


def _note_text(keyring: Keyring, note: CallbackNote) -> str | None:
    try:
        place = sealing.note_place(note.request_id, note.id)
        text: str = sealing.unseal(keyring, place, note.sealed, note.sealed_with)["text"]
        return text
    except (UnsealableError, KeyError):
        return None


def _conditions(wanted: Filter, me: str, now: int) -> list[ColumnElement[bool]]:
    late = wanted.tab == "overdue"
    conditions = [CallbackRequest.shelf == (WAITING if late else wanted.tab)]
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
