"""What a patient does with a request: send it, look how it stands, change it, take it back.

A sent form carries a secret made with it. The request's id and its reference both follow from that
secret, so a form that is sent twice, or by a browser that never saw the answer, is one request.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from screening import audit
from screening.callback import reference, sealing, states
from screening.callback.details import Details
from screening.callback.models import CallbackContact, CallbackNote, CallbackRequest
from screening.callback.promise import Calendar, first_chosen_time, promise
from screening.callback.states import Progress
from screening.extensions import db


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
    digest = hmac.new(secret.encode(), repr(details).encode(), hashlib.sha256).hexdigest()
    request = db.session.get(CallbackRequest, id_)
    if request is not None and request.digest == digest and request.reference:
        return _receipt(made, request)
    if request is not None:
        return change(made, details, calendar, now, urgent, digest)
    due = promise(calendar, _moment(now), details.wish)
    request = CallbackRequest(id=id_, reference=reference.fingerprint(made), asked_at=int(now), due_at=_whole(due))
    request.digest, request.entered_by, request.progress = digest, by, Progress()
    _fill(request, details, urgent)
    db.session.add(request)
    actor = audit.VISITOR if by is None else by
    db.session.add(audit.event("request.received" if by is None else "request.entered", now, actor, id_))
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
    made: str, details: Details, calendar: Calendar, now: float, urgent: bool, digest: str | None = None
) -> Receipt:
    """Replace what was asked. The promise stays, or moves to the first time that is now chosen when that is later.

    Raises GoneError, NotAllowedError when the patient was reached meanwhile, NoKeyError, SQLAlchemyError.
    """
    request = find(made)
    states.change(request.progress)
    if details.wish:
        request.due_at = max(request.due_at, _whole(first_chosen_time(calendar, _moment(now), details.wish)))
    request.changed_at, request.digest, request.indexed_with = int(now), digest, None
    _fill(request, details, urgent)
    db.session.execute(delete(CallbackContact).where(CallbackContact.request_id == request.id))
    db.session.add(audit.event("request.changed", now, audit.VISITOR, request.id))
    _commit()
    return _receipt(made, request)


def withdraw(made: str, now: float) -> None:
    """Take a request back: all that was sealed, and the reference, are erased at once.

    Raises GoneError, SQLAlchemyError.
    """
    while True:
        try:
            return erase(find(made), now, audit.VISITOR)
        except states.NotAllowedError:  # somebody of the team saved the same request at this very moment
            db.session.expire_all()


def erase(request: CallbackRequest, now: float, actor: str) -> None:
    """Withdraw a request for good, in one commit. Raises NotAllowedError, SQLAlchemyError."""
    request.progress = states.withdraw(request.progress)
    request.reference = request.digest = request.sealed = request.sealed_with = None
    request.rank, request.ended_at = 1, int(now)
    for table in (CallbackContact, CallbackNote):
        db.session.execute(delete(table).where(table.request_id == request.id))
    db.session.add(audit.event("request.withdrawn", now, actor, request.id))
    _commit()


def _fill(request: CallbackRequest, details: Details, urgent: bool) -> None:
    request.sealed, request.sealed_with = sealing.seal(request.id, details.stored())
    request.language, request.rank = details.language, 0 if urgent else 1


def find(made: str) -> CallbackRequest:
    """The request of a reference. Raises GoneError, SQLAlchemyError."""
    where = CallbackRequest.reference == reference.fingerprint(made)
    found: CallbackRequest | None = db.session.scalars(select(CallbackRequest).where(where)).first()
    if found is None:
        raise GoneError("no such request")
    return found


def _commit() -> None:
    """Commit. Raises NotAllowedError when somebody changed the same request a moment earlier."""
    try:
        db.session.commit()
    except StaleDataError:
        db.session.rollback()
        raise states.NotAllowedError("changed") from None


def _receipt(made: str, request: CallbackRequest) -> Receipt:
    return Receipt(made, request.due_at, request.progress)


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def _whole(moment: datetime) -> int:
    return int(moment.timestamp())
