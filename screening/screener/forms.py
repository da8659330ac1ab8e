"""A form class for each question, created at startup from the questionnaire."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Field, RadioField, SelectMultipleField, ValidationError

from screening.questionnaires.model import DECLINED, Answer, Question, Questionnaire

STALE = "stale"
"""Error code of a form whose token was refused; its answer may be valid."""

ERRORS = {
    "one": lazy_gettext("Pick the answer that fits best, or “Prefer not to say”"),
    "any": lazy_gettext("Check at least one box, or “Prefer not to say”"),
    "alone": lazy_gettext("Check “None of these” or “Prefer not to say” on its own, or uncheck it"),
    "yes_or_no": lazy_gettext("Choose yes or no. Your summary is the same either way"),
    STALE: lazy_gettext(
        "This page was open for a long time, or cookies are off. Your choice is still here: press the button again"
    ),
}
"""Error messages by the code that the draft stores."""


class QuestionForm(FlaskForm):
    """The form of one question. ``field`` is its only field, ``answer`` the selected choice or choices."""

    question: Question

    class Meta:
        """WTForms options: its own messages are never shown, and ``web.form_token`` has checked the token before."""

        csrf = False
        locales = False

    @property
    def field(self) -> Field:
        """The question's field."""
        return self[self.question.id]

    @property
    def answer(self) -> Answer | None:
        """The selected codes that the question offers, others ignored; None or an empty tuple without any."""
        codes = tuple(choice.code for choice in self.question.chosen(_known(self.question, self.field.data)))
        return codes if self.question.kind == "many" else next(iter(codes), None)

    @property
    def checked(self) -> Answer:
        """The answer of a validated form. Raises ValueError if there is none."""
        if self.answer is None:
            raise ValueError("the form was not validated")
        return self.answer

    @property
    def error(self) -> str | None:
        """The code of the answer's error (see ``ERRORS``), None for a valid answer."""
        return str(self.field.errors[0]) if self.field.errors else None


def _known(question: Question, data: Any) -> tuple[str, ...]:
    sent = data if isinstance(data, list) else [data]
    return tuple(code for code in sent if code in question.by_code)


def forms_for(questionnaire: Questionnaire) -> Mapping[str, type[QuestionForm]]:
    """Return a form class for every question, by question id."""
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
