"""The form of each question, made once at the start from the definition."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Field, RadioField, SelectMultipleField, ValidationError

from screening.questionnaires.model import DECLINED, Answer, Question, Questionnaire

STALE = "stale"
"""The error of a form whose token was refused; its answer may be right."""

ERRORS = {
    "one": lazy_gettext("Pick the answer that fits best, or “Prefer not to say”"),
    "any": lazy_gettext("Tick at least one answer, or “Prefer not to say”"),
    "alone": lazy_gettext("Tick “None of these” or “Prefer not to say” on its own, or untick it"),
    "yes_or_no": lazy_gettext("Choose yes or no. Your summary is the same either way"),
    STALE: lazy_gettext(
        "This page was open for a long time, or cookies are off. Your choice is still here: press the button again"
    ),
}
"""What is wrong with an answer, by the name under which the draft stores it."""


class QuestionForm(FlaskForm):
    """One question. ``field`` is its only field, ``answer`` what was picked, in the model's shape."""

    question: Question

    class Meta:
        """What WTForms would do at every form and need not.

        Its own messages are never shown, and ``web.form_token`` checks the token before a form is made.
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
        """The name of what is wrong with the answer (see ``ERRORS``), None when it is fine."""
        return str(self.field.errors[0]) if self.field.errors else None


def _known(question: Question, data: Any) -> tuple[str, ...]:
    sent = data if isinstance(data, list) else [data]
    return tuple(code for code in sent if code in question.by_code)


def forms_for(questionnaire: Questionnaire) -> Mapping[str, type[QuestionForm]]:
    """A form class for every question, by its id."""
    return {question.id: _form_class(question) for question in questionnaire.questions}


def _form_class(question: Question) -> type[QuestionForm]:
    def check(form: FlaskForm, field: Field) -> None:
        answer = tuple(field.data or ()) if question.kind == "many" else field.data
        if not question.accepts(answer):
            raise ValidationError(_error(question, answer))

    kind = SelectMultipleField if question.kind == "many" else RadioField
    codes = [choice.code for choice in question.choices]
    field = kind(choices=codes, validators=[check], validate_choice=False)
    return type(f"{question.id.title()}Form", (QuestionForm,), {"question": question, question.id: field})


def _error(question: Question, answer: object) -> str:
    if DECLINED not in question.by_code:
        return "yes_or_no"
    if question.kind != "many":
        return "one"
    known = isinstance(answer, tuple) and answer and all(code in question.by_code for code in answer)
    return "alone" if known else "any"
