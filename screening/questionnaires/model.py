"""The data model of a questionnaire: immutable, shared between threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Texts = Mapping[str, str]
"""A text in every language of the questionnaire: ``{"en": ..., "es": ...}``."""

Answer = str | tuple[str, ...]
"""A choice's code, or for a question with several answers the codes in the order of the definition."""

Answers = Mapping[str, Answer]
"""Answers by question id, without unanswered questions."""

Kind = Literal["one", "many", "scale"]
"""``one``: radio buttons. ``many``: checkboxes. ``scale``: radio buttons for numbers, in a row."""

DECLINED = "declined"
"""The code of "Prefer not to say": a separate answer, never counted as 0."""

NOT_ANSWERED = "not_answered"
"""The code in exported data of a question that was shown and not answered."""

NOT_SHOWN = "not_shown"
"""The code in exported data of a question that was not shown."""


@dataclass(frozen=True)
class Choice:
    """One possible answer.

    ``points`` is added to the total and evaluated by conditions; a choice without points is not counted.
    ``brief`` is a short text for charts. ``alone`` excludes every other choice of the question.
    ``tip`` is advice shown in the summary if this choice was selected.
    """

    code: str
    text: Texts
    points: int | None = None
    brief: Texts | None = None
    alone: bool = False
    tip: Texts | None = None


@dataclass(frozen=True)
class Condition:
    """Shows a question only if the answer to an earlier one has at least ``at_least`` points."""

    question: str
    at_least: int


@dataclass(frozen=True, eq=False)
class Question:
    """One question, shown on a page with its own URL. Compared by identity.

    ``text`` is the question in full, ``label`` its name in lists, ``short`` its name in charts.
    """

    id: str
    section: str
    kind: Kind
    text: Texts
    label: Texts
    choices: tuple[Choice, ...]
    caption: Texts | None = None
    hint: Texts | None = None
    short: Texts | None = None
    show_when: Condition | None = None

    @cached_property
    def by_code(self) -> Mapping[str, Choice]:
        """The choices by code."""
        return {choice.code: choice for choice in self.choices}

    def points(self, answer: Answer | None) -> int | None:
        """Return the points of an answer; None when there is no answer or its choice has no points."""
        if not isinstance(answer, str) or answer not in self.by_code:
            return None
        return self.by_code[answer].points

    def accepts(self, answer: object) -> bool:
        """Return whether a value, which may be untrusted, is a valid answer to this question."""
        if self.kind != "many":
            return isinstance(answer, str) and answer in self.by_code
        if not isinstance(answer, tuple) or not answer or len(set(answer)) != len(answer):
            return False
        if not all(isinstance(code, str) and code in self.by_code for code in answer):
            return False
        return len(answer) == 1 or not any(self.by_code[code].alone for code in answer)

    def chosen(self, answer: Answer | None) -> tuple[Choice, ...]:
        """Return the choices of an answer, in the order of the definition."""
        codes = (answer,) if isinstance(answer, str) else answer or ()
        return tuple(choice for choice in self.choices if choice.code in codes)


@dataclass(frozen=True)
class Section:
    """A group of questions. ``step`` is the progress text, with the placeholders ``{n}`` and ``{total}``."""

    id: str
    step: Texts


@dataclass(frozen=True)
class HelpRule:
    """The question and answers that trigger crisis help.

    After an answer in ``urgent`` the help page is shown; one in ``support`` adds a paragraph with the
    lifeline's number to the summary.
    """

    question: str
    urgent: frozenset[str]
    support: frozenset[str]


@dataclass(frozen=True)
class Roles:
    """The questions with a special role in the summary and the anonymous response, by id.

    ``minor`` is the code of "under 18" in the age question.
    """

    pain: str
    mood: frozenset[str]
    pain_duration: str
    pain_average: str
    stress: str
    consent: str
    age: str
    minor: str


@dataclass(frozen=True)
class Questionnaire:
    """A questionnaire; questions are in the order they are asked. The first section contains the signs."""

    id: str
    version: int
    locales: tuple[str, ...]
    sections: tuple[Section, ...]
    questions: tuple[Question, ...]
    help: HelpRule
    roles: Roles

    @cached_property
    def by_id(self) -> Mapping[str, Question]:
        """The questions by id."""
        return {question.id: question for question in self.questions}

    @cached_property
    def section_by_id(self) -> Mapping[str, Section]:
        """The sections by id."""
        return {section.id: section for section in self.sections}

    @cached_property
    def signs(self) -> tuple[Question, ...]:
        """The questions of the first section, which are counted."""
        return tuple(question for question in self.questions if question.section == self.sections[0].id)
