"""A questionnaire as immutable data, shared between threads."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Texts = Mapping[str, str]
"""A text in every language of the questionnaire: ``{"en": ..., "es": ...}``."""

Answer = str | tuple[str, ...]
"""One choice's code, or for a question with many answers the codes in the order they are defined."""

Answers = Mapping[str, Answer]
"""Question id to answer. A question that was not answered is not in the mapping."""

Kind = Literal["one", "many", "scale"]
"""``one``: pick one. ``many``: tick any. ``scale``: pick one number, drawn as a row."""

DECLINED = "declined"
"""The code of "Prefer not to say": an answer of its own, never a nought."""

NOT_ANSWERED = "not_answered"
"""The code, in data, of a question that was shown and left open."""

NOT_SHOWN = "not_shown"
"""The code, in data, of a question that the answers never led to."""


@dataclass(frozen=True)
class Choice:
    """One answer a visitor can pick.

    ``points`` counts towards the total and decides branches; a choice without points is not counted.
    ``brief`` is the wording that fits a chart. ``alone`` excludes every other choice of the question.
    ``tip`` is advice shown in the summary to those who picked it.
    """

    code: str
    text: Texts
    points: int | None = None
    brief: Texts | None = None
    alone: bool = False
    tip: Texts | None = None


@dataclass(frozen=True)
class Condition:
    """Show a question when the answer to an earlier one is worth at least so many points."""

    question: str
    at_least: int


@dataclass(frozen=True, eq=False)
class Question:
    """One question: one page, one address. Two are the same only if they are one object.

    ``text`` is the question in full, ``label`` its name in a list, ``short`` its name in the chart.
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
        """The choices by their code."""
        return {choice.code: choice for choice in self.choices}

    def points(self, answer: Answer | None) -> int | None:
        """What an answer is worth: None when there is none, it was declined, or it carries no points."""
        if not isinstance(answer, str) or answer not in self.by_code:
            return None
        return self.by_code[answer].points

    def accepts(self, answer: object) -> bool:
        """Whether a value, from wherever it came, is a possible answer to this question."""
        if self.kind != "many":
            return isinstance(answer, str) and answer in self.by_code
        if not isinstance(answer, tuple) or not answer or len(set(answer)) != len(answer):
            return False
        if not all(isinstance(code, str) and code in self.by_code for code in answer):
            return False
        return len(answer) == 1 or not any(self.by_code[code].alone for code in answer)

    def chosen(self, answer: Answer | None) -> tuple[Choice, ...]:
        """The choices an answer names, in the order of the definition."""
        codes = (answer,) if isinstance(answer, str) else answer or ()
        return tuple(choice for choice in self.choices if choice.code in codes)


@dataclass(frozen=True)
class Section:
    """Questions that belong together. ``step`` is the progress text, with ``{n}`` and ``{total}``."""

    id: str
    step: Texts


@dataclass(frozen=True)
class HelpRule:
    """Which answers to which question call for crisis help.

    An answer in ``urgent`` is answered with the help page itself; one in ``support`` adds a
    supportive paragraph with the lifeline's number.
    """

    question: str
    urgent: frozenset[str]
    support: frozenset[str]


@dataclass(frozen=True)
class Roles:
    """Which question plays which part in the summary and in the anonymous copy.

    ``minor`` is the choice of the age question that stands for "under 18".
    """

    pain: str
    mood: frozenset[str]
    pain_duration: str
    pain_average: str
    stress: str
    consent: str
    age: str
    chronic: frozenset[str]
    minor: str


@dataclass(frozen=True)
class Questionnaire:
    """A whole questionnaire, in the order it is asked. The first section holds the signs."""

    id: str
    version: int
    locales: tuple[str, ...]
    sections: tuple[Section, ...]
    questions: tuple[Question, ...]
    help: HelpRule
    roles: Roles

    @cached_property
    def by_id(self) -> Mapping[str, Question]:
        """The questions by their id."""
        return {question.id: question for question in self.questions}

    @cached_property
    def section_by_id(self) -> Mapping[str, Section]:
        """The sections by their id."""
        return {section.id: section for section in self.sections}

    @cached_property
    def signs(self) -> tuple[Question, ...]:
        """The questions that are counted: those of the first section."""
        return tuple(question for question in self.questions if question.section == self.sections[0].id)
