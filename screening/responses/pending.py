"""Agreed copies on their way in. A database that is down costs the copy, never the visit."""

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
    """What became of a copy."""

    PENDING = "pending"
    """It is pending, as the answers now stand."""

    NONE = "none"
    """Nothing is kept."""

    SHUFFLED = "shuffled"
    """It was mixed with others before, so it can no longer be found: not changed, not taken back."""

    UNAVAILABLE = "unavailable"
    """The database could not be reached: nothing was stored or changed."""


def record(
    response_id: str, questionnaire: Questionnaire, answers: Answers, period: str, kept_before: bool
) -> StoreResult:
    """Store a copy, or bring the stored one up to date; however often it is sent, there is one.

    ``period`` is the month it counts for (``2026-11``). ``kept_before`` tells that the copy reached
    among the pending once: then it is only changed where it is still pending, never stored a second time.
    """
    values = pending_row(questionnaire, answers, period)
    try:
        if kept_before:
            changed = _execute(
                update(PendingResponse).where(PendingResponse.id == response_id, NOT_CLAIMED).values(values)
            )
            return StoreResult.PENDING if changed else StoreResult.SHUFFLED
        insert: Any = INSERTS[db.engines[PENDING_BIND].dialect.name]
        statement = insert(PendingResponse).values(id=response_id, **values)
        upsert = statement.on_conflict_do_update(index_elements=[PendingResponse.id], set_=values, where=NOT_CLAIMED)
        with db.engines[PENDING_BIND].begin() as connection:
            kept = connection.execute(upsert.returning(PendingResponse.id)).first()
        return StoreResult.PENDING if kept else StoreResult.SHUFFLED
    except SQLAlchemyError as error:
        return _unavailable(error)


def withdraw(response_id: str, kept_before: bool) -> StoreResult:
    """Delete a pending response, also one of which it is not known whether it got there."""
    try:
        gone = _execute(delete(PendingResponse).where(PendingResponse.id == response_id, NOT_CLAIMED))
        return StoreResult.NONE if gone or not kept_before else StoreResult.SHUFFLED
    except SQLAlchemyError as error:
        return _unavailable(error)


def pending_row(questionnaire: Questionnaire, answers: Answers, period: str) -> dict[str, Any]:
    """What is kept of the answers, without an id."""
    roles = questionnaire.roles
    codes = {
        question: export_code(questionnaire, questionnaire.by_id[question], answers)
        for question in _kept(questionnaire)
    }
    return {
        "period": period,
        "questionnaire": questionnaire.id,
        "version": questionnaire.version,
        "age_band": export_code(questionnaire, questionnaire.by_id[roles.age], answers),
        "pain_duration": export_code(questionnaire, questionnaire.by_id[roles.pain_duration], answers),
        "answers": codes,
    }


def _kept(questionnaire: Questionnaire) -> list[str]:
    """The questions whose codes go into ``answers``: the signs and the average pain, in their order."""
    kept = {sign.id for sign in questionnaire.signs} | {questionnaire.roles.pain_average}
    return [question.id for question in questionnaire.questions if question.id in kept]


def _execute(statement: Any) -> int:
    """Run one statement in a transaction of its own; the number of rows it met."""
    with db.engines[PENDING_BIND].begin() as connection:
        return connection.execute(statement).rowcount


def _unavailable(error: SQLAlchemyError) -> StoreResult:
    log.error("pending responses cannot be reached: %s", type(error).__name__)
    return StoreResult.UNAVAILABLE
