"""What a patient does with a request: send it, look how it stands, change it, take it back.

A sent form carries a secret made with it. The request's id and its reference both follow from that
secret, so a form that is sent twice, or by a browser that never saw the answer, is one request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from screening import audit
from screening.callback import letters, reference, sealing, states
from screening.callback.details import Details
from screening.callback.models import CallbackContact, CallbackNote, CallbackRequest
from screening.callback.promise import Calendar, first_chosen_time, promise
from screening.callback.states import Progress
from screening.extensions import db

MOST_ATTEMPTS = 20


class GoneError(LookupError):
    """There is no such request, or it was withdrawn and erased."""


@dataclass(frozen=True)
class Receipt:
    """What a patient may know of their request. ``due_at`` is in seconds since 1970, UTC."""

    reference: str
    due_at: int
    progress: Progress


def fresh_secret() -> str:
    """The secret of a new form: 128 random bits."""
    return secrets.token_hex(16)


def submit(
    secret: str, details: Details, calendar: Calendar, now: float, urgent: bool, by: str | None = None
) -> Receipt:
    """Store a request, once however often it is sent; sent again with other contents, it is changed.

    ``urgent``: the shared summary calls for a call first of all. ``by``: the account that entered it for a
    patient on the phone. Raises NoKeyError, SQLAlchemyError, NeverOpenError, and NotAllowedError when
    the request has gone on meanwhile.
    """
    id_, made = hashlib.sha256(b"request\0" + secret.encode()).hexdigest()[:32], reference.made_from(secret)
    request = db.session.get(CallbackRequest, id_)
    if request is not None:
        return change(made, details, calendar, now, urgent, secret, by)
    due = promise(calendar, _moment(now), details.wish)
    request = CallbackRequest(id=id_, reference=reference.fingerprint(made), asked_at=int(now), due_at=_whole(due))
    request.digest, request.entered_by, request.progress = _digest(secret, details), by, Progress()
    request.rank = 1
    _fill(request, details, urgent)
    db.session.add(request)
    db.session.add(audit.event("request.entered" if by else "request.received", now, by or audit.VISITOR, id_))
    letters.post_received(id_, details, now)
    try:
        db.session.commit()
    except IntegrityError:  # the same form, sent at the same time
        db.session.rollback()
        return look(made)
    return _receipt(made, request)


def look(made: str) -> Receipt:
    """How a request stands. Raises GoneError, SQLAlchemyError."""
    return _receipt(made, find(made))


def change(
    made: str, details: Details, calendar: Calendar, now: float, urgent: bool, secret: str, by: str | None = None
) -> Receipt:
    """Replace what was asked; sent again unchanged (with the form's same ``secret``), it is no change.

    The promise stays, or moves as ``due_after_change`` says. A summary that was shared stays, and so
    does "call first", unless a new one is shared. Raises GoneError, NotAllowedError when the patient was
    reached meanwhile or a colleague was quicker, NoKeyError, SQLAlchemyError.
    """
    request = find(made)
    if request.digest == _digest(secret, details):
        return _receipt(made, request)
    states.change(request.progress)
    promised, request.due_at = request.due_at, due_after_change(request.due_at, details, calendar, now)
    request.changed_at, request.digest, request.indexed_with = int(now), _digest(secret, details), None
    with db.session.no_autoflush:  # looking up the key must not write half of the change
        _fill(request, details, urgent)
    flush()
    db.session.execute(delete(CallbackContact).where(CallbackContact.request_id == request.id))
    db.session.add(audit.event("request.changed", now, by or audit.VISITOR, request.id))
    letters.post_changed(request.id, details, request.due_at != promised, now)
    db.session.commit()
    return _receipt(made, request)


def due_after_change(due_at: int, details: Details, calendar: Calendar, now: float) -> int:
    """By when a changed request is answered: as promised, or by the first time now chosen when that is later."""
    if not details.wish:
        return due_at
    return max(due_at, _whole(first_chosen_time(calendar, _moment(now), details.wish)))


def withdraw(made: str, now: float) -> None:
    """Take a request back: all that was sealed, and the reference, are erased at once.

    Raises GoneError, SQLAlchemyError, and NotAllowedError when the team saves it over and over.
    """
    for _ in range(MOST_ATTEMPTS):
        with suppress(states.NotAllowedError):  # somebody of the team saved the same request at this very moment
            erase(find(made), now, audit.VISITOR)
            return
    raise states.NotAllowedError("changed")


def erase(request: CallbackRequest, now: float, actor: str) -> None:
    """Withdraw a request for good, in one commit. Raises NotAllowedError, SQLAlchemyError."""
    request.progress = states.withdraw(request.progress)
    request.reference = request.digest = None
    request.sealed = request.sealed_with = request.summary = request.summary_with = None
    request.rank, request.ended_at = 1, int(now)
    flush()
    for table in (CallbackContact, CallbackNote):
        db.session.execute(delete(table).where(table.request_id == request.id))
    action = "request.withdrawn" if actor == audit.VISITOR else "request.erased"
    db.session.add(audit.event(action, now, actor, request.id))
    db.session.commit()


def flush() -> None:
    """Write what was changed, and so hold it. Raises NotAllowedError when somebody else was quicker.

    To be called before rows that hang on the request are touched: who holds the request keeps others
    from adding more of them.
    """
    try:
        db.session.flush()
    except StaleDataError:
        db.session.rollback()
        raise states.NotAllowedError("changed") from None


def _digest(secret: str, details: Details) -> str:
    return hmac.new(secret.encode(), repr(details).encode(), hashlib.sha256).hexdigest()


def _fill(request: CallbackRequest, details: Details, urgent: bool) -> None:
    request.sealed, request.sealed_with = sealing.seal(request.id, details.stored())
    request.language = details.language
    if details.answers is not None:
        place = sealing.summary_place(request.id)
        request.summary, request.summary_with = sealing.seal(place, details.shared())
        request.rank = 0 if urgent else 1


def find(made: str) -> CallbackRequest:
    """The request of a reference. Raises GoneError, SQLAlchemyError."""
    where = CallbackRequest.reference == reference.fingerprint(made)
    found: CallbackRequest | None = db.session.scalars(select(CallbackRequest).where(where)).first()
    if found is None:
        raise GoneError("no such request")
    return found


def _receipt(made: str, request: CallbackRequest) -> Receipt:
    return Receipt(made, request.due_at, request.progress)


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def _whole(moment: datetime) -> int:
    return int(moment.timestamp())
