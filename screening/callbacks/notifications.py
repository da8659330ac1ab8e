"""Mails about requests: to staff that one waits, to a patient who chose e-mail by when we answer.

They hold no name and nothing about health. The request is decrypted at delivery; withdrawn requests get no mail.
"""

from functools import partial
from typing import Any

from flask import Flask, current_app
from flask_babel import lazy_gettext

from screening import current
from screening.callbacks import public_key
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import WAITING, CallbackRequest
from screening.extensions import db
from screening.mail import outbox, types
from screening.mail.types import MailType, Message

REQUEST_WAITING, CONFIRMED, PROMISED = "request.waits", "request.confirmed", "request.promised"

STATUS_PAGE, STAFF_PAGE = "/consultation/status", "/callbacks/"


def queue_received(id_: str, details: ContactDetails, now: float) -> None:
    """Add the mails of a new request to the session."""
    outbox.enqueue(REQUEST_WAITING, id_, now)
    if details.write_to:
        outbox.enqueue(CONFIRMED, id_, now)


def queue_changed(id_: str, details: ContactDetails, moved: bool, now: float) -> None:
    """Add the mail of a changed request: the new promise if it ``moved``.

    Else the same promise is confirmed again: the address may be a new one, and it is sealed.
    """
    if details.write_to:
        outbox.enqueue(PROMISED if moved else CONFIRMED, id_, now)


def compose_for_staff(id_: str) -> Message | None:
    """That a request waits, and by when it was promised an answer; None when it waits no more."""
    request = _waiting(id_)
    if request is None:
        return None
    settings = current.settings()
    staff: str = settings["STAFF_URL"] or settings["SITE_URL"] + "/staff"
    values = {"due": request.due_at, "link": staff + STAFF_PAGE + id_}
    return Message(settings["MAIL_TO_STAFF"], current_app.extensions["locales"][0], "waiting", values)


def compose_for_patient(template: str, id_: str) -> Message | None:
    """Return the due time and a link; None when the request is closed or e-mail not wanted. Raises DecryptionError."""
    request = _waiting(id_)
    if request is None:
        return None
    keyring = current.keyring()
    details = ContactDetails.read(public_key.decrypt(keyring, request.id, request.ciphertext, request.key_id))
    return Message(details.write_to, request.language, template, _promise(request)) if details.write_to else None


def _promise(request: CallbackRequest) -> dict[str, Any]:
    late = request.due_at < current.now()
    return {"due": request.due_at, "late": late, "link": current.settings()["SITE_URL"] + STATUS_PAGE}


def _waiting(id_: str) -> CallbackRequest | None:
    """The request as it now stands, if an answer to it is still due."""
    found: CallbackRequest | None = db.session.get(CallbackRequest, id_, populate_existing=True)
    return found if found is not None and found.state_group == WAITING else None


STAFF_TYPES = "staff_callbacks.show"
TYPES = {
    REQUEST_WAITING: MailType(lazy_gettext("To the team: a request waits"), compose_for_staff, STAFF_TYPES),
    CONFIRMED: MailType(
        lazy_gettext("To the patient: we got it"), partial(compose_for_patient, "confirmed"), STAFF_TYPES
    ),
    PROMISED: MailType(
        lazy_gettext("To the patient: a new time"), partial(compose_for_patient, "promised"), STAFF_TYPES
    ),
}


def init_app(app: Flask) -> None:
    """Let the staff's application, which may open requests, write these mails."""
    for name, kind in TYPES.items():
        types.add_type(app, name, kind)
