"""Mails about requests: to staff about a new one and its due time, to a patient who chose e-mail.

They contain no name and no health information. The request is decrypted at delivery; withdrawn requests get no mail.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext
from sqlalchemy import select, update

from screening.callbacks import public_key
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import WAITING, CallbackRequest
from screening.crypto.keyring import Keyring
from screening.extensions import db
from screening.mail import outbox, types
from screening.mail.types import MailType, Message

REQUEST_WAITING, CONFIRMED, PROMISED = "request.waits", "request.confirmed", "request.promised"
DUE_SOON, OVERDUE = "request.due_soon", "request.overdue"

REMINDERS = {1: DUE_SOON, 2: OVERDUE}
"""Mails about the due time, by the value of ``CallbackRequest.reminded`` that says it was queued."""

STAFF_TEMPLATES = {REQUEST_WAITING: "waiting", DUE_SOON: "due_soon", OVERDUE: "overdue"}

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


def queue_reminders(now: float, soon_seconds: int) -> int:
    """Queue a mail for each waiting request that is due soon, and one when it is overdue; return how many.

    Each is queued once, also by two workers: the row is marked in the transaction that stores the mail. Commits.
    """
    table, count = CallbackRequest.__table__, 0
    waiting = (table.c.state_group == WAITING, table.c.due_at < now + soon_seconds, table.c.reminded < max(REMINDERS))
    for id_, due_at in db.session.execute(select(table.c.id, table.c.due_at).where(*waiting)).all():
        level = 2 if due_at < now else 1
        unchanged = (table.c.id == id_, table.c.due_at == due_at, table.c.reminded < level, waiting[0])
        marked: Any = db.session.execute(update(table).where(*unchanged).values(reminded=level))
        if marked.rowcount:
            outbox.enqueue(REMINDERS[level], id_, now)
            count += 1
        db.session.commit()
    return count


@dataclass(frozen=True)
class Composer:
    """Composes the mails about requests, which ``keyring`` decrypts; those to staff are in ``staff_language``."""

    settings: Mapping[str, Any]
    keyring: Keyring
    staff_language: str

    def for_staff(self, kind: str, id_: str, now: int) -> Message | None:
        """Return the mail about a waiting request, with its due time; None if it no longer waits, or is obsolete."""
        request = _waiting(id_)
        if request is None or ((kind == OVERDUE) != (request.due_at < now) and kind != REQUEST_WAITING):
            return None
        staff: str = self.settings["STAFF_URL"] or self.settings["SITE_URL"] + "/staff"
        lead = self.settings["MAIL_TO_LEAD"] if kind == OVERDUE else ""
        values = {"due": request.due_at, "link": staff + STAFF_PAGE + id_}
        return Message(lead or self.settings["MAIL_TO_STAFF"], self.staff_language, STAFF_TEMPLATES[kind], values)

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
        (REQUEST_WAITING, lazy_gettext("To the team: a request waits"), partial(composer.for_staff, REQUEST_WAITING)),
        (DUE_SOON, lazy_gettext("To the team: a request is due soon"), partial(composer.for_staff, DUE_SOON)),
        (OVERDUE, lazy_gettext("To the lead: a request is overdue"), partial(composer.for_staff, OVERDUE)),
        (CONFIRMED, lazy_gettext("To the patient: we got it"), partial(composer.for_patient, "confirmed")),
        (PROMISED, lazy_gettext("To the patient: a new time"), partial(composer.for_patient, "promised")),
    ):
        types.add_type(app, name, MailType(label, compose, "staff_callbacks.show"))
