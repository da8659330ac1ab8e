"""The format of a release's rows: columns, and the conversion of responses to rows."""

from collections import Counter
from collections.abc import Mapping
from sys import intern

from screening.questionnaires.model import Questionnaire
from screening.releases.anonymise import ANY, SUPPRESSED, Generalized
from screening.releases.hierarchies import QUASI_IDENTIFIERS

FULL_DETAIL, SIGNS_DETAIL = "full", "signs"
"""The two details of the answers: each frequency, or only whether a sign was noticed."""

NOTICED, NOT_NOTICED = "noticed", "not_noticed"

Row = tuple[str, ...]
"""The codes of one row, in the order of its columns."""

Rows = Mapping[Generalized, Counter[Row]]
"""Rows by their quasi-identifiers: the answers of each group, and how often they occur in it."""


class RowFormat:
    """The row format of one questionnaire.

    ``full`` has the quasi-identifiers, every sign's answer and the average pain; ``signs`` has the
    quasi-identifiers and whether each sign was noticed.
    """

    def __init__(self, questionnaire: Questionnaire) -> None:
        self.signs = tuple(sign.id for sign in questionnaire.signs)
        self.average = questionnaire.roles.pain_average
        self.pain = questionnaire.roles.pain
        self.mood = questionnaire.roles.mood
        self._points = {
            (sign.id, choice.code): choice.points for sign in questionnaire.signs for choice in sign.choices
        }
        self._in_signs = [{code: self._coarse(sign, code) for code in self.codes(sign)} for sign in self.signs]

    def columns(self, detail: str) -> tuple[str, ...]:
        """Return the names of the columns."""
        return (
            (*QUASI_IDENTIFIERS, *self.signs, self.average)
            if detail == FULL_DETAIL
            else (*QUASI_IDENTIFIERS, *self.signs)
        )

    def answers(self, answers: Mapping[str, str], hides_pain: bool) -> Row:
        """Return the answers of a row in full detail; those about pain are suppressed if its group hides pain."""
        hidden = (self.pain, self.average) if hides_pain else ()
        columns = (*self.signs, self.average)
        return tuple(intern(SUPPRESSED if column in hidden else answers[column]) for column in columns)

    def signs_of(self, answers: Row) -> Row:
        """Return the answers in detail ``signs`` for those in full detail."""
        return tuple([names.get(code, code) for names, code in zip(self._in_signs, answers, strict=False)])

    def in_signs(self, full: Rows) -> Rows:
        """Return rows in detail ``signs`` for those in full detail."""
        signs: dict[Generalized, Counter[Row]] = {}
        for group, found in full.items():
            signs[group] = Counter()
            for answers, number in found.items():
                signs[group][self.signs_of(answers)] += number
        return signs

    def codes(self, sign: str) -> tuple[str, ...]:
        """Return the codes of a sign's answers, in the order of the definition."""
        return tuple(code for of, code in self._points if of == sign)

    def noticed(self, sign: str, code: str) -> bool | None:
        """Return whether a sign was noticed; None if it was not answered."""
        points = self._points.get((sign, code))
        return None if points is None else points > 0

    def _coarse(self, sign: str, code: str) -> str:
        noticed = self.noticed(sign, code)
        return code if noticed is None else NOTICED if noticed else NOT_NOTICED


def hides_pain(generalized: Generalized) -> bool:
    """Return whether the rows of a group must not tell whether pain was named, since they do not tell how long."""
    return generalized[-1] in (ANY, SUPPRESSED)


def count_patterns(rows: Rows) -> Counter[Row]:
    """Return how often each pattern of answers occurs in all groups."""
    found: Counter[Row] = Counter()
    for answers in rows.values():
        found.update(answers)
    return found


def csv_record(row: Row) -> str:
    """Return a row as a line of CSV (RFC 4180). Codes are letters, digits, ``_`` and ``-``, so none needs quotes."""
    return ",".join(row) + "\r\n"
