"""Loads and validates a questionnaire definition in TOML; errors name file, question and field."""

import tomllib
from collections.abc import Iterable
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Any

from screening.questionnaires.model import (
    DECLINED,
    Choice,
    Condition,
    HelpRule,
    Question,
    Questionnaire,
    Roles,
    Section,
    Texts,
)
from screening.questionnaires.names import CODE, ID, MAX_ID, MAX_NAME, MAX_VERSION, RESERVED_CODES, is_reserved
from screening.questionnaires.table_reader import DefinitionError, TableReader

LIBRARY = Path(__file__).with_name("library")
"""The definitions that come with the software."""

MAX_SHORT_TEXT = 20
"""Longest name of a sign that fits the chart, which is 300 units wide."""

MAX_BRIEF_TEXT = 17
"""Longest answer text that fits the chart."""

KINDS = ("one", "many", "scale")


def load(path: Path) -> Questionnaire:
    """Read and validate a definition. Raises DefinitionError, also when the file cannot be read or parsed."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DefinitionError(f"{path.name}: {error}") from error
    return _Reader(path.name, data).questionnaire()


class _Reader(TableReader):
    """Parses one definition. Each method parses one kind of table; its errors name table and field."""

    def questionnaire(self) -> Questionnaire:
        top = "top level"
        self.only(self.data, top, {"id", "version", "locales", "help", "roles", "sections", "scales", "questions"})
        self.locales = self.strings(self.data, top, "locales")
        if "en" not in self.locales:
            raise self.fail(top, "locales", "must name en")
        sections = tuple(self.section(table) for table in self.tables(self.data, top, "sections"))
        scales = self.scales()
        questions = tuple(self.question(table, scales) for table in self.tables(self.data, top, "questions"))
        self.unique((section.id for section in sections), "sections")
        self.unique((question.id for question in questions), "questions")
        self.check_branches(questions)
        self.check_sections(sections, questions)
        name = self.string(self.data, top, "id")
        if len(name) > MAX_NAME or not ID.fullmatch(name):
            raise self.fail(top, "id", f"must be at most {MAX_NAME} of a to z, 0 to 9 and single _ between them")
        for question in questions:
            if question.id == f"{name}_complete":
                raise self.fail(f"question {question.id}", "id", "is a field of REDCap's own")
        version = self.whole(self.data, top, "version")
        if not 1 <= version <= MAX_VERSION:
            raise self.fail(top, "version", f"must be 1 to {MAX_VERSION}")
        return Questionnaire(
            id=name,
            version=version,
            locales=self.locales,
            sections=sections,
            questions=questions,
            help=self.help_rule(questions),
            roles=self.roles(questions, sections[0].id),
        )

    def section(self, table: dict[str, Any]) -> Section:
        where = f"section {table.get('id', '?')}"
        self.only(table, where, {"id", "step"})
        step = self.texts(table, where, "step")
        for locale, text in step.items():
            if not {name for _, name, _, _ in Formatter().parse(text) if name is not None} <= {"n", "total"}:
                raise self.fail(where, f"step.{locale}", "may only hold {n} and {total}")
        return Section(self.string(table, where, "id"), step)

    def scales(self) -> dict[str, tuple[Choice, ...]]:
        scales: dict[str, tuple[Choice, ...]] = {}
        for table in self.tables(self.data, "top level", "scales", required=False):
            where = f"scale {table.get('id', '?')}"
            self.only(table, where, {"id", "choices"})
            scale = self.string(table, where, "id")
            if scale in scales:
                raise self.fail(where, "id", "is used twice")
            scales[scale] = self.choices(table, where)
        return scales

    def question(self, table: dict[str, Any], scales: dict[str, tuple[Choice, ...]]) -> Question:
        where = f"question {table.get('id', '?')}"
        self.only(
            table,
            where,
            {"id", "section", "kind", "scale", "choices", "numbers", "lowest", "highest", "declined", "show_when"}
            | {"caption", "text", "hint", "label", "short"},
        )
        id_ = self.string(table, where, "id")
        if is_reserved(id_):
            raise self.fail(where, "id", "is reserved for data, or is a word of SPSS or Stata")
        if len(id_) > MAX_ID or not ID.fullmatch(id_):
            raise self.fail(where, "id", f"must be at most {MAX_ID} of a to z, 0 to 9 and single _ between them")
        kind = table.get("kind", "one")
        if kind not in KINDS:
            raise self.fail(where, "kind", f"must be one of {', '.join(KINDS)}")
        short = self.texts(table, where, "short", required=False, longest=MAX_SHORT_TEXT)
        return Question(
            id=id_,
            section=self.string(table, where, "section"),
            kind=kind,
            text=self.texts(table, where, "text"),
            label=self.texts(table, where, "label"),
            choices=self.question_choices(table, where, scales),
            caption=self.texts(table, where, "caption", required=False) or None,
            hint=self.texts(table, where, "hint", required=False) or None,
            short=short or None,
            show_when=self.condition(table, where),
        )

    def question_choices(
        self, table: dict[str, Any], where: str, scales: dict[str, tuple[Choice, ...]]
    ) -> tuple[Choice, ...]:
        given = [field for field in ("scale", "choices", "numbers") if field in table]
        if len(given) != 1:
            raise self.fail(where, "choices", "set exactly one of choices, scale and numbers")
        if "scale" in table:
            if table["scale"] not in scales:
                raise self.fail(where, "scale", f"there is no scale {table['scale']!r}")
            return scales[table["scale"]]
        if "numbers" in table:
            return self.numbers(table, where)
        return self.choices(table, where)

    def numbers(self, table: dict[str, Any], where: str) -> tuple[Choice, ...]:
        bounds = table["numbers"]
        if not (isinstance(bounds, list) and len(bounds) == 2 and all(type(n) is int for n in bounds)):
            raise self.fail(where, "numbers", "must be two whole numbers, lowest and highest")
        low, high = bounds
        if not low < high:
            raise self.fail(where, "numbers", "the lowest must be below the highest")
        ends = {
            low: self.texts(table, where, "lowest", required=False),
            high: self.texts(table, where, "highest", required=False),
        }
        choices = [Choice(str(n), self.number(n, ends.get(n))) for n in range(low, high + 1)]
        declined = self.texts(table, where, "declined", required=False)
        return (*choices, Choice(DECLINED, declined)) if declined else tuple(choices)

    def number(self, number: int, meaning: Texts | None) -> Texts:
        """Return a number as a text in every language, with its meaning if it has one."""
        return MappingProxyType(
            {locale: f"{number}, {meaning[locale]}" if meaning else str(number) for locale in self.locales}
        )

    def choices(self, table: dict[str, Any], where: str) -> tuple[Choice, ...]:
        choices = tuple(self.choice(choice, where) for choice in self.tables(table, where, "choices"))
        self.unique((choice.code for choice in choices), f"{where}: choices")
        return choices

    def choice(self, table: dict[str, Any], where: str) -> Choice:
        where = f"{where}: choice {table.get('code', '?')}"
        self.only(table, where, {"code", "points", "text", "brief", "alone", "tip"})
        code = self.string(table, where, "code")
        if code in RESERVED_CODES:
            raise self.fail(where, "code", "is reserved for data")
        if not CODE.fullmatch(code):
            raise self.fail(where, "code", "must be at most 20 of a to z, 0 to 9 and _")
        alone = table.get("alone", False)
        if not isinstance(alone, bool):
            raise self.fail(where, "alone", "must be true or false")
        return Choice(
            code=code,
            text=self.texts(table, where, "text"),
            points=self.whole(table, where, "points") if "points" in table else None,
            brief=self.texts(table, where, "brief", required=False, longest=MAX_BRIEF_TEXT) or None,
            alone=alone,
            tip=self.texts(table, where, "tip", required=False) or None,
        )

    def condition(self, table: dict[str, Any], where: str) -> Condition | None:
        if "show_when" not in table:
            return None
        rule = table["show_when"]
        if not isinstance(rule, dict):
            raise self.fail(where, "show_when", "must be { question = ..., at_least = ... }")
        self.only(rule, where, {"question", "at_least"})
        return Condition(
            self.string(rule, f"{where}: show_when", "question"), self.whole(rule, f"{where}: show_when", "at_least")
        )

    def check_branches(self, questions: tuple[Question, ...]) -> None:
        ids = [question.id for question in questions]
        by_id = {question.id: question for question in questions}
        for position, question in enumerate(questions):
            if question.show_when is None:
                continue
            where, parent = f"question {question.id}", question.show_when.question
            if parent not in ids:
                raise self.fail(where, "show_when.question", f"there is no question {parent!r}")
            if ids.index(parent) >= position:
                raise self.fail(
                    where, "show_when.question", f"{parent!r} comes later; a condition must name an earlier question"
                )
            points = [choice.points for choice in by_id[parent].choices if choice.points is not None]
            if not any(n >= question.show_when.at_least for n in points):
                raise self.fail(where, "show_when.at_least", f"no choice of {parent!r} has so many points")

    def check_sections(self, sections: tuple[Section, ...], questions: tuple[Question, ...]) -> None:
        known = {section.id for section in sections}
        for question in questions:
            if question.section not in known:
                raise self.fail(f"question {question.id}", "section", f"there is no section {question.section!r}")
        for sign in (question for question in questions if question.section == sections[0].id):
            where = f"question {sign.id}"
            if sign.kind != "one" or sign.show_when:
                raise self.fail(where, "kind", "a sign takes one answer and is always shown")
            if sign.short is None:
                raise self.fail(where, "short", "a sign needs its name for the chart")
            for choice in sign.choices:
                if choice.brief is None:
                    raise self.fail(where, "brief", f"choice {choice.code!r} needs its wording for the chart")
                if choice.points is None and choice.code != DECLINED:
                    raise self.fail(where, "points", f"choice {choice.code!r} needs its points")
        if not any(question.section == sections[0].id for question in questions):
            raise self.fail(
                f"section {sections[0].id}", "questions", "the first section must contain the signs and is empty"
            )

    def help_rule(self, questions: tuple[Question, ...]) -> HelpRule:
        table = self.table(self.data, "top level", "help")
        self.only(table, "help", {"question", "urgent", "support"})
        question = self.role(table, "help", "question", questions)
        if question.section != self.data["sections"][0]["id"]:
            raise self.fail("help", "question", f"question {question.id!r} is none of the signs")
        rule = HelpRule(
            question.id,
            frozenset(self.strings(table, "help", "urgent")),
            frozenset(self.strings(table, "help", "support")),
        )
        for field, codes in (("urgent", rule.urgent), ("support", rule.support)):
            self.known_codes("help", field, codes, question)
        if rule.urgent & rule.support:
            raise self.fail("help", "support", "an answer is either urgent or support, not both")
        return rule

    def roles(self, questions: tuple[Question, ...], signs: str) -> Roles:
        table = self.table(self.data, "top level", "roles")
        parts = ("pain", "pain_duration", "pain_average", "stress", "consent", "age")
        self.only(table, "roles", {*parts, "mood", "minor"})
        by_part = {part: self.role(table, "roles", part, questions) for part in parts}
        mood = frozenset(self.strings(table, "roles", "mood"))
        if not mood <= {question.id for question in questions if question.section == signs}:
            raise self.fail("roles", "mood", "names a question that is none of the signs")
        for part, question in by_part.items():
            if (question.section == signs) != (part == "pain"):
                raise self.fail(
                    "roles", part, f"question {question.id!r} must {'' if part == 'pain' else 'not '}be a sign"
                )
            if question.kind == "many" and part != "stress":
                raise self.fail("roles", part, f"question {question.id!r} must take one answer")
        if any(question.id == "pain_duration" != by_part["pain_duration"].id for question in questions):
            raise self.fail("question pain_duration", "id", "is reserved for the role pain_duration")
        minor = self.string(table, "roles", "minor")
        self.known_codes("roles", "minor", {minor}, by_part["age"])
        if {choice.points for choice in by_part["consent"].choices} != {0, 1}:
            raise self.fail(
                f"question {by_part['consent'].id}",
                "points",
                "the consent question needs choices with 1 and with 0 points",
            )
        return Roles(mood=mood, minor=minor, **{part: question.id for part, question in by_part.items()})

    def role(self, table: dict[str, Any], where: str, field: str, questions: tuple[Question, ...]) -> Question:
        wanted = self.string(table, where, field)
        for question in questions:
            if question.id == wanted:
                return question
        raise self.fail(where, field, f"there is no question {wanted!r}")

    def known_codes(self, where: str, field: str, codes: Iterable[str], question: Question) -> None:
        for code in codes:
            if code not in question.by_code:
                raise self.fail(where, field, f"question {question.id!r} has no choice {code!r}")
