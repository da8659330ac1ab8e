"""Branching: which questions are visible, and their order."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.questionnaires import branching
from screening.questionnaires.loader import LIBRARY, load
from screening.questionnaires.model import NOT_ANSWERED, NOT_SHOWN
from tests.support.strategies import an_answer, any_answers, complete_answers
from tests.support.visitor import SIGNS

Q = load(LIBRARY / "warning_signs.toml")


@given(any_answers(Q))
def test_walk_asks_exactly_the_visible_questions(answers):
    asked = []
    given_so_far = {}
    while (question := branching.first_unanswered(Q, given_so_far)) is not None:
        asked.append(question)
        answer = answers.get(question.id) or question.choices[-1].code
        answer = (answer,) if question.kind == "many" and isinstance(answer, str) else answer
        given_so_far = branching.apply_answer(Q, given_so_far, question, answer)
    assert asked == [question for question in Q.questions if branching.is_visible(Q, question, given_so_far)]
    assert set(given_so_far) == {question.id for question in asked}


@given(any_answers(Q))
def test_follow_ups_are_visible_exactly_on_their_condition(answers):
    shown = {question.id for question in branching.visible_questions(Q, answers)}
    noticed = answers.get("pain") in ("1", "2", "3")
    assert ("pain_duration" in shown) == ("pain_average" in shown) == noticed
    assert ("age" in shown) == (answers.get("consent") == "yes")
    assert set(SIGNS) <= shown


@given(any_answers(Q))
def test_off_path_answers_are_dropped_idempotently(answers):
    on_path = branching.answers_on_path(Q, answers)
    assert on_path.keys() == {q.id for q in branching.visible_questions(Q, answers)} & answers.keys()
    assert branching.answers_on_path(Q, on_path) == on_path


@given(complete_answers(Q))
def test_changing_pain_to_none_drops_only_its_follow_ups(answers):
    changed = branching.apply_answer(Q, answers, Q.by_id["pain"], "0")
    assert "pain_duration" not in changed and "pain_average" not in changed
    assert {k: v for k, v in changed.items() if k in SIGNS and k != "pain"} == {
        k: v for k, v in answers.items() if k in SIGNS and k != "pain"
    }


@given(any_answers(Q), st.sampled_from(Q.questions))
def test_question_is_reachable_after_all_previous_are_answered(answers, question):
    shown = branching.visible_questions(Q, answers)
    reached = question in shown and all(q.id in answers for q in shown[: shown.index(question)])
    assert branching.is_reachable(Q, question, answers) == reached


@given(complete_answers(Q))
def test_next_and_previous_question_are_inverse(answers):
    shown = branching.visible_questions(Q, answers)
    for earlier, later in itertools.pairwise(shown):
        assert branching.next_question(Q, earlier, answers) == later
        assert branching.previous_question(Q, later, answers) == earlier
    assert (
        branching.previous_question(Q, shown[0], answers) is None
        and branching.next_question(Q, shown[-1], answers) is None
    )


@given(any_answers(Q))
def test_section_position_counts_seven_signs_on_every_path(answers):
    for number, sign in enumerate(Q.signs, 1):
        step = branching.section_position(Q, sign, answers)
        assert (step.number, step.total) == (number, 7)


@given(any_answers(Q))
def test_export_code_separates_skipped_declined_and_not_shown(answers):
    for question in Q.questions:
        if question.kind == "many":
            continue
        code = branching.export_code(Q, question, answers)
        if not branching.is_visible(Q, question, answers):
            assert code == NOT_SHOWN
        else:
            assert code == answers.get(question.id, NOT_ANSWERED)


@given(st.data())
def test_answer_not_offered_is_refused(data):
    question = data.draw(st.sampled_from(Q.questions))
    other = data.draw(st.text() | st.lists(st.text()).map(tuple))
    if not question.accepts(other):
        with pytest.raises(ValueError, match="not an answer"):
            branching.apply_answer(Q, {}, question, other)
    answer = data.draw(an_answer(question))
    assert question.accepts(answer)


@pytest.mark.parametrize(
    "answer", ["work", (), ("work", "none"), ("none", "declined"), ("work", "work"), ("nothing",), None, ["work"]]
)
def test_invalid_multiple_choice_answer_is_refused(answer):
    assert not Q.by_id["stress"].accepts(answer)
