"""Search for requests by a name, a part of a phone number, an e-mail address or the reference."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from screening.callbacks import phone_numbers, reference_code, staff_service
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import REACHED, WAITING, CallbackRequest
from screening.callbacks.reference_code import BadReferenceError
from screening.callbacks.staff_service import Row
from screening.crypto.keyring import Keyring
from screening.extensions import db

MAX_SEARCHED = 500
"""Open requests that a search decrypts, a fifth of a second's work. The others are found by a whole number, an e-mail
address or the reference."""

MAX_FOUND = 25

MIN_DIGITS = 3
"""Digits of a part of a phone number: fewer are looked for in names only."""

_NUMBER = re.compile(r"[\d\s().+/-]+", re.ASCII)
_APOSTROPHES = re.compile("['’]")


@dataclass(frozen=True)
class Found:
    """The ids of the requests that a search found, at most ``MAX_FOUND``.

    ``cut``: there are more of them. ``partial``: open requests beyond ``MAX_SEARCHED`` were not looked through.
    """

    ids: tuple[str, ...]
    cut: bool
    partial: bool


def find(keyring: Keyring, text: str, country: str) -> Found:
    """Return the open requests that match a text, the most urgent first, then others by whole contact or reference.

    Raises SQLAlchemyError.
    """
    opened, matches = _open_requests(), matcher(text)
    found = [request.id for request in opened[:MAX_SEARCHED] if _matches(keyring, request, matches)]
    found += [row.request.id for row in _by_index(keyring, text, country)]
    ids = tuple(dict.fromkeys(found))
    return Found(ids[:MAX_FOUND], len(ids) > MAX_FOUND, len(opened) > MAX_SEARCHED)


def rows(keyring: Keyring, ids: tuple[str, ...]) -> list[Row]:
    """Return these requests in this order, without those that were deleted meanwhile."""
    stored = db.session.scalars(select(CallbackRequest).where(CallbackRequest.id.in_(ids)))
    by_id = {request.id: request for request in stored}
    return [Row(by_id[id_], staff_service.decrypt(keyring, by_id[id_])) for id_ in ids if id_ in by_id]


def matcher(text: str) -> Callable[[ContactDetails], bool]:
    """Return a function that tells whether details match a text.

    That is: each word begins a word of a name, whatever its case and accents; the digits are a part of a number; or the
    text is a part of the e-mail address.
    """
    words, digits = _words(text), re.sub(r"\D", "", text)
    by_number = len(digits) >= MIN_DIGITS and _NUMBER.fullmatch(text.strip())

    def matches(details: ContactDetails) -> bool:
        names = _words(f"{details.name} {details.say} {details.guardian}")
        if words and all(any(name.startswith(word) for name in names) for word in words):
            return True
        if by_number and any(digits in _digits(number) for number in (details.phone, details.guardian_phone)):
            return True
        return "@" in text and text.strip().lower() in details.email.lower()

    return matches


def _matches(keyring: Keyring, request: CallbackRequest, matches: Callable[[ContactDetails], bool]) -> bool:
    details = staff_service.decrypt(keyring, request)
    return details is not None and matches(details)


def _open_requests() -> list[CallbackRequest]:
    """Return one open request more than a search decrypts."""
    found: list[CallbackRequest] = []
    for group in (WAITING, REACHED):
        order = CallbackRequest.rank, CallbackRequest.due_at
        query = select(CallbackRequest).where(CallbackRequest.state_group == group).order_by(*order)
        found += db.session.scalars(query.limit(MAX_SEARCHED + 1 - len(found)))
    return found


def _by_index(keyring: Keyring, text: str, country: str) -> list[Row]:
    """Return the requests in any state with this reference, whole phone number or e-mail address."""
    try:
        fingerprint = reference_code.fingerprint(reference_code.parse(text))
    except BadReferenceError:
        contacts = (text.strip(),) if "@" in text else phone_numbers.find_numbers(text, country)
        return staff_service.find_by_contact(keyring, *contacts) if contacts else []
    query = select(CallbackRequest).where(CallbackRequest.reference == fingerprint)
    return [Row(request, None) for request in db.session.scalars(query)]


def _words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return re.findall(r"\w+", _APOSTROPHES.sub("", plain))


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number.partition(";")[0])
