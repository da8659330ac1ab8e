"""Pending responses: record, change and withdraw. Without a database the response is lost, but the walk continues.

A response is encrypted to a key that changes daily and that only the worker can decrypt (see ``response_keys``).
"""

import hashlib
import hmac
import logging
from enum import Enum
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from screening.crypto import sealed_box
from screening.crypto.keyring import DRAFT, Keyring
from screening.database.upsert import upsert
from screening.extensions import db
from screening.questionnaires.branching import export_code
from screening.questionnaires.model import Answers, Questionnaire
from screening.responses import response_keys
from screening.responses.models import PENDING_BIND, PendingResponse

log = logging.getLogger(__name__)

ID_LABEL = "response id"

BOX_BYTES = 4096
"""Plaintexts are padded to this size; it holds a response of 60 signs."""

NOT_CLAIMED = PendingResponse.batch.is_(None)


class StoreResult(Enum):
    """What happened to a response."""

    PENDING = "pending"
    """It is pending, with the current answers."""

    NONE = "none"
    """Nothing is stored."""

    SHUFFLED = "shuffled"
    """It was shuffled before, so it can be neither changed nor withdrawn."""

    UNAVAILABLE = "unavailable"
    """The database could not be reached, or no key is published: nothing was stored or changed."""


def record(
    keyring: Keyring, response_id: str, questionnaire: Questionnaire, answers: Answers, period: str, stored_before: bool
) -> StoreResult:
    """Encrypt and store a response, or update the pending one. Idempotent.

    ``keyring`` has the ``draft`` keys. ``period`` is the month (``2026-11``). ``stored_before``: the response was
    pending at some time, so it is updated if still pending, and never inserted a second time.
    """
    content = response_values(questionnaire, answers, period)
    try:
        with db.engines[PENDING_BIND].begin() as connection:
            key = response_keys.active_key(connection)
            if key is None:
                log.error("no key of pending responses is published: run flask keys publish on the worker's machine")
                return StoreResult.UNAVAILABLE
            stored = _store(connection, key, id_hashes(keyring, response_id), content, stored_before)
        return StoreResult.PENDING if stored else StoreResult.SHUFFLED
    except SQLAlchemyError as error:
        return _unavailable(error)


def withdraw(keyring: Keyring, response_id: str, stored_before: bool) -> StoreResult:
    """Delete a pending response, even if it is not known to be stored."""
    mine = PendingResponse.id_hash.in_(id_hashes(keyring, response_id))
    try:
        with db.engines[PENDING_BIND].begin() as connection:
            deleted = connection.execute(delete(PendingResponse).where(mine, NOT_CLAIMED)).rowcount
        return StoreResult.NONE if deleted or not stored_before else StoreResult.SHUFFLED
    except SQLAlchemyError as error:
        return _unavailable(error)


def id_hashes(keyring: Keyring, response_id: str) -> list[str]:
    """Return the hashes under which a response may be stored, that of the active key first.

    The key is derived from ``draft``, because the id exists in drafts only: whoever can read one holds these keys, and
    a removed key takes its drafts along.
    """
    keys = keyring.derive_all(DRAFT, ID_LABEL).values()
    return [hmac.new(key, response_id.encode(), hashlib.sha256).hexdigest() for key in keys]


def response_values(questionnaire: Questionnaire, answers: Answers, period: str) -> dict[str, Any]:
    """Return what is stored of a response: the columns of ``ShuffledResponse`` but the id."""
    roles = questionnaire.roles
    codes = {
        question: export_code(questionnaire, questionnaire.by_id[question], answers)
        for question in _stored_questions(questionnaire)
    }
    return {
        "period": period,
        "questionnaire": questionnaire.id,
        "version": questionnaire.version,
        "age_band": export_code(questionnaire, questionnaire.by_id[roles.age], answers),
        "pain_duration": export_code(questionnaire, questionnaire.by_id[roles.pain_duration], answers),
        "answers": codes,
    }


def _store(
    connection: Connection, key: tuple[str, bytes], hashes: list[str], content: dict[str, Any], stored_before: bool
) -> bool:
    """Update or insert a response; return False if it was shuffled, or is about to be."""
    key_id, public = key
    found = connection.execute(select(PendingResponse.id_hash).where(PendingResponse.id_hash.in_(hashes))).scalar()
    id_hash = found or hashes[0]
    values = {"key_id": key_id, "ciphertext": sealed_box.encrypt(public, id_hash, content, BOX_BYTES)}
    if found or stored_before:
        mine = PendingResponse.id_hash == id_hash
        return bool(connection.execute(update(PendingResponse).where(mine, NOT_CLAIMED).values(values)).rowcount)
    stored = upsert(connection.dialect, PendingResponse, {"id_hash": id_hash}, values, where=NOT_CLAIMED)
    return connection.execute(stored.returning(PendingResponse.id_hash)).first() is not None


def _stored_questions(questionnaire: Questionnaire) -> list[str]:
    """Return the ids of the questions in ``answers``: signs and average pain, in the order of the definition."""
    stored = {sign.id for sign in questionnaire.signs} | {questionnaire.roles.pain_average}
    return [question.id for question in questionnaire.questions if question.id in stored]


def _unavailable(error: SQLAlchemyError) -> StoreResult:
    log.error("pending responses cannot be reached: %s", type(error).__name__)
    return StoreResult.UNAVAILABLE
