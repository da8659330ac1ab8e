"""Generalization hierarchies, read from a TOML file and validated against the questionnaire."""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from screening.config import SettingsError
from screening.questionnaires.model import NOT_ANSWERED, NOT_SHOWN, Questionnaire, Texts
from screening.questionnaires.names import CODE, RESERVED_CODES
from screening.releases.anonymise import ANY, Hierarchy, Level

FILE = Path(__file__).with_name("hierarchies.toml")
QUASI_IDENTIFIERS = ("period", "age_band", "pain_duration")
"""The quasi-identifiers, in the order of the columns."""

UNGENERALIZED = "as_asked"
PERIOD_HIERARCHY = ("month", "quarter", "year", ANY)

LEVELS: Mapping[str, LazyString] = {
    UNGENERALIZED: lazy_gettext("As it was asked"),
    "month": lazy_gettext("Month"),
    "quarter": lazy_gettext("Quarter of a year"),
    "year": lazy_gettext("Year"),
    ANY: lazy_gettext("Not told"),
}
"""Texts of the levels that are not defined in the file."""


@dataclass(frozen=True)
class Hierarchies:
    """The hierarchies for one questionnaire. ``digest`` is the SHA-256 of their file.

    ``levels`` and ``groups`` are the texts of levels and codes defined in the file, by quasi-identifier and id or code.
    """

    weights: Mapping[str, int]
    age_band: tuple[Level, ...]
    pain_duration: tuple[Level, ...]
    levels: Mapping[tuple[str, str], Texts]
    groups: Mapping[tuple[str, str], Texts]
    digest: str

    def for_periods(self, months: Iterable[str], finest: str) -> tuple[Hierarchy, ...]:
        """Return the three hierarchies for these months (``2026-11``); ``finest`` is ``month`` or ``year``."""
        months = sorted(set(months))
        steps = PERIOD_HIERARCHY[PERIOD_HIERARCHY.index(finest) :]
        period = tuple(Level(step, {month: _period(month, step) for month in months}) for step in steps)
        return (
            Hierarchy("period", self.weights["period"], period, holds_back=True),
            Hierarchy("age_band", self.weights["age_band"], self.age_band),
            Hierarchy("pain_duration", self.weights["pain_duration"], self.pain_duration),
        )


def _period(month: str, step: str) -> str:
    year, number = month.split("-")
    return {"month": month, "quarter": f"{year}-Q{(int(number) + 2) // 3}", "year": year, ANY: ANY}[step]


def load(questionnaire: Questionnaire, file: Path = FILE) -> Hierarchies:
    """Read and validate a hierarchies file. Raises SettingsError naming the invalid field."""
    try:
        content = file.read_bytes()
        table = tomllib.loads(content.decode())
        return _hierarchies(table, questionnaire, hashlib.sha256(content).hexdigest())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, _HierarchyError) as error:
        answers = f"the answers of {questionnaire.id} {questionnaire.version}"
        hint = f"SCREENING_HIERARCHIES_FILE must name a hierarchy file for {answers}"
        raise SettingsError(f"{file.name}: {error} ({hint})") from error


class _HierarchyError(ValueError):
    """A hierarchies file is invalid."""


def _hierarchies(table: Mapping[str, Any], questionnaire: Questionnaire, digest: str) -> Hierarchies:
    if set(table) != set(QUASI_IDENTIFIERS):
        raise _HierarchyError(f"must have the tables {', '.join(QUASI_IDENTIFIERS)} and no other")
    roles = questionnaire.roles
    asked = {"age_band": (roles.age, {roles.minor}), "pain_duration": (roles.pain_duration, set())}
    levels, texts, groups = {}, {}, {}
    for detail, (question, never) in asked.items():
        codes = [choice.code for choice in questionnaire.by_id[question].choices if choice.code not in never]
        reader = _Reader(detail, [*codes, NOT_SHOWN, NOT_ANSWERED], questionnaire.locales)
        levels[detail] = reader.read(table[detail].get("levels", []))
        texts.update(reader.levels)
        groups.update(reader.groups)
    return Hierarchies(
        weights={detail: _weight(detail, table[detail]) for detail in QUASI_IDENTIFIERS},
        levels=texts,
        groups=groups,
        digest=digest,
        **levels,
    )


def _weight(detail: str, table: Mapping[str, Any]) -> int:
    weight = table.get("weight")
    if type(weight) is not int or weight < 1:
        raise _HierarchyError(f"{detail}: weight must be a whole number from 1")
    return weight


class _Reader:
    """Parses the levels of one quasi-identifier; collects their texts in ``levels`` and ``groups``."""

    def __init__(self, detail: str, codes: list[str], locales: tuple[str, ...]) -> None:
        self.detail, self.codes, self.locales = detail, codes, locales
        self.levels: dict[tuple[str, str], Texts] = {}
        self.groups: dict[tuple[str, str], Texts] = {}

    def read(self, tables: list[Mapping[str, Any]]) -> tuple[Level, ...]:
        """Return all levels, from ungeneralized to ``any``."""
        found = [Level(UNGENERALIZED, {code: code for code in self.codes})]
        for table in tables:
            found.append(self._level(table, found[-1]))
        return (*found, Level(ANY, dict.fromkeys(self.codes, ANY)))

    def _level(self, table: Mapping[str, Any], finer: Level) -> Level:
        name = str(table.get("id", ""))
        where = f"{self.detail}: level {name!r}"
        if not name or name in LEVELS or (self.detail, name) in self.levels:
            raise _HierarchyError(f"{where} must have a unique id")
        self.levels[self.detail, name] = self._texts(where, table)
        generalized = {code: code for code in self.codes}
        for group in table.get("groups", []):
            code, of = str(group.get("code", "")), group.get("of", [])
            self._check_group(f"{where}: group {code!r}", code, of, generalized)
            self.groups[self.detail, code] = self._texts(f"{where}: group {code!r}", group)
            generalized.update(dict.fromkeys(of, code))
        level = Level(name, generalized)
        if not _is_coarser(level, finer):
            raise _HierarchyError(f"{where} must be coarser than {finer.id}, and split none of its groups")
        return level

    def _check_group(self, where: str, code: str, of: object, generalized: Mapping[str, str]) -> None:
        if not CODE.fullmatch(code) or code in {*self.codes, *RESERVED_CODES}:
            raise _HierarchyError(f"{where} needs a code that is no answer's, at most 20 of a to z, 0 to 9 and _")
        if not isinstance(of, list) or not of or any(generalized.get(value) != value for value in of):
            raise _HierarchyError(f"{where}: of must list answers' codes, each in one group")
        if self.detail == "pain_duration" and NOT_SHOWN in of:
            raise _HierarchyError(f"{where}: {NOT_SHOWN} (no pain named) must not be grouped, except in level {ANY!r}")

    def _texts(self, where: str, table: Mapping[str, Any]) -> Texts:
        texts = table.get("text")
        if not isinstance(texts, dict) or set(texts) != set(self.locales) or not all(texts.values()):
            raise _HierarchyError(f"{where} needs a text in {', '.join(self.locales)}")
        return texts


def _is_coarser(level: Level, finer: Level) -> bool:
    """Return whether a level merges groups of the finer level and splits none."""
    pairs = {(finer.generalized[code], generalized) for code, generalized in level.generalized.items()}
    return len(pairs) == len(set(finer.generalized.values())) and len(set(level.generalized.values())) < len(pairs)
