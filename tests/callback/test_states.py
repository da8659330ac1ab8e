"""The course of a request: every way of six steps, and what must hold on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from screening.callback import states
from screening.callback.states import OPEN, Attempt, NotAllowedError, Progress, State

ANN, BEN = "ann", "ben"

STEPS: dict[tuple, Callable[[Progress], Progress]] = {("withdraw",): states.withdraw}
for who in (ANN, BEN):
    STEPS[("claim", who)] = lambda p, who=who: states.claim(p, who)
    STEPS[("reassign", who)] = lambda p, who=who: states.reassign(p, who)
    STEPS[("put_back", who)] = lambda p, who=who: states.put_back(p, who)
    STEPS[("reach", who)] = lambda p, who=who: states.reach(p, who)
    STEPS[("close", who)] = lambda p, who=who: states.close(p, who)
    STEPS[("reopen", who)] = lambda p, who=who: states.reopen(p, who)
    for how in Attempt:
        STEPS[("attempt", who, how)] = lambda p, who=who, how=how: states.attempt(p, who, how, voicemail_allowed=False)


def ways(progress: Progress, steps: int) -> Iterator[tuple[Progress, tuple, Progress]]:
    """Every allowed step of every way of so many steps: what was, what was done, what is."""
    if not steps:
        return
    for name, step in STEPS.items():
        try:
            following = step(progress)
        except NotAllowedError:
            continue
        yield progress, name, following
        yield from ways(following, steps - 1)


def test_every_six_step_sequence_preserves_invariants():
    count = 0
    for before, (what, *more), after in ways(Progress(), 6):
        count += 1
        who = more[0] if more else None
        assert before.state is not State.WITHDRAWN, "nothing follows a withdrawal"
        assert (after.state is State.WITHDRAWN) == (what == "withdraw")
        assert after.attempts - before.attempts == (what in ("attempt", "reach"))
        assert after.owner is None or after.state is not State.NEW, "who has it has begun"
        if after.state is State.CLAIMED:
            assert after.owner is not None
        if what in ("attempt", "reach", "close", "put_back"):
            assert before.owner == who, "only who has it works on it"
        if what == "claim":
            assert before.owner is None and after.owner == who, "a claim takes no request from another"
        if what == "reopen":
            assert before.state is State.CLOSED
        elif what != "withdraw":
            assert before.state in OPEN
        if what == "attempt":
            assert before.state is not State.REACHED and more[1] is not Attempt.VOICEMAIL
    assert count > 30_000


def test_every_state_is_reachable_and_only_withdrawn_is_final():
    seen = {after.state for _, _, after in ways(Progress(), 4)} | {State.NEW}
    assert seen == set(State)
    left = {before.state for before, _, _ in ways(Progress(), 5)}
    assert left == set(State) - {State.WITHDRAWN}


@pytest.mark.parametrize(
    ("progress", "step", "reason"),
    [
        (Progress(State.CLAIMED, ANN), lambda p: states.claim(p, BEN), "taken"),
        (Progress(State.CLAIMED, ANN), lambda p: states.claim(p, ANN), "yours"),
        (Progress(), lambda p: states.reach(p, ANN), "unclaimed"),
        (Progress(State.CLOSED, ANN), lambda p: states.claim(p, ANN), "closed"),
        (Progress(State.WITHDRAWN), lambda p: states.reopen(p, ANN), "withdrawn"),
        (Progress(State.CLAIMED, ANN), lambda p: states.reopen(p, ANN), "open"),
        (Progress(State.REACHED, ANN), states.change, "reached"),
    ],
)
def test_forbidden_transition_raises_with_its_reason(progress, step, reason):
    with pytest.raises(NotAllowedError) as refused:
        step(progress)
    assert refused.value.reason == reason


def test_voicemail_attempt_requires_the_patients_permission():
    claimed = Progress(State.CLAIMED, ANN)
    with pytest.raises(NotAllowedError) as refused:
        states.attempt(claimed, ANN, Attempt.VOICEMAIL, voicemail_allowed=False)
    assert refused.value.reason == "voicemail"
    assert states.attempt(claimed, ANN, Attempt.VOICEMAIL, voicemail_allowed=True).attempts == 1
