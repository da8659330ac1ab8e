"""The workflow of a request: every sequence of six transitions, and the invariants on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from screening.callbacks import workflow
from screening.callbacks.workflow import EFFECTS, OPEN_STATES, NotAllowedError, Outcome, Progress, State
from screening.config_values import RETRY_OUTCOMES

ANN, BEN = "ann", "ben"
LATER = 1_800_000_000

STEPS: dict[tuple, Callable[[Progress], Progress]] = {("withdraw",): workflow.withdraw}
for who in (ANN, BEN):
    STEPS[("claim", who)] = lambda p, who=who: workflow.claim(p, who)
    STEPS[("reassign", who)] = lambda p, who=who: workflow.reassign(p, who)
    STEPS[("put_back", who)] = lambda p, who=who: workflow.put_back(p, who)
    STEPS[("close", who)] = lambda p, who=who: workflow.close(p, who)
    STEPS[("reopen", who)] = lambda p, who=who: workflow.reopen(p, who)
    for how in (Outcome.NO_ANSWER, Outcome.VOICEMAIL, Outcome.CALL_AGAIN, Outcome.STOP, Outcome.UNREACHABLE):
        STEPS[("record", who, how)] = lambda p, who=who, how=how: workflow.record(p, who, how, next_at=LATER)


def transitions(progress: Progress, steps: int) -> Iterator[tuple[Progress, tuple, Progress]]:
    """Generate every allowed step of all sequences of this length: progress before, the step, progress after."""
    if not steps:
        return
    for name, step in STEPS.items():
        try:
            following = step(progress)
        except NotAllowedError:
            continue
        yield progress, name, following
        yield from transitions(following, steps - 1)


def test_every_six_step_sequence_preserves_invariants():
    count = 0
    for before, (what, *more), after in transitions(Progress(), 6):
        count += 1
        who = more[0] if more else None
        assert before.state is not State.WITHDRAWN, "withdrawn is final"
        assert (after.state is State.WITHDRAWN) == (what == "withdraw")
        assert after.attempts - before.attempts == (what == "record" and more[1] is not Outcome.UNREACHABLE)
        expected = LATER if what == "record" else before.next_at
        assert after.next_at == (expected if after.state in OPEN_STATES else None), (
            "without success: when to call again"
        )
        assert after.owner is None or after.state is not State.NEW, "a claimed request is in progress"
        if after.state is State.CLAIMED:
            assert after.owner is not None
        if what in ("close", "put_back"):
            assert before.owner == who, "only the owner may act"
        if what == "record":
            assert before.owner in (None, who) and after.owner == who, "an outcome claims an unclaimed request"
        if what == "claim":
            assert before.owner is None and after.owner == who, "a claim needs an unclaimed request"
        if what == "reopen":
            assert before.state is State.CLOSED
        elif what != "withdraw":
            assert before.state in OPEN_STATES
        if what == "record":
            assert more[1] is not Outcome.VOICEMAIL
            assert not (before.state is State.REACHED and after.state is State.ATTEMPTED), "reached stays reached"
    assert count > 30_000


def test_every_state_is_reachable_and_only_withdrawn_is_final():
    seen = {after.state for _, _, after in transitions(Progress(), 4)} | {State.NEW}
    assert seen == set(State)
    left = {before.state for before, _, _ in transitions(Progress(), 5)}
    assert left == set(State) - {State.WITHDRAWN}


@pytest.mark.parametrize(
    ("progress", "step", "reason"),
    [
        (Progress(State.CLAIMED, ANN), lambda p: workflow.claim(p, BEN), "taken"),
        (Progress(State.CLAIMED, ANN), lambda p: workflow.claim(p, ANN), "yours"),
        (Progress(), lambda p: workflow.close(p, ANN), "unclaimed"),
        (Progress(State.CLOSED, ANN), lambda p: workflow.record(p, ANN, Outcome.BUSY, LATER), "closed"),
        (Progress(State.CLOSED, ANN), lambda p: workflow.claim(p, ANN), "closed"),
        (Progress(State.WITHDRAWN), lambda p: workflow.reopen(p, ANN), "withdrawn"),
        (Progress(State.CLAIMED, ANN), lambda p: workflow.reopen(p, ANN), "open"),
        (Progress(State.REACHED, ANN), workflow.change, "reached"),
    ],
)
def test_forbidden_transition_raises_with_its_reason(progress, step, reason):
    with pytest.raises(NotAllowedError) as refused:
        step(progress)
    assert refused.value.reason == reason


def test_voicemail_outcome_requires_the_patients_permission():
    claimed = Progress(State.CLAIMED, ANN)
    with pytest.raises(NotAllowedError) as refused:
        workflow.record(claimed, ANN, Outcome.VOICEMAIL, LATER)
    assert refused.value.reason == "voicemail"
    assert workflow.record(claimed, ANN, Outcome.VOICEMAIL, LATER, voicemail_allowed=True).attempts == 1


@pytest.mark.parametrize("outcome", Outcome)
def test_outcome_leads_to_the_state_of_the_table(outcome):
    after = workflow.record(Progress(State.CLAIMED, ANN), ANN, outcome, LATER, voicemail_allowed=True)
    assert after.state is EFFECTS[outcome].state
    assert (after.next_at == LATER) == (after.state in OPEN_STATES)


def test_every_outcome_with_a_wait_has_a_setting():
    assert {outcome.value for outcome, effect in EFFECTS.items() if effect.waits} == set(RETRY_OUTCOMES)


@pytest.mark.parametrize("outcome", Outcome)
def test_undo_restores_the_position_unless_something_changed(outcome):
    before = Progress(State.ATTEMPTED, None, 2, LATER - 5)
    after = workflow.record(before, ANN, outcome, LATER, voicemail_allowed=True)
    assert workflow.undo(after, before, after) == before
    with pytest.raises(NotAllowedError):
        workflow.undo(workflow.withdraw(after), before, after)


SHOWN_STEPS: dict[str, Callable[[Progress], Progress]] = {
    "claim": lambda p: workflow.claim(p, ANN),
    "close": lambda p: workflow.close(p, ANN),
    "put_back": lambda p: workflow.put_back(p, ANN),
    "hand_over": lambda p: workflow.reassign(p, BEN),
    "reopen": lambda p: workflow.reopen(p, ANN),
    "erase": workflow.withdraw,
}


def succeeds(step: Callable[[Progress], Progress], progress: Progress) -> bool:
    try:
        step(progress)
    except NotAllowedError:
        return False
    return True


def test_allowed_actions_are_the_steps_that_succeed():
    reached = {Progress(), *(after for _, _, after in transitions(Progress(), 4))}
    assert {progress.state for progress in reached} == set(State)
    for progress in reached:
        actions = workflow.allowed(progress, ANN)
        assert actions <= {action.value for action in workflow.Action}
        for name, step in SHOWN_STEPS.items():
            assert (name in actions) == succeeds(step, progress), (name, progress)
        claimed = progress if progress.owner else workflow.claim(progress, ANN) if "claim" in actions else progress
        assert ("call" in actions) == (
            succeeds(lambda p: workflow.record(p, ANN, Outcome.NO_ANSWER, LATER), claimed)
        ), progress
        assert workflow.patient_may_change(progress) == succeeds(workflow.change, progress)
