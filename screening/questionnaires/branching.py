"""Branching: from answers to the next question. The path is derived from the answers; no current page is stored."""

from dataclasses import dataclass

from screening.questionnaires.model import NOT_ANSWERED, NOT_SHOWN, Answer, Answers, Question, Questionnaire


def is_visible(questionnaire: Questionnaire, question: Question, answers: Answers) -> bool:
    """Return whether a question is shown: its condition holds, and the question of the condition is shown."""
    condition = question.show_when
    if condition is None:
        return True
    parent = questionnaire.by_id[condition.question]
    points = parent.points(answers.get(parent.id))
    return points is not None and points >= condition.at_least and is_visible(questionnaire, parent, answers)


def visible_questions(questionnaire: Questionnaire, answers: Answers) -> tuple[Question, ...]:
    """Return the questions that are shown with these answers, in order."""
    return tuple(question for question in questionnaire.questions if is_visible(questionnaire, question, answers))


def first_unanswered(questionnaire: Questionnaire, answers: Answers) -> Question | None:
    """Return the first shown question without an answer; None when all are answered."""
    return next(
        (question for question in visible_questions(questionnaire, answers) if question.id not in answers), None
    )


def is_reachable(questionnaire: Questionnaire, question: Question, answers: Answers) -> bool:
    """Return whether a visitor may open this question: it is shown and all before it are answered."""
    for candidate in visible_questions(questionnaire, answers):
        if candidate == question:
            return True
        if candidate.id not in answers:
            return False
    return False


def previous_question(questionnaire: Questionnaire, question: Question, answers: Answers) -> Question | None:
    """Return the question shown before this one; None for the first."""
    earlier = reversed(questionnaire.questions[: questionnaire.questions.index(question)])
    return next((q for q in earlier if is_visible(questionnaire, q, answers)), None)


def next_question(questionnaire: Questionnaire, question: Question, answers: Answers) -> Question | None:
    """Return the question shown after this one; None for the last."""
    later = questionnaire.questions[questionnaire.questions.index(question) + 1 :]
    return next((q for q in later if is_visible(questionnaire, q, answers)), None)


def apply_answer(
    questionnaire: Questionnaire, answers: Answers, question: Question, answer: Answer
) -> dict[str, Answer]:
    """Return the answers with this one added, without those that it takes off the path.

    Raises ValueError when the answer is not one of the question's.
    """
    if not question.accepts(answer):
        raise ValueError("not an answer to this question")
    return answers_on_path(questionnaire, {**answers, question.id: answer})


def answers_on_path(questionnaire: Questionnaire, answers: Answers) -> dict[str, Answer]:
    """Return only valid answers to questions that are shown."""
    on_path: dict[str, Answer] = {}
    for question in questionnaire.questions:
        answer = answers.get(question.id)
        if answer is not None and question.accepts(answer) and is_visible(questionnaire, question, on_path):
            on_path[question.id] = answer
    return on_path


def export_code(questionnaire: Questionnaire, question: Question, answers: Answers) -> str:
    """Return an answer's code in exported data: a choice's code (declined included), not answered, or not shown.

    For questions with a single answer; those with several are never exported.
    """
    if not is_visible(questionnaire, question, answers):
        return NOT_SHOWN
    answer = answers.get(question.id, NOT_ANSWERED)
    if not isinstance(answer, str):
        raise TypeError(f"{question.id} allows several answers and has no single code")
    return answer


@dataclass(frozen=True)
class SectionPosition:
    """The position of a question in its section: ``number`` of ``total``, counting from 1."""

    section: str
    number: int
    total: int


def section_position(questionnaire: Questionnaire, question: Question, answers: Answers) -> SectionPosition:
    """Return the position of a shown question among the shown questions of its section.

    Sections are counted separately, so that follow-ups do not change the total of the signs.
    """
    peers = [q for q in visible_questions(questionnaire, answers) if q.section == question.section]
    return SectionPosition(question.section, peers.index(question) + 1, len(peers))
