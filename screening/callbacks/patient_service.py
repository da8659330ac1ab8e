"""What a patient does with a request: submit, look up, change, withdraw.

The id and the reference are derived from the form's secret, so retrying is idempotent.
"""

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
from screening.callbacks import notifications, public_key, reference_code, workflow
from screening.callbacks.business_hours import Calendar, due_at, first_preferred_time
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import CallbackContact, CallbackNote, CallbackRequest
from screening.callbacks.workflow import Progress
from screening.extensions import db

MAX_RETRIES = 20


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
    secret: str,
    details: ContactDetails,
    calendar: Calendar,
    now: float,
    urgent: bool,
    by: str | None = None,
    *,
    mails: bool,
) -> Receipt:
    """Store a request, once however often it is sent; sent again with other contents, it is changed.

    ``urgent``: the shared summary calls for a call first of all. ``by``: the account that entered it for a
    patient on the phone. ``mails``: whether mails about it are queued, which a site without a mail server
    does not do. Raises NoKeyError, SQLAlchemyError, NeverOpenError, and NotAllowedError when the request has
    gone on meanwhile.
    """
    id_, made = hashlib.sha256(b"request\0" + secret.encode()).hexdigest()[:32], reference_code.derive(secret)
    request = db.session.get(CallbackRequest, id_)
    if request is not None:
        return change(made, details, calendar, now, urgent, secret, by, mails=mails)
    due = due_at(calendar, _moment(now), details.wish)
    request = CallbackRequest(id=id_, reference=reference_code.fingerprint(made), asked_at=int(now), due_at=_whole(due))
    request.digest, request.entered_by, request.progress = _digest(secret, details), by, Progress()
    request.rank = 1
    _fill(request, details, urgent)
    db.session.add(request)
    db.session.add(audit.event("request.entered" if by else "request.received", now, by or audit.VISITOR, id_))
    if mails:
        notifications.queue_received(id_, details, now)
    try:
        db.session.commit()
    except IntegrityError:  # the same form, sent at the same time
        db.session.rollback()
        return find_by_id(made)
    return _receipt(made, request)


def find_by_id(made: str) -> Receipt:
    """How a request stands. Raises GoneError, SQLAlchemyError."""
    return _receipt(made, find_by_reference(made))


def change(
    made: str,
    details: ContactDetails,
    calendar: Calendar,
    now: float,
    urgent: bool,
    secret: str,
    by: str | None = None,
    *,
    mails: bool,
) -> Receipt:
    """Replace what was asked; sent again unchanged (with the form's same ``secret``), it is no change.

    The promise stays, or moves as ``due_at_after_change`` says. A summary that was shared stays, and so
    does "call first", unless a new one is shared. ``mails`` as in ``submit``. Raises GoneError,
    NotAllowedError when the patient was reached meanwhile or a colleague was quicker, NoKeyError,
    SQLAlchemyError.
    """
    request = find_by_reference(made)
    if request.digest == _digest(secret, details):
        return _receipt(made, request)
    workflow.change(request.progress)
    promised, request.due_at = request.due_at, due_at_after_change(request.due_at, details, calendar, now)
    request.changed_at, request.digest, request.index_key_id = int(now), _digest(secret, details), None
    with db.session.no_autoflush:  # looking up the key must not write half of the change
        _fill(request, details, urgent)
    flush()
    db.session.execute(delete(CallbackContact).where(CallbackContact.request_id == request.id))
    db.session.add(audit.event("request.changed", now, by or audit.VISITOR, request.id))
    if mails:
        notifications.queue_changed(request.id, details, request.due_at != promised, now)
    db.session.commit()
    return _receipt(made, request)


def due_at_after_change(due_at: int, details: ContactDetails, calendar: Calendar, now: float) -> int:
    """By when a changed request is answered: as promised, or by the first time now chosen when that is later."""
    if not details.wish:
        return due_at
    return max(due_at, _whole(first_preferred_time(calendar, _moment(now), details.wish)))


def withdraw(made: str, now: float) -> None:
    """Take a request back: all that was sealed, and the reference, are erased at once.

    Raises GoneError, SQLAlchemyError, and NotAllowedError when the team saves it over and over.
    """
    for _ in range(MAX_RETRIES):
        with suppress(workflow.NotAllowedError):  # somebody of the team saved the same request at this very moment
            erase(find_by_reference(made), now, audit.VISITOR)
            return
    raise workflow.NotAllowedError("changed")


def erase(request: CallbackRequest, now: float, actor: str) -> None:
    """Withdraw a request for good, in one commit. Raises NotAllowedError, SQLAlchemyError."""
    request.progress = workflow.withdraw(request.progress)
    request.reference = request.digest = None
    request.ciphertext = request.key_id = request.summary = request.summary_key_id = None
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
        raise workflow.NotAllowedError("changed") from None


def _digest(secret: str, details: ContactDetails) -> str:
    return hmac.new(secret.encode(), repr(details).encode(), hashlib.sha256).hexdigest()


def _fill(request: CallbackRequest, details: ContactDetails, urgent: bool) -> None:
    request.ciphertext, request.key_id = public_key.encrypt(request.id, details.stored())
    request.language = details.language
    if details.answers is not None:
        place = public_key.summary_associated_data(request.id)
        request.summary, request.summary_key_id = public_key.encrypt(place, details.shared())
        request.rank = 0 if urgent else 1


def find_by_reference(made: str) -> CallbackRequest:
    """The request of a reference. Raises GoneError, SQLAlchemyError."""
    where = CallbackRequest.reference == reference_code.fingerprint(made)
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
