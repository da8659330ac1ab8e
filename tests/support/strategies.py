"""Hypothesis strategies for answers."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from screening.questionnaires.branching import answers_on_path
from screening.questionnaires.model import Answer, Question, Questionnaire


def an_answer(question: Question) -> st.SearchStrategy[Answer]:
    """Any answer that the question accepts."""
    codes = [choice.code for choice in question.choices]
    if question.kind != "many":
        return st.sampled_from(codes)
    alone = st.sampled_from([(choice.code,) for choice in question.choices if choice.alone])
    free = [choice.code for choice in question.choices if not choice.alone]
    return alone | st.lists(st.sampled_from(free), min_size=1, unique=True).map(tuple)


def any_answers(questionnaire: Questionnaire) -> st.SearchStrategy[dict[str, Answer]]:
    """Any subset of questions with any accepted answers, on the path or not."""
    optional: dict[str, Any] = {question.id: an_answer(question) for question in questionnaire.questions}
    return st.fixed_dictionaries({}, optional=optional)


def complete_answers(questionnaire: Questionnaire) -> st.SearchStrategy[dict[str, Answer]]:
    """Accepted answers to every question on the path, and to no other."""
    all_answered = st.fixed_dictionaries({q.id: an_answer(q) for q in questionnaire.questions})
    return all_answered.map(lambda answers: answers_on_path(questionnaire, answers))
