"""Mails about requests: to staff about a new one, to a patient who chose e-mail about its due time.

They contain no name and no health information. The request is decrypted at delivery; withdrawn requests get no mail.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext

from screening.callbacks import public_key
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import WAITING, CallbackRequest
from screening.crypto.keyring import Keyring
from screening.extensions import db
from screening.mail import outbox, types
from screening.mail.types import MailType, Message

REQUEST_WAITING, CONFIRMED, PROMISED = "request.waits", "request.confirmed", "request.promised"

MayMail = Callable[[str], bool]
"""Counts a mail to an address and returns whether it may be queued, so that no mailbox is flooded."""

STATUS_PAGE, STAFF_PAGE = "/consultation/status", "/callbacks/"


def queue_received(id_: str, details: ContactDetails, now: float, may_mail: MayMail) -> None:
    """Add the mails about a new request to the database session."""
    outbox.enqueue(REQUEST_WAITING, id_, now)
    if details.write_to and may_mail(details.write_to):
        outbox.enqueue(CONFIRMED, id_, now)


def queue_changed(id_: str, details: ContactDetails, moved: bool, now: float, may_mail: MayMail) -> None:
    """Add the mail about a changed request. ``moved``: it states a new due time.

    Otherwise it confirms the due time again: the address may be new, and the old one cannot be read here to compare.
    """
    if details.write_to and may_mail(details.write_to):
        outbox.enqueue(PROMISED if moved else CONFIRMED, id_, now)


@dataclass(frozen=True)
class Composer:
    """Composes the mails about requests, which ``keyring`` decrypts; those to staff are in ``staff_language``."""

    settings: Mapping[str, Any]
    keyring: Keyring
    staff_language: str

    def for_staff(self, id_: str, now: int) -> Message | None:
        """Return the mail about a waiting request, with its due time; None if it no longer waits."""
        request = _waiting(id_)
        if request is None:
            return None
        staff: str = self.settings["STAFF_URL"] or self.settings["SITE_URL"] + "/staff"
        values = {"due": request.due_at, "link": staff + STAFF_PAGE + id_}
        return Message(self.settings["MAIL_TO_STAFF"], self.staff_language, "waiting", values)

    def for_patient(self, template: str, id_: str, now: int) -> Message | None:
        """Return the mail with due time and link; None if closed, or no e-mail was chosen. Raises DecryptionError."""
        request = _waiting(id_)
        if request is None:
            return None
        opened = public_key.decrypt(self.keyring, request.id, request.ciphertext, request.key_id)
        details, link = ContactDetails.read(opened), self.settings["SITE_URL"] + STATUS_PAGE
        values = {"due": request.due_at, "late": request.due_at < now, "link": link}
        return Message(details.write_to, request.language, template, values) if details.write_to else None


def _waiting(id_: str) -> CallbackRequest | None:
    """Return the request as the database has it now, if it still waits."""
    found: CallbackRequest | None = db.session.get(CallbackRequest, id_, populate_existing=True)
    return found if found is not None and found.state_group == WAITING else None


def init_app(app: Flask) -> None:
    """Register these mail types with the staff application, which can decrypt requests."""
    composer = Composer(app.config["SETTINGS"], app.extensions["keyring"], app.extensions["locales"][0])
    for name, label, compose in (
        (REQUEST_WAITING, lazy_gettext("To the team: a request waits"), composer.for_staff),
        (CONFIRMED, lazy_gettext("To the patient: we got it"), partial(composer.for_patient, "confirmed")),
        (PROMISED, lazy_gettext("To the patient: a new time"), partial(composer.for_patient, "promised")),
    ):
        types.add_type(app, name, MailType(label, compose, "staff_callbacks.show"))
