"""Scoring: the summary of the answers."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given

from screening.questionnaires.loader import LIBRARY, load
from screening.questionnaires.model import DECLINED
from screening.questionnaires.scoring import Help, Level, help_level, level_of, score
from tests.support.strategies import any_answers, complete_answers
from tests.support.visitor import SIGNS

Q = load(LIBRARY / "warning_signs.toml")
POINTS = {"0": 0, "1": 1, "2": 2, "3": 3}


@given(any_answers(Q))
def test_summary_counts_match_the_answers(answers):
    summary = score(Q, answers)
    signs = [answers.get(sign) for sign in SIGNS]
    assert summary.noticed == sum(answer in ("1", "2", "3") for answer in signs)
    assert summary.more_than_half == sum(answer in ("2", "3") for answer in signs)
    assert summary.declined == signs.count(DECLINED)
    assert summary.unanswered == signs.count(None)
    assert summary.points == sum(POINTS.get(answer or "", 0) for answer in signs)
    assert 0 <= summary.points <= 21
    assert summary.skipped + summary.answered == len(SIGNS) and summary.answered >= summary.noticed


@given(any_answers(Q))
def test_level_is_given_only_if_every_completion_agrees(answers):
    summary = score(Q, answers)
    left_open = [sign for sign in SIGNS if answers.get(sign) in (None, DECLINED)]
    # Two values represent all four: only noticed or not noticed matters.
    completions = product(("0", "3"), repeat=len(left_open))
    levels = {score(Q, answers | dict(zip(left_open, filled, strict=True))).level for filled in completions}
    if len(levels) == 1:
        assert summary.level == levels.pop()
    else:
        assert summary.level is None


@pytest.mark.parametrize(("noticed", "level"), [(0, "none"), (1, "some"), (2, "some"), (3, "several"), (7, "several")])
def test_level_is_derived_from_the_noticed_count(noticed, level):
    assert level_of(noticed) is Level(level)


@given(any_answers(Q))
def test_help_level_follows_the_hopelessness_answer(answers):
    answer = answers.get("hopelessness")
    expected = {"3": Help.URGENT, "1": Help.SUPPORT, "2": Help.SUPPORT, DECLINED: Help.SUPPORT}.get(answer, Help.NONE)
    assert help_level(Q, answers) is expected
    assert score(Q, answers).help is expected


@given(complete_answers(Q))
def test_cycle_is_set_when_pain_and_a_mood_sign_are_noticed(answers):
    noticed = {sign for sign in SIGNS if answers[sign] in ("1", "2", "3")}
    expected = "pain" in noticed and bool(noticed & {"sadness", "hopelessness", "interest", "motivation"})
    assert score(Q, answers).cycle == expected


@given(complete_answers(Q))
def test_pain_facts_and_stress_tips_match_the_answers(answers):
    summary = score(Q, answers)
    duration, average = answers.get("pain_duration"), answers.get("pain_average")
    assert (summary.pain_duration.code if summary.pain_duration else None) == (
        None if duration == DECLINED else duration
    )
    assert (summary.pain_average.code if summary.pain_average else None) == (None if average == DECLINED else average)
    assert {choice.code for choice in summary.stress} == set(answers["stress"]) - {"none", DECLINED}
    assert summary.minor == (answers.get("age") == "under_18")


def test_summary_ignores_off_path_answers():
    summary = score(Q, {"pain": "0", "pain_duration": "over_a_year", "pain_average": "9"})
    assert summary.pain_duration is None and summary.pain_average is None
