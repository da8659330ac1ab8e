"""What comes next."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.questionnaire import path
from screening.questionnaire.loader import LIBRARY, load
from screening.questionnaire.model import NOT_ANSWERED, NOT_SHOWN
from tests.support.strategies import an_answer, any_answers, complete_answers
from tests.support.visitor import SIGNS

Q = load(LIBRARY / "warning_signs.toml")


@given(any_answers(Q))
def test_walk_asks_exactly_the_visible_questions(answers):
    asked = []
    given_so_far = {}
    while (question := path.first_open(Q, given_so_far)) is not None:
        asked.append(question)
        answer = answers.get(question.id) or question.choices[-1].code
        answer = (answer,) if question.kind == "many" and isinstance(answer, str) else answer
        given_so_far = path.answered(Q, given_so_far, question, answer)
    assert asked == [question for question in Q.questions if path.is_shown(Q, question, given_so_far)]
    assert set(given_so_far) == {question.id for question in asked}


@given(any_answers(Q))
def test_follow_ups_are_visible_exactly_on_their_condition(answers):
    shown = {question.id for question in path.shown(Q, answers)}
    noticed = answers.get("pain") in ("1", "2", "3")
    assert ("pain_duration" in shown) == ("pain_average" in shown) == noticed
    assert ("age" in shown) == (answers.get("copy") == "yes")
    assert set(SIGNS) <= shown


@given(any_answers(Q))
def test_off_path_answers_are_dropped_idempotently(answers):
    kept = path.on_path(Q, answers)
    assert kept.keys() == {q.id for q in path.shown(Q, answers)} & answers.keys()
    assert path.on_path(Q, kept) == kept


@given(complete_answers(Q))
def test_changing_pain_to_none_drops_only_its_follow_ups(answers):
    changed = path.answered(Q, answers, Q.by_id["pain"], "0")
    assert "pain_duration" not in changed and "pain_average" not in changed
    assert {k: v for k, v in changed.items() if k in SIGNS and k != "pain"} == {
        k: v for k, v in answers.items() if k in SIGNS and k != "pain"
    }


@given(any_answers(Q), st.sampled_from(Q.questions))
def test_question_is_reachable_after_all_previous_are_answered(answers, question):
    shown = path.shown(Q, answers)
    reached = question in shown and all(q.id in answers for q in shown[: shown.index(question)])
    assert path.is_reachable(Q, question, answers) == reached


@given(complete_answers(Q))
def test_next_and_previous_question_are_inverse(answers):
    shown = path.shown(Q, answers)
    for earlier, later in itertools.pairwise(shown):
        assert path.after(Q, earlier, answers) == later
        assert path.before(Q, later, answers) == earlier
    assert path.before(Q, shown[0], answers) is None and path.after(Q, shown[-1], answers) is None


@given(any_answers(Q))
def test_section_position_counts_seven_signs_on_every_path(answers):
    for number, sign in enumerate(Q.signs, 1):
        step = path.step(Q, sign, answers)
        assert (step.number, step.total) == (number, 7)


@given(any_answers(Q))
def test_export_code_separates_skipped_declined_and_not_shown(answers):
    for question in Q.questions:
        if question.kind == "many":
            continue
        code = path.code(Q, question, answers)
        if not path.is_shown(Q, question, answers):
            assert code == NOT_SHOWN
        else:
            assert code == answers.get(question.id, NOT_ANSWERED)


@given(st.data())
def test_answer_not_offered_is_refused(data):
    question = data.draw(st.sampled_from(Q.questions))
    other = data.draw(st.text() | st.lists(st.text()).map(tuple))
    if not question.accepts(other):
        with pytest.raises(ValueError, match="not an answer"):
            path.answered(Q, {}, question, other)
    answer = data.draw(an_answer(question))
    assert question.accepts(answer)


@pytest.mark.parametrize(
    "answer",
    ["work", (), ("work", "none"), ("none", "declined"), ("work", "work"), ("nothing",), None, ["work"]],
)
def test_invalid_multiple_choice_answer_is_refused(answer):
    assert not Q.by_id["stress"].accepts(answer)
