"""Agreed copies on their way in. A database that is down costs the copy, never the visit."""

from __future__ import annotations

import logging
from enum import Enum
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from screening.extensions import db
from screening.questionnaire.model import Answers, Questionnaire
from screening.questionnaire.path import code
from screening.responses.models import INBOX, InboxCopy

log = logging.getLogger(__name__)


still_here = InboxCopy.batch.is_(None)
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Outcome(Enum):
    """What became of a copy."""

    KEPT = "kept"
    """It lies in the inbox, as the answers now stand."""

    NONE = "none"
    """Nothing is kept."""

    MIXED = "mixed"
    """It was mixed with others before, so it can no longer be found: not changed, not taken back."""

    UNAVAILABLE = "unavailable"
    """The inbox could not be reached: nothing was stored or changed."""


def record(copy_id: str, questionnaire: Questionnaire, answers: Answers, period: str, kept_before: bool) -> Outcome:
    """Store a copy, or bring the stored one up to date; however often it is sent, there is one.

    ``period`` is the month it counts for (``2026-11``). ``kept_before`` tells that the copy reached
    the inbox once: then it is only changed where it still lies there, never stored a second time.
    """
    values = row(questionnaire, answers, period)
    try:
        if kept_before:
            changed = _execute(update(InboxCopy).where(InboxCopy.id == copy_id, still_here).values(values))
            return Outcome.KEPT if changed else Outcome.MIXED
        insert: Any = INSERTS[db.engines[INBOX].dialect.name]
        statement = insert(InboxCopy).values(id=copy_id, **values)
        upsert = statement.on_conflict_do_update(index_elements=[InboxCopy.id], set_=values, where=still_here)
        with db.engines[INBOX].begin() as connection:
            kept = connection.execute(upsert.returning(InboxCopy.id)).first()
        return Outcome.KEPT if kept else Outcome.MIXED
    except SQLAlchemyError as error:
        return _unavailable(error)


def withdraw(copy_id: str, kept_before: bool) -> Outcome:
    """Take a copy back out of the inbox, also one of which it is not known whether it got there."""
    try:
        gone = _execute(delete(InboxCopy).where(InboxCopy.id == copy_id, still_here))
        return Outcome.NONE if gone or not kept_before else Outcome.MIXED
    except SQLAlchemyError as error:
        return _unavailable(error)


def row(questionnaire: Questionnaire, answers: Answers, period: str) -> dict[str, Any]:
    """What is kept of the answers, without an id."""
    roles = questionnaire.roles
    codes = {question: code(questionnaire, questionnaire.by_id[question], answers) for question in _kept(questionnaire)}
    return {
        "period": period,
        "questionnaire": questionnaire.id,
        "version": questionnaire.version,
        "age_band": code(questionnaire, questionnaire.by_id[roles.age], answers),
        "pain_duration": code(questionnaire, questionnaire.by_id[roles.pain_duration], answers),
        "answers": codes,
    }


def _kept(questionnaire: Questionnaire) -> list[str]:
    """The questions whose codes go into ``answers``: the signs and the average pain, in their order."""
    kept = {sign.id for sign in questionnaire.signs} | {questionnaire.roles.pain_average}
    return [question.id for question in questionnaire.questions if question.id in kept]


def _execute(statement: Any) -> int:
    """Run one statement in a transaction of its own; the number of rows it met."""
    with db.engines[INBOX].begin() as connection:
        return connection.execute(statement).rowcount


def _unavailable(error: SQLAlchemyError) -> Outcome:
    log.error("the inbox cannot be reached: %s", type(error).__name__)
    return Outcome.UNAVAILABLE
