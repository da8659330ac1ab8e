"""A patient's operations on a request: submit, look up, change, withdraw.

The id and the reference are derived from the form's secret, so retrying is idempotent.
"""

import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from screening import audit
from screening.callbacks import notifications, public_key, reference_code, workflow
from screening.callbacks.business_hours import Calendar, due_at, first_preferred_time, next_call_time
from screening.callbacks.call_words import call_words, seal, unseal
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import CallbackAttempt, CallbackContact, CallbackNote, CallbackRequest
from screening.callbacks.notifications import MayMail
from screening.callbacks.workflow import Outcome, Progress
from screening.extensions import db

MAX_RETRIES = 20


class GoneError(LookupError):
    """There is no such request, or it was withdrawn and erased."""


class KnownError(Exception):
    """The request was sent before, from a browser that the sender cannot be known to be."""


@dataclass(frozen=True)
class Receipt:
    """The parts of a request that its patient may see. ``due_at`` is in seconds since 1970, UTC.

    ``words``: the two words that the clinic says first on the phone, in ``language``.
    """

    reference: str
    words: str
    language: str
    due_at: int
    progress: Progress


def fresh_secret() -> str:
    """Return a secret for a new form: 128 random bits."""
    return secrets.token_hex(16)


def request_id(secret: str) -> str:
    """Return the id of the request that a form with this secret becomes."""
    return hashlib.sha256(b"request\0" + secret.encode()).hexdigest()[:32]


def submit(
    secret: str,
    details: ContactDetails,
    calendar: Calendar,
    now: float,
    urgent: bool,
    by: str | None = None,
    *,
    held: bool = True,
    mails: bool,
    may_mail: MayMail = bool,
) -> Receipt:
    """Store a request. Retrying is idempotent; the same form with other contents changes the request.

    ``urgent``: the shared summary calls for urgent help, so the request is called first. ``by``: the account that
    entered it for a caller. ``held``: the sender holds the draft that the form was opened with. Else what was sent with
    the form before stays as it is, and hidden: the same again raises KnownError, other contents are another request.
    ``mails``: queue mails about it; False on a site without a mail server. ``may_mail``: whether one may go to this
    address; every one by default. Raises NoKeyError, SQLAlchemyError, NeverOpenError, and NotAllowedError if the
    patient was reached meanwhile.
    """
    id_, reference = request_id(secret), reference_code.derive(secret)
    request = db.session.get(CallbackRequest, id_)
    if request is not None and request.digest is not None and not held:
        digest = _digest(secret, details)
        if request.digest == digest:
            raise KnownError("this request was sent before")
        other = hashlib.sha256(digest.encode()).hexdigest()[:32]
        return submit(other, details, calendar, now, urgent, by, held=held, mails=mails, may_mail=may_mail)
    if request is not None:
        return change(reference, details, calendar, now, urgent, secret, by, mails=mails, may_mail=may_mail)
    due = due_at(calendar, _moment(now), details.preferred_times)
    request = CallbackRequest(
        id=id_, reference=reference_code.fingerprint(reference), asked_at=int(now), due_at=_whole(due)
    )
    request.digest, request.entered_by, request.progress = _digest(secret, details), by, Progress()
    request.rank = 1
    _fill(request, reference, details, urgent)
    request.next_at = next_at_after_change(request, details, calendar, now)
    db.session.add(request)
    db.session.add(audit.event("request.entered" if by else "request.received", now, by or audit.VISITOR, id_))
    if mails:
        notifications.queue_received(id_, details, now, may_mail)
    try:
        db.session.commit()
    except IntegrityError:  # the same form, sent at the same time
        db.session.rollback()
        if not held:
            raise KnownError("this request was sent before") from None
        return get_receipt(reference)
    return _receipt(reference, request)


def get_receipt(reference: str) -> Receipt:
    """Return the receipt of a reference's request. Raises GoneError, SQLAlchemyError."""
    return _receipt(reference, find_by_reference(reference))


def change(
    reference: str,
    details: ContactDetails,
    calendar: Calendar,
    now: float,
    urgent: bool,
    secret: str,
    by: str | None = None,
    *,
    mails: bool,
    may_mail: MayMail = bool,
) -> Receipt:
    """Replace a request's contact details. Idempotent for the same details with the form's same ``secret``.

    The due time is that of ``due_at_after_change``. A summary shared before stays, and with it the urgency, unless a
    new one is shared; of a patient under 18, the urgency alone stays. ``mails``, ``may_mail``: as in ``submit``.
    Raises GoneError, NoKeyError, SQLAlchemyError, and NotAllowedError if the patient was reached meanwhile, or the
    request was changed concurrently.
    """
    request = find_by_reference(reference)
    if request.digest == _digest(secret, details):
        return _receipt(reference, request)
    workflow.change(request.progress)
    due_before, request.due_at = request.due_at, due_at_after_change(request.due_at, details, calendar, now)
    request.changed_at, request.digest, request.index_key_id = int(now), _digest(secret, details), None
    with db.session.no_autoflush:  # the query for the public key must not flush an incomplete change
        _fill(request, reference, details, urgent)
        request.next_at = next_at_after_change(request, details, calendar, now)
        request.reminded = 0 if request.due_at != due_before else request.reminded
    flush()
    db.session.execute(delete(CallbackContact).where(CallbackContact.request_id == request.id))
    db.session.add(audit.event("request.changed", now, by or audit.VISITOR, request.id))
    if mails:
        notifications.queue_changed(request.id, details, request.due_at != due_before, now, may_mail)
    db.session.commit()
    return _receipt(reference, request)


def due_at_after_change(due_at: int, details: ContactDetails, calendar: Calendar, now: float) -> int:
    """Return when a changed request is due: as before, or at the end of the first preferred time if that is later."""
    if not details.preferred_times:
        return due_at
    return max(due_at, _whole(first_preferred_time(calendar, _moment(now), details.preferred_times)))


def next_at_after_change(
    request: CallbackRequest, details: ContactDetails, calendar: Calendar, now: float
) -> int | None:
    """Return when a new or changed request may be called: at a preferred time, unless it is to be called first.

    The wait since the last call goes on, except after a wrong number.
    """
    outcomes = select(CallbackAttempt.outcome).where(CallbackAttempt.request_id == request.id)
    latest = db.session.scalar(outcomes.order_by(CallbackAttempt.at.desc()).limit(1)) if request.attempts else None
    waits_until = request.next_at if latest not in (None, Outcome.WRONG_NUMBER.value) else None
    if request.rank == 0 or not details.preferred_times:
        return waits_until
    return _whole(next_call_time(calendar, _moment(max(now, waits_until or 0)), details.preferred_times))


def withdraw(reference: str, now: float) -> None:
    """Withdraw a request and erase everything encrypted, and its reference, at once.

    Raises GoneError, SQLAlchemyError, and NotAllowedError if concurrent changes defeat ``MAX_RETRIES`` attempts.
    """
    for _ in range(MAX_RETRIES):
        with suppress(workflow.NotAllowedError):  # a staff member changed the request concurrently
            erase(find_by_reference(reference), now, audit.VISITOR)
            return
    raise workflow.NotAllowedError("changed")


def erase(request: CallbackRequest, now: float, actor: str) -> None:
    """Withdraw a request and erase its contents in one transaction. Raises NotAllowedError, SQLAlchemyError."""
    request.progress = workflow.withdraw(request.progress)
    request.reference = request.digest = None
    request.ciphertext = request.key_id = request.summary = request.summary_key_id = request.words = None
    request.rank, request.ended_at = 1, int(now)
    flush()
    for table in (CallbackContact, CallbackNote):
        db.session.execute(delete(table).where(table.request_id == request.id))
    action = "request.withdrawn" if actor == audit.VISITOR else "request.erased"
    db.session.add(audit.event(action, now, actor, request.id))
    db.session.commit()


def flush() -> None:
    """Write a changed request, which locks its row. Raises NotAllowedError if it was changed concurrently.

    Call this before changing rows that refer to the request: the lock keeps other transactions from adding more.
    """
    try:
        db.session.flush()
    except StaleDataError:
        db.session.rollback()
        raise workflow.NotAllowedError("changed") from None


def _digest(secret: str, details: ContactDetails) -> str:
    return hmac.new(secret.encode(), repr(details).encode(), hashlib.sha256).hexdigest()


def _fill(request: CallbackRequest, reference: str, details: ContactDetails, urgent: bool) -> None:
    same = request.language == details.language
    words = _words(reference, request) if same else call_words(reference, details.language)
    details, request.words = replace(details, words=words), seal(words, reference)
    request.ciphertext, request.key_id = public_key.encrypt(request.id, details.stored())
    request.language = details.language
    if details.answers is not None:
        associated_data = public_key.summary_associated_data(request.id)
        request.summary, request.summary_key_id = public_key.encrypt(associated_data, details.shared())
        request.rank = 0 if urgent else 1
    elif details.minor:
        request.summary = request.summary_key_id = None


def find_by_reference(reference: str) -> CallbackRequest:
    """Return the request of a reference. Raises GoneError, SQLAlchemyError."""
    where = CallbackRequest.reference == reference_code.fingerprint(reference)
    found: CallbackRequest | None = db.session.scalars(select(CallbackRequest).where(where)).first()
    if found is None:
        raise GoneError("no such request")
    return found


def _receipt(reference: str, request: CallbackRequest) -> Receipt:
    return Receipt(reference, _words(reference, request), request.language, request.due_at, request.progress)


def _words(reference: str, request: CallbackRequest) -> str:
    """Return the words that were stored with a request, whatever the list says now."""
    return unseal(request.words or b"", reference)


def _moment(now: float) -> datetime:
    return datetime.fromtimestamp(now, UTC)


def _whole(moment: datetime) -> int:
    return int(moment.timestamp())
