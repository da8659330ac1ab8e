"""The codebook of a release: each column and each code that it can contain, in every language."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_skeleton
from babel.support import Translations

from screening.i18n.catalogs import CATALOGS
from screening.questionnaires.model import DECLINED, NOT_ANSWERED, NOT_SHOWN, Choice, Question, Questionnaire, Texts
from screening.releases.anonymise import ANY, SUPPRESSED
from screening.releases.hierarchies import QUASI_IDENTIFIERS, Hierarchies
from screening.releases.row_format import FULL_DETAIL, NOT_NOTICED, NOTICED

PERIOD, AGE_BAND, PAIN_DURATION = QUASI_IDENTIFIERS

MISSING = (DECLINED, NOT_ANSWERED, NOT_SHOWN, SUPPRESSED, ANY)
"""The codes that are no answer. Scripts for SPSS number them -1 to -5, those for Stata ``.a`` to ``.e``."""


@dataclass(frozen=True)
class Code:
    """A code of a column, and its meaning."""

    code: str
    text: Texts


@dataclass(frozen=True)
class Column:
    """A column: its name, a short ``label`` for analysts, the ``question`` as visitors were asked it, its codes.

    ``asked_when``: the sign, and its codes, on which the question depends; None if it depends on no sign.
    """

    name: str
    label: Texts
    question: Texts
    codes: tuple[Code, ...]
    asked_when: tuple[str, tuple[str, ...]] | None = None


def columns(
    manifest: Mapping[str, Any], questionnaire: Questionnaire, hierarchies: Hierarchies, detail: str
) -> tuple[Column, ...]:
    """Return the columns of a release in order, with the codes that its levels and suppression allow.

    ``detail`` is ``signs`` or ``full``; questionnaire and hierarchies must be those the release was made with.
    """
    return _Codebook(manifest, questionnaire, hierarchies, detail).columns()


def to_json(columns: Iterable[Column]) -> list[dict[str, Any]]:
    """Return columns as JSON values."""
    return [
        {
            "name": column.name,
            "label": dict(column.label),
            "question": dict(column.question),
            "codes": [{"code": code.code, "text": dict(code.text)} for code in column.codes],
            "asked_when": column.asked_when,
        }
        for column in columns
    ]


def from_json(stored: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return columns from JSON values."""
    return tuple(_column(**column) for column in stored)


def _column(codes: list[dict[str, Any]], asked_when: list[Any] | None, **texts: Any) -> Column:
    when = (asked_when[0], tuple(asked_when[1])) if asked_when else None
    return Column(codes=tuple(Code(**code) for code in codes), asked_when=when, **texts)


def locales(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the languages of a codebook, English first."""
    return tuple(sorted(columns[0].label, key=lambda locale: (locale != "en", locale)))


def codebook_rows(columns: Sequence[Column]) -> Iterator[list[str]]:
    """Yield the codebook as rows of cells: the header, then a row for each code of each column."""
    languages = locales(columns)
    texts = [f"{name}_{locale}" for name in ("label", "question") for locale in languages]
    yield ["column", *texts, "asked_when", "code", "kind", *(f"code_label_{locale}" for locale in languages)]
    for column in columns:
        about = [text[locale] for text in (column.label, column.question) for locale in languages]
        sign, enough = column.asked_when or ("", ())
        about.append(f"{sign} is {' or '.join(enough)}" if sign else "")
        for code in column.codes:
            kind = "missing" if code.code in MISSING else "answer"
            yield [column.name, *about, code.code, kind, *(code.text[locale] for locale in languages)]


class _Codebook:
    """Builds the columns of one release."""

    def __init__(
        self, manifest: Mapping[str, Any], questionnaire: Questionnaire, hierarchies: Hierarchies, detail: str
    ) -> None:
        self.manifest, self.questionnaire, self.hierarchies, self.detail = manifest, questionnaire, hierarchies, detail
        self.words = _words(questionnaire.locales)
        self.is_pain_stated = manifest["levels"][PAIN_DURATION] != ANY

    def columns(self) -> tuple[Column, ...]:
        roles = self.questionnaire.roles
        asked = [self._period(), self._banded(AGE_BAND, roles.age), self._banded(PAIN_DURATION, roles.pain_duration)]
        asked += [self._answered(sign) for sign in self.questionnaire.signs]
        if self.detail == FULL_DETAIL:
            asked.append(self._answered(self.questionnaire.by_id[roles.pain_average]))
        return tuple(asked)

    def _period(self) -> Column:
        periods = [period for period in self.manifest["periods"] if period not in (ANY, SUPPRESSED)]
        locales = self.questionnaire.locales
        codes = [Code(period, {at: self._period_name(period, at) for at in locales}) for period in periods]
        if self.manifest["levels"][PERIOD] == ANY:
            codes = self._special(ANY)
        label = self.words[f"{PERIOD}_{self.manifest['levels'][PERIOD]}"]
        return Column(PERIOD, label, self.words["not_a_question"], (*codes, *self._suppressed()))

    def _period_name(self, period: str, locale: str) -> str:
        """Format ``2026-11``, ``2026-Q4`` or ``2026``. A month gets a word before it, else a spreadsheet dates it."""
        year, _, part = period.partition("-")
        if not part:
            return year
        if part.startswith("Q"):
            return format_skeleton("yQQQQ", date(int(year), int(part[1:]) * 3, 1), locale=locale)
        return self.words["month"][locale] % {
            "month": format_skeleton("yMMMM", date(int(year), int(part), 1), locale=locale)
        }

    def _banded(self, detail: str, asked: str) -> Column:
        """Return the column of a quasi-identifier, with the codes of its level."""
        question = self.questionnaire.by_id[asked]
        stated = self.manifest["levels"][detail]
        level = next(level for level in getattr(self.hierarchies, detail) if level.id == stated).generalized
        possible = [choice.code for choice in question.choices if choice.code != self.questionnaire.roles.minor]
        possible += self._unanswered(question)
        texts = {choice.code: choice.text for choice in question.choices} | self.words
        generalized = dict.fromkeys(level[code] for code in possible)
        codes = [Code(code, self.hierarchies.groups.get((detail, code)) or texts[code]) for code in generalized]
        return Column(
            detail, question.label, _in_full(question), (*codes, *self._suppressed()), self._asked_when(question)
        )

    def _answered(self, question: Question) -> Column:
        """Return the column of a sign or the average pain; answers about pain are suppressed with the pain duration."""
        roles = self.questionnaire.roles
        about_pain = question.id in (roles.pain, roles.pain_average)
        codes = self._choices(question) + self._special(*self._unanswered(question))
        if about_pain:
            codes = codes + self._suppressed() if self.is_pain_stated else self._special(SUPPRESSED)
        return Column(question.id, self._label(question), _in_full(question), tuple(codes), self._asked_when(question))

    def _label(self, question: Question) -> Texts:
        """Return what the codes state: of a sign with its time, of a number with the lowest and the highest."""
        numbers = [choice.code for choice in question.choices if choice.code != DECLINED]
        pattern = self.words[f"label_{self.detail}" if question in self.questionnaire.signs else "label_number"]
        if question.kind != "scale" and question not in self.questionnaire.signs:
            return question.label
        label = {}
        for locale, name in question.label.items():
            time = (question.caption or {}).get(locale, "")
            about = {"name": name, "time": time[:1].lower() + time[1:], "lowest": numbers[0], "highest": numbers[-1]}
            label[locale] = (pattern[locale] % about).strip()
        return label

    def _choices(self, question: Question) -> list[Code]:
        return list({code.code: code for code in map(self._choice, question.choices)}.values())

    def _choice(self, choice: Choice) -> Code:
        """Return the code of a choice: itself in full detail, else whether the sign was noticed."""
        if choice.code == DECLINED:
            return self._special(DECLINED)[0]
        if self.detail == FULL_DETAIL or choice.points is None:
            return Code(choice.code, choice.text)
        return self._special(NOTICED if choice.points > 0 else NOT_NOTICED)[0]

    def _unanswered(self, question: Question) -> list[str]:
        """Return the codes of a missing answer. A question that depends on the consent only was always shown."""
        condition = question.show_when
        is_branch = condition is not None and condition.question != self.questionnaire.roles.consent
        return [NOT_SHOWN, NOT_ANSWERED] if is_branch else [NOT_ANSWERED]

    def _asked_when(self, question: Question) -> tuple[str, tuple[str, ...]] | None:
        condition = question.show_when
        parent = next((sign for sign in self.questionnaire.signs if condition and sign.id == condition.question), None)
        if condition is None or parent is None:
            return None
        enough = [choice for choice in parent.choices if (choice.points or 0) >= condition.at_least]
        return parent.id, tuple(dict.fromkeys(self._choice(choice).code for choice in enough))

    def _suppressed(self) -> list[Code]:
        return self._special(SUPPRESSED) if self.manifest["masked_rows"] else []

    def _special(self, *codes: str) -> list[Code]:
        return [Code(code, self.words[code]) for code in codes]


def _in_full(question: Question) -> Texts:
    """Return a question with its caption (the time it asks about) and hint (such as what 0 and 10 mean)."""
    before = {locale: f"{text}: " for locale, text in (question.caption or {}).items()}
    after = {locale: f" {text}" for locale, text in (question.hint or {}).items()}
    return {at: f"{before.get(at, '')}{text}{after.get(at, '')}" for at, text in question.text.items()}


def _words(locales: tuple[str, ...]) -> dict[str, Texts]:
    """Return texts that are not in the definition, by code, in every language; read from the catalogs directly."""
    texts = {locale: _of_locale(Translations.load(CATALOGS, [locale]).gettext) for locale in locales}
    return {code: {locale: texts[locale][code] for locale in locales} for code in texts[locales[0]]}


def _of_locale(gettext: Callable[[str], str]) -> dict[str, str]:
    return {
        "period_month": gettext("Month of the response"),
        "period_quarter": gettext("Quarter of the response"),
        "period_year": gettext("Year of the response"),
        "period_any": gettext("Period of the response"),
        "month": gettext("In %(month)s"),
        "not_a_question": gettext("Not a question: when the response came in."),
        "label_signs": gettext("%(name)s: noticed %(time)s"),
        "label_full": gettext("%(name)s: how often %(time)s"),
        "label_number": gettext("%(name)s: %(lowest)s to %(highest)s"),
        NOTICED: gettext("Noticed"),
        NOT_NOTICED: gettext("Not noticed"),
        DECLINED: gettext("Chose not to say"),
        NOT_ANSWERED: gettext("Asked, but left blank"),
        NOT_SHOWN: gettext("Not asked, because of an earlier answer"),
        ANY: gettext("Not stated in this release"),
        SUPPRESSED: gettext("Hidden in this row, to protect privacy"),
    }
