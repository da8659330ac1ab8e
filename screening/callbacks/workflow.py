"""The workflow of a request: its states, and the transitions each state allows. Pure."""

from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """A request's state."""

    NEW = "new"
    CLAIMED = "claimed"
    ATTEMPTED = "attempted"
    REACHED = "reached"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


OPEN_STATES = (State.NEW, State.CLAIMED, State.ATTEMPTED, State.REACHED)
"""States in which staff still have to act."""

AWAITING_CALL = (State.NEW, State.CLAIMED, State.ATTEMPTED)
"""States in which the patient was not reached yet, so that the due time applies."""


class Outcome(Enum):
    """The outcome of a call or an e-mail."""

    SPOKE = "spoke"
    BOOKED = "spoke_booked"
    NOT_INTERESTED = "spoke_not_interested"
    REFERRED = "spoke_referred"
    CALL_AGAIN = "spoke_again"
    STOP = "stop"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    VOICEMAIL = "voicemail"
    WRONG_NUMBER = "wrong_number"
    EMAIL_SENT = "email_sent"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Effect:
    """What an outcome does: the state it leads to, and how the time of the next call is found."""

    state: State
    waits: bool = False
    """The next call waits for the minutes that the setting ``RETRY_MINUTES`` gives for the outcome."""

    agreed: bool = False
    """The outcome comes with a time: of the next call, or of a visit."""

    contact: bool = True
    """Whether a call or an e-mail was made, which counts as an attempt."""


EFFECTS = {
    Outcome.SPOKE: Effect(State.CLOSED),
    Outcome.BOOKED: Effect(State.CLOSED, agreed=True),
    Outcome.NOT_INTERESTED: Effect(State.CLOSED),
    Outcome.REFERRED: Effect(State.CLOSED),
    Outcome.CALL_AGAIN: Effect(State.REACHED, agreed=True),
    Outcome.STOP: Effect(State.CLOSED),
    Outcome.NO_ANSWER: Effect(State.ATTEMPTED, waits=True),
    Outcome.BUSY: Effect(State.ATTEMPTED, waits=True),
    Outcome.VOICEMAIL: Effect(State.ATTEMPTED, waits=True),
    Outcome.WRONG_NUMBER: Effect(State.ATTEMPTED, waits=True),
    Outcome.EMAIL_SENT: Effect(State.REACHED, waits=True),
    Outcome.UNREACHABLE: Effect(State.CLOSED, contact=False),
}
"""The one table of outcomes. An open request that was reached stays in that state after a failed call."""


class NotAllowedError(ValueError):
    """The request's state does not allow the transition. ``reason`` is a code that pages map to a text."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Progress:
    """A request's position in the workflow. ``owner`` is the id of the account that claimed it, if any."""

    state: State = State.NEW
    owner: str | None = None
    attempts: int = 0
    next_at: int | None = None
    """When the patient may be called again, in seconds since 1970; None: at any time."""


class Action(Enum):
    """Actions of staff on a request."""

    CLAIM = "claim"
    TAKE_OVER = "take_over"
    CALL = "call"
    CLOSE = "close"
    PUT_BACK = "put_back"
    HAND_OVER = "hand_over"
    REOPEN = "reopen"
    NOTE = "note"
    ERASE = "erase"


def allowed(progress: Progress, me: str) -> frozenset[str]:
    """Return the values of the actions that the account ``me`` can take without NotAllowedError."""
    mine, unclaimed = progress.owner == me, progress.owner is None
    rules = {
        Action.CLAIM: progress.state in OPEN_STATES and unclaimed,
        Action.TAKE_OVER: progress.state in OPEN_STATES and not mine and not unclaimed,
        Action.CALL: progress.state in OPEN_STATES,
        Action.CLOSE: progress.state in OPEN_STATES and mine,
        Action.PUT_BACK: progress.state in OPEN_STATES and mine,
        Action.HAND_OVER: progress.state in OPEN_STATES,
        Action.REOPEN: progress.state is State.CLOSED,
        Action.NOTE: progress.state is not State.WITHDRAWN,
        Action.ERASE: progress.state is not State.WITHDRAWN,
    }
    return frozenset(action.value for action, holds in rules.items() if holds)


def patient_may_change(progress: Progress) -> bool:
    """Return whether the patient may still change the request: until they were reached."""
    return progress.state in AWAITING_CALL


def claim(progress: Progress, by: str) -> Progress:
    """Claim an unclaimed request. Raises NotAllowedError."""
    _require_open(progress)
    if progress.owner is not None:
        raise NotAllowedError("yours" if progress.owner == by else "taken")
    state = State.CLAIMED if progress.state is State.NEW else progress.state
    return replace(progress, state=state, owner=by)


def reassign(progress: Progress, to: str) -> Progress:
    """Give an open request, claimed or not, to the account ``to``. Raises NotAllowedError."""
    _require_open(progress)
    state = State.CLAIMED if progress.state is State.NEW else progress.state
    return replace(progress, state=state, owner=to)


def put_back(progress: Progress, by: str) -> Progress:
    """Put a request back, so that any colleague can claim it. The count of attempts stays. Raises NotAllowedError."""
    _require_owner(progress, by)
    state = State.NEW if progress.state is State.CLAIMED else progress.state
    return replace(progress, state=state, owner=None)


def record(
    progress: Progress, by: str, outcome: Outcome, next_at: int | None, voicemail_allowed: bool = False
) -> Progress:
    """Record the outcome of a call or an e-mail; this claims it, or takes it over. ``next_at``: see ``Effect``.

    Raises NotAllowedError, also for a forbidden voicemail.
    """
    _require_open(progress)
    if outcome is Outcome.VOICEMAIL and not voicemail_allowed:
        raise NotAllowedError("voicemail")
    effect = EFFECTS[outcome]
    state = State.REACHED if effect.waits and progress.state is State.REACHED else effect.state
    return Progress(state, by, progress.attempts + effect.contact, next_at if state in OPEN_STATES else None)


def undo(progress: Progress, before: Progress, after: Progress) -> Progress:
    """Return the progress before the last outcome, if nothing changed since. Raises NotAllowedError."""
    if progress != after:
        raise NotAllowedError("undo")
    return before


def close(progress: Progress, by: str) -> Progress:
    """Close a request. Raises NotAllowedError."""
    _require_owner(progress, by)
    return replace(progress, state=State.CLOSED, next_at=None)


def reopen(progress: Progress, by: str) -> Progress:
    """Reopen a closed request, and claim it for ``by``. Raises NotAllowedError."""
    if progress.state is not State.CLOSED:
        raise NotAllowedError("withdrawn" if progress.state is State.WITHDRAWN else "open")
    return replace(progress, state=State.CLAIMED, owner=by)


def withdraw(progress: Progress) -> Progress:
    """Withdraw a request, which is final. Raises NotAllowedError if it is withdrawn already."""
    if progress.state is State.WITHDRAWN:
        raise NotAllowedError("withdrawn")
    return replace(progress, state=State.WITHDRAWN, owner=None, next_at=None)


def change(progress: Progress) -> Progress:
    """Return the progress unchanged if the patient may still change the request; else raise NotAllowedError."""
    if progress.state not in AWAITING_CALL:
        raise NotAllowedError(progress.state.value)
    return progress


def _require_open(progress: Progress) -> None:
    if progress.state not in OPEN_STATES:
        raise NotAllowedError(progress.state.value)


def _require_owner(progress: Progress, by: str) -> None:
    _require_open(progress)
    if progress.owner != by:
        raise NotAllowedError("unclaimed" if progress.owner is None else "taken")
