"""The form of each question, made once at the start from the definition."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from flask_wtf import FlaskForm
from wtforms import Field, RadioField, SelectMultipleField, ValidationError

from screening.questionnaires.model import DECLINED, Answer, Question, Questionnaire

PICK_ONE = lazy_gettext("Pick the answer that fits best, or “Prefer not to say”")
PICK_ANY = lazy_gettext("Tick at least one answer, or “Prefer not to say”")
PICK_ALONE = lazy_gettext("Tick “None of these” or “Prefer not to say” on its own, or untick it")
PICK_YES_OR_NO = lazy_gettext("Choose yes or no. Your summary is the same either way")


class QuestionForm(FlaskForm):
    """One question. ``field`` is its only field, ``answer`` what was picked, in the model's shape."""

    question: Question

    class Meta:
        """What WTForms would do at every form and need not.

        Its own messages are never shown, and CSRFProtect checks the token of every post before a form is made.
        """

        csrf = False
        locales = False

    @property
    def field(self) -> Field:
        """The question's field."""
        return self[self.question.id]

    @property
    def answer(self) -> Answer | None:
        """What was picked of what is offered, whatever else was sent; nothing is None, or an empty tuple."""
        codes = tuple(choice.code for choice in self.question.chosen(_known(self.question, self.field.data)))
        return codes if self.question.kind == "many" else next(iter(codes), None)

    @property
    def checked(self) -> Answer:
        """What was picked, once the form is found valid. Raises ValueError before."""
        if self.answer is None:
            raise ValueError("the form was not validated")
        return self.answer

    @property
    def error(self) -> str | None:
        """What to say about the answer, None when it is fine."""
        return str(self.field.errors[0]) if self.field.errors else None


def _known(question: Question, data: Any) -> tuple[str, ...]:
    sent = data if isinstance(data, list) else [data]
    return tuple(code for code in sent if code in question.by_code)


@dataclass(frozen=True)
class EmptyForm:
    """A question as it is shown before its form is sent: what a page needs of a form, without making one."""

    question: Question
    answer: Answer | None
    error: None = None


def forms_for(questionnaire: Questionnaire) -> Mapping[str, type[QuestionForm]]:
    """A form class for every question, by its id."""
    return {question.id: _form_class(question) for question in questionnaire.questions}


def _form_class(question: Question) -> type[QuestionForm]:
    def check(form: FlaskForm, field: Field) -> None:
        answer = tuple(field.data or ()) if question.kind == "many" else field.data
        if not question.accepts(answer):
            raise ValidationError(_complaint(question, answer))

    kind = SelectMultipleField if question.kind == "many" else RadioField
    codes = [choice.code for choice in question.choices]
    field = kind(choices=codes, validators=[check], validate_choice=False)
    return type(f"{question.id.title()}Form", (QuestionForm,), {"question": question, question.id: field})


def _complaint(question: Question, answer: object) -> LazyString:
    if DECLINED not in question.by_code:
        return PICK_YES_OR_NO
    if question.kind != "many":
        return PICK_ONE
    known = isinstance(answer, tuple) and answer and all(code in question.by_code for code in answer)
    return PICK_ALONE if known else PICK_ANY
