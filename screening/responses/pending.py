"""Pending responses: record, change and withdraw. Without a database the response is lost, but the walk continues."""

import logging
from enum import Enum
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from screening.extensions import db
from screening.questionnaires.branching import export_code
from screening.questionnaires.model import Answers, Questionnaire
from screening.responses.models import PENDING_BIND, PendingResponse

log = logging.getLogger(__name__)


NOT_CLAIMED = PendingResponse.batch.is_(None)
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class StoreResult(Enum):
    """What happened to a response."""

    PENDING = "pending"
    """It is pending, with the current answers."""

    NONE = "none"
    """Nothing is stored."""

    SHUFFLED = "shuffled"
    """It was shuffled before, so it can be neither changed nor withdrawn."""

    UNAVAILABLE = "unavailable"
    """The database could not be reached: nothing was stored or changed."""


def record(
    response_id: str, questionnaire: Questionnaire, answers: Answers, period: str, stored_before: bool
) -> StoreResult:
    """Store a response, or update the pending one. Idempotent.

    ``period`` is its month (``2026-11``). ``stored_before``: the response was pending at some time, so it is
    updated if still pending, and never inserted a second time.
    """
    values = pending_row(questionnaire, answers, period)
    try:
        if stored_before:
            changed = _execute(
                update(PendingResponse).where(PendingResponse.id == response_id, NOT_CLAIMED).values(values)
            )
            return StoreResult.PENDING if changed else StoreResult.SHUFFLED
        insert: Any = INSERTS[db.engines[PENDING_BIND].dialect.name]
        statement = insert(PendingResponse).values(id=response_id, **values)
        upsert = statement.on_conflict_do_update(index_elements=[PendingResponse.id], set_=values, where=NOT_CLAIMED)
        with db.engines[PENDING_BIND].begin() as connection:
            stored = connection.execute(upsert.returning(PendingResponse.id)).first()
        return StoreResult.PENDING if stored else StoreResult.SHUFFLED
    except SQLAlchemyError as error:
        return _unavailable(error)


def withdraw(response_id: str, stored_before: bool) -> StoreResult:
    """Delete a pending response, even if it is not known to be stored."""
    try:
        deleted = _execute(delete(PendingResponse).where(PendingResponse.id == response_id, NOT_CLAIMED))
        return StoreResult.NONE if deleted or not stored_before else StoreResult.SHUFFLED
    except SQLAlchemyError as error:
        return _unavailable(error)


def pending_row(questionnaire: Questionnaire, answers: Answers, period: str) -> dict[str, Any]:
    """Return the columns of a response, without an id."""
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


def _stored_questions(questionnaire: Questionnaire) -> list[str]:
    """Return the ids of the questions in ``answers``: signs and average pain, in the order of the definition."""
    stored = {sign.id for sign in questionnaire.signs} | {questionnaire.roles.pain_average}
    return [question.id for question in questionnaire.questions if question.id in stored]


def _execute(statement: Any) -> int:
    """Execute one statement in its own transaction; return the number of affected rows."""
    with db.engines[PENDING_BIND].begin() as connection:
        return connection.execute(statement).rowcount


def _unavailable(error: SQLAlchemyError) -> StoreResult:
    log.error("pending responses cannot be reached: %s", type(error).__name__)
    return StoreResult.UNAVAILABLE
