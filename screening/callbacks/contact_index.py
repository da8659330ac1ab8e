"""The contact index: a keyed hash of each phone number and e-mail address, to search requests and find duplicates."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import aliased

from screening.callbacks import public_key
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import CallbackAttempt, CallbackContact, CallbackRequest
from screening.callbacks.workflow import Outcome
from screening.crypto import DecryptionError
from screening.crypto.keyring import CALLBACK, SEARCH, Keyring
from screening.extensions import db

INDEX_BATCH = 200
"""Maximum number of requests that are indexed before a page of the queue is shown."""

MAX_DUPLICATES = 25


def index_contacts(keyring: Keyring, most: int = INDEX_BATCH) -> int:
    """Index up to ``most`` requests that are not indexed yet; return how many. Commits.

    They are not indexed on arrival, because a node that serves only visitors has no search key.
    """
    for purpose in (CALLBACK, SEARCH):
        keyring.refresh(purpose)
    key_id, here = keyring.active_id(SEARCH), tuple(keyring.derive_all(CALLBACK, ""))
    unknown = CallbackRequest.index_key_id.is_(None)
    waiting = select(CallbackRequest.id, CallbackRequest.ciphertext, CallbackRequest.key_id, CallbackRequest.version)
    found = db.session.execute(waiting.where(CallbackRequest.key_id.in_(here), unknown).limit(most)).all()
    for id_, ciphertext, encrypted_with, version in found:
        try:
            contacts = ContactDetails.read(public_key.decrypt(keyring, id_, ciphertext, encrypted_with)).contacts
        except (DecryptionError, TypeError, KeyError):
            contacts = ()  # damaged: indexed without contacts, so that it is not tried again
        unchanged = (CallbackRequest.id == id_, CallbackRequest.version == version)
        _store_hashes(id_, unchanged, key_id, [contact_hash(keyring, contact, key_id) for contact in contacts])
    return len(found)


def delete_contact_hashes(key_id: str) -> None:
    """Mark every request as not indexed whose contacts were hashed with another search key. Commits."""
    table = CallbackRequest.__table__
    db.session.execute(table.update().where(table.c.index_key_id != key_id).values(index_key_id=None))
    db.session.commit()


def duplicates(request: CallbackRequest) -> list[CallbackRequest]:
    """Return other requests with the same phone number or e-mail address, the newest first."""
    own = select(CallbackContact.hash).where(CallbackContact.request_id == request.id)
    ids = select(CallbackContact.request_id).where(
        CallbackContact.hash.in_(own), CallbackContact.request_id != request.id
    )
    return list(
        db.session.scalars(
            select(CallbackRequest)
            .where(CallbackRequest.id.in_(ids))
            .order_by(CallbackRequest.asked_at.desc())
            .limit(MAX_DUPLICATES)
        )
    )


def asked_to_stop(ids: Iterable[str]) -> set[str]:
    """Return which of these requests have a number or e-mail address of someone who asked us to stop earlier."""
    own, other = aliased(CallbackContact), aliased(CallbackContact)
    found = (
        select(own.request_id)
        .join(other, other.hash == own.hash)
        .join(CallbackAttempt, CallbackAttempt.request_id == other.request_id)
        .where(own.request_id.in_(ids), other.request_id != own.request_id)
        .where(CallbackAttempt.outcome == Outcome.STOP.value)
    )
    return set(db.session.scalars(found))


def _store_hashes(id_: str, unchanged: tuple[ColumnElement[bool], ...], key_id: str, hashes: list[str]) -> None:
    """Replace a request's hashes, unless it was changed or withdrawn since it was read."""
    table = CallbackRequest.__table__
    marked: Any = db.session.execute(table.update().where(*unchanged).values(index_key_id=key_id))
    if marked.rowcount:
        db.session.execute(delete(CallbackContact).where(CallbackContact.request_id == id_))
        db.session.add_all(CallbackContact(request_id=id_, hash=hashed) for hashed in hashes)
    db.session.commit()


def contact_hash(keyring: Keyring, contact: str, key_id: str | None = None) -> str:
    """Return the hash of a phone number (E.164) or e-mail address, keyed by the active search key or ``key_id``."""
    key = keyring.derive(SEARCH, "contacts", key_id)
    return hmac.new(key, contact.partition(";")[0].lower().encode(), hashlib.sha256).hexdigest()
