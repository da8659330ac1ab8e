"""Outcomes of calls and e-mails: record one with the time of the next call, undo the last one."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from screening.callbacks import staff_service, workflow
from screening.callbacks.business_hours import Calendar, NeverOpenError, PreferredTimes, next_call_time
from screening.callbacks.models import CallbackAttempt, CallbackRequest
from screening.callbacks.workflow import EFFECTS, NotAllowedError, Outcome, Progress, State
from screening.extensions import db

ACTIONS = {State.ATTEMPTED: "request.attempted", State.REACHED: "request.reached", State.CLOSED: "request.closed"}
"""Audit actions, by the state that an outcome leads to."""


@dataclass(frozen=True)
class Result:
    """What came of a call. ``agreed_at``: the agreed time, for outcomes with one."""

    outcome: Outcome
    agreed_at: int | None = None
    voicemail_allowed: bool = False


def next_call_at(
    outcome: Outcome, now: float, calendar: Calendar, preferred: PreferredTimes, waits: Mapping[str, int]
) -> int | None:
    """Return when to call again after an outcome, within opening hours and preferred times; None if it has no wait.

    ``waits``: the setting ``RETRY_MINUTES``.
    """
    if not EFFECTS[outcome].waits:
        return None
    earliest = datetime.fromtimestamp(now, UTC) + timedelta(minutes=waits[outcome.value])
    try:
        return int(next_call_time(calendar, earliest, preferred).timestamp())
    except NeverOpenError:
        return int(earliest.timestamp())


def record(request: CallbackRequest, seen: int, result: Result, next_at: int | None, by: str, now: float) -> None:
    """Store an outcome and make its transition. Commits. Raises NotAllowedError, SQLAlchemyError."""
    before, outcome = request.progress, result.outcome
    next_at = result.agreed_at if EFFECTS[outcome].agreed else next_at
    attempt = CallbackAttempt(id=secrets.token_hex(16), request_id=request.id, at=int(now), by=by)
    attempt.outcome, attempt.next_at = outcome.value, next_at
    attempt.state_before, attempt.owner_before = before.state.value, before.owner
    attempt.attempts_before, attempt.next_before = before.attempts, before.next_at

    def step(progress: Progress) -> Progress:
        after = workflow.record(progress, by, outcome, next_at, result.voicemail_allowed)
        db.session.add(attempt)
        return after

    action = ACTIONS[EFFECTS[outcome].state]
    staff_service.transition(request, seen, step, action, by, now, attempt.id, outcome=outcome.value)


def last(request: CallbackRequest) -> CallbackAttempt | None:
    """Return the last outcome of a request, if there is one."""
    found = select(CallbackAttempt).where(CallbackAttempt.request_id == request.id)
    latest: CallbackAttempt | None = db.session.scalars(
        found.order_by(CallbackAttempt.at.desc(), CallbackAttempt.attempts_before.desc()).limit(1)
    ).first()
    return latest


def last_of(ids: Iterable[str]) -> dict[str, CallbackAttempt]:
    """Return the last outcome of each of these requests that has one."""
    found = select(CallbackAttempt).where(CallbackAttempt.request_id.in_(ids))
    in_order = db.session.scalars(found.order_by(CallbackAttempt.at, CallbackAttempt.attempts_before))
    return {attempt.request_id: attempt for attempt in in_order}


def undoable(
    request: CallbackRequest, attempt: CallbackAttempt | None, by: str, now: float, calendar: Calendar
) -> bool:
    """Return whether ``by`` may undo an outcome: the same day, and nothing changed since."""
    if attempt is None or attempt.by != by:
        return False
    days = {datetime.fromtimestamp(moment, calendar.zone).date() for moment in (attempt.at, now)}
    return len(days) == 1 and request.progress == _after(attempt)


def undo(request: CallbackRequest, seen: int, by: str, now: float, calendar: Calendar) -> None:
    """Delete the last outcome and return to the position before it. Commits. Raises NotAllowedError."""
    attempt = last(request)
    if attempt is None or not undoable(request, attempt, by, now, calendar):
        raise NotAllowedError("undo")

    def step(progress: Progress) -> Progress:
        restored = workflow.undo(progress, attempt.before, _after(attempt))
        db.session.delete(attempt)
        return restored

    staff_service.transition(request, seen, step, "request.undone", by, now, attempt.id, outcome=attempt.outcome)


def _after(attempt: CallbackAttempt) -> Progress:
    """Return the position that an outcome led to."""
    return workflow.record(
        attempt.before, attempt.by, Outcome(attempt.outcome), attempt.next_at, voicemail_allowed=True
    )
