"""Scoring: from answers to the facts of the summary. Counts only, no severity or diagnosis (not validated)."""

from dataclasses import dataclass
from enum import Enum

from screening.questionnaires.branching import answers_on_path
from screening.questionnaires.model import DECLINED, Answers, Choice, Question, Questionnaire

MORE_THAN_HALF = 2
"""Points from which a sign counts as present "on more than half the days"."""

SEVERAL = 3
"""Number of noticed signs from which the summary says "several"."""


class Level(Enum):
    """How many signs were noticed, as a category. Not a severity."""

    NONE = "none"
    SOME = "some"
    SEVERAL = "several"


class Help(Enum):
    """The crisis help that the answers trigger."""

    NONE = "none"
    SUPPORT = "support"
    URGENT = "urgent"


@dataclass(frozen=True)
class Sign:
    """One sign and its answer: ``choice`` is None when it was declined or not answered."""

    question: Question
    choice: Choice | None
    declined: bool

    @property
    def points(self) -> int | None:
        """0 to 3, or None if declined or not answered."""
        return self.choice.points if self.choice else None

    @property
    def noticed(self) -> bool:
        """Whether the sign was noticed at all."""
        return bool(self.points)


@dataclass(frozen=True)
class Summary:
    """The facts that the summary page states.

    ``level`` is None when the unanswered signs could change it; the page then states only "at least
    ``noticed``". ``points`` (0 to 21) is for the clinic's data and not shown to visitors.
    """

    signs: tuple[Sign, ...]
    noticed: int
    more_than_half: int
    declined: int
    unanswered: int
    points: int
    level: Level | None
    help: Help
    cycle: bool
    pain_duration: Choice | None
    pain_average: Choice | None
    stress: tuple[Choice, ...]
    minor: bool

    @property
    def skipped(self) -> int:
        """The number of signs without an answer: every count is then at least what it says."""
        return self.declined + self.unanswered

    @property
    def answered(self) -> int:
        """The number of signs with an answer."""
        return len(self.signs) - self.skipped


def level_of(noticed: int) -> Level:
    """Return the level of a count of noticed signs."""
    if noticed == 0:
        return Level.NONE
    return Level.SEVERAL if noticed >= SEVERAL else Level.SOME


def help_level(questionnaire: Questionnaire, answers: Answers) -> Help:
    """Return the crisis help that the answers trigger. Answers may be incomplete."""
    answer = answers.get(questionnaire.help.question)
    if answer in questionnaire.help.urgent:
        return Help.URGENT
    if answer in questionnaire.help.support:
        return Help.SUPPORT
    return Help.NONE


def score(questionnaire: Questionnaire, answers: Answers) -> Summary:
    """Return the summary of these answers. Answers off the path are ignored."""
    answers = answers_on_path(questionnaire, answers)
    roles = questionnaire.roles
    signs = tuple(_sign(question, answers) for question in questionnaire.signs)
    noticed = sum(sign.noticed for sign in signs)
    open_signs = sum(sign.choice is None for sign in signs)
    noticed_ids = {sign.question.id for sign in signs if sign.noticed}
    lowest, highest = level_of(noticed), level_of(noticed + open_signs)
    return Summary(
        signs=signs,
        noticed=noticed,
        more_than_half=sum((sign.points or 0) >= MORE_THAN_HALF for sign in signs),
        declined=sum(sign.declined for sign in signs),
        unanswered=sum(sign.choice is None and not sign.declined for sign in signs),
        points=sum(sign.points or 0 for sign in signs),
        level=lowest if lowest is highest else None,
        help=help_level(questionnaire, answers),
        cycle=roles.pain in noticed_ids and bool(noticed_ids & roles.mood),
        pain_duration=_picked(questionnaire, roles.pain_duration, answers),
        pain_average=_picked(questionnaire, roles.pain_average, answers),
        stress=tuple(c for c in questionnaire.by_id[roles.stress].chosen(answers.get(roles.stress)) if c.tip),
        minor=answers.get(roles.age) == roles.minor,
    )


def _sign(question: Question, answers: Answers) -> Sign:
    answer = answers.get(question.id)
    declined = answer == DECLINED
    choice = question.by_code[answer] if isinstance(answer, str) and not declined else None
    return Sign(question, choice, declined)


def _picked(questionnaire: Questionnaire, question_id: str, answers: Answers) -> Choice | None:
    """Return the selected choice; None when there is none or it was declined."""
    chosen = questionnaire.by_id[question_id].chosen(answers.get(question_id))
    return next((choice for choice in chosen if choice.code != DECLINED), None)
