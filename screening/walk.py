"""A visitor's walk through the questionnaire, as one request sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from flask import g

from screening import current
from screening.draft import Draft, current_draft
from screening.i18n.locale import current_locale
from screening.questionnaires import branching
from screening.questionnaires.model import Answer, Answers, Question, Questionnaire


@dataclass(frozen=True)
class Walk:
    """One request's view of a walk. ``answers`` are those on the path; ``now`` is in seconds since 1970, UTC."""

    questionnaire: Questionnaire
    draft: Draft
    answers: Answers
    locale: str
    now: int

    def answer(self, question: Question, given: Answer) -> Walk:
        """Store an answer in the draft and return the resulting walk."""
        self.draft.accept(question.id, branching.apply_answer(self.questionnaire, self.answers, question, given))
        return replace(self, answers=branching.answers_on_path(self.questionnaire, self.draft.answers))

    @property
    def open_question(self) -> Question | None:
        """The first unanswered question; None when all are answered."""
        return branching.first_unanswered(self.questionnaire, self.answers)


def current_walk() -> Walk:
    """Return the walk of the current request, built once; for views, the page frame and error handlers."""
    draft, found = current_draft(), g.get("walk")
    if found is None or found.draft is not draft:  # an application context may span several requests, as in tests
        questionnaire = current.questionnaire()
        answers = branching.answers_on_path(questionnaire, draft.answers)
        found = g.walk = Walk(questionnaire, draft, answers, current_locale(), current.now())
    return cast(Walk, found)
