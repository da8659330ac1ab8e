"""What a manifest states, in the words of the page: its codes become texts, its shares percentages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_skeleton
from babel.numbers import format_percent
from flask import Flask
from flask_babel import get_locale, lazy_gettext

from screening.questionnaire.model import NOT_ANSWERED, NOT_SHOWN, Question
from screening.responses.anonymise import ANY, Level
from screening.responses.ladders import AS_ASKED, DETAILS, LEVELS
from screening.responses.terms import Terms
from screening.web.locale import local

NAMES = {
    "period": lazy_gettext("Period"),
    "age_band": lazy_gettext("Age"),
    "pain_duration": lazy_gettext("Length of pain"),
}

CODES = {NOT_SHOWN: lazy_gettext("No pain named"), NOT_ANSWERED: lazy_gettext("Left open")}
"""What the codes are called that are no answers."""


@dataclass(frozen=True)
class Told:
    """How a release tells one detail: as what it was collected, at which level, and the values of that level."""

    name: str
    collected: str
    level: str
    values: str


def init_app(app: Flask) -> None:
    """Give the templates of an application these filters."""
    for word in (percent, period):
        app.add_template_filter(word)


def percent(share: float) -> str:
    """A share (0 to 1) as a percentage with at most one decimal."""
    return str(format_percent(round(share, 3), locale=get_locale(), decimal_quantization=False))


def period(code: str) -> str:
    """A period such as ``2026``, ``2026-Q4``, ``2026-11`` or ``any``."""
    if code == ANY:
        return str(LEVELS[ANY])
    year, _, part = code.partition("-")
    if part.startswith("Q"):
        return format_skeleton("yQQQ", date(int(year), 3 * int(part[1:]), 1), locale=get_locale())
    return format_skeleton("yMMM", date(int(year), int(part), 1), locale=get_locale()) if part else year


def details(terms: Terms, stated: Mapping[str, Any]) -> list[Told]:
    """How each detail is told, of a manifest or the part of one that is known beforehand."""
    roles = terms.questionnaire.roles
    asked = {"age_band": roles.age, "pain_duration": roles.pain_duration}
    found = [Told(str(NAMES["period"]), str(LEVELS["month"]), level(terms, "period", stated), _periods(stated))]
    for detail, question in asked.items():
        values = _values(terms, detail, stated["levels"][detail])
        collected = ", ".join(_answers(terms, terms.questionnaire.by_id[question]).values())
        found.append(Told(str(NAMES[detail]), collected, level(terms, detail, stated), values))
    return found


def level(terms: Terms, detail: str, stated: Mapping[str, Any]) -> str:
    """What the level is called at which a detail is told. One of another ladder file keeps its own name."""
    name = stated["levels"][detail]
    if name in LEVELS:
        return str(LEVELS[name])
    texts = terms.ladders.levels.get((detail, name))
    return local(texts) if texts else name


def weights(stated: Mapping[str, Any]) -> str:
    """How much each detail counts in what is lost."""
    return ", ".join(f"{NAMES[detail]} {stated['weights'][detail]}" for detail in DETAILS)


def _periods(stated: Mapping[str, Any]) -> str:
    return "" if stated["levels"]["period"] == ANY else ", ".join(map(period, stated["periods"]))


def _values(terms: Terms, detail: str, name: str) -> str:
    """The values that a level of the ladder file has, whether or not a row has them."""
    if name in (AS_ASKED, ANY):
        return ""
    levels: tuple[Level, ...] = getattr(terms.ladders, detail)
    told = next((level.told for level in levels if level.id == name), {})
    question = {"age_band": terms.questionnaire.roles.age}.get(detail, terms.questionnaire.roles.pain_duration)
    texts = _answers(terms, terms.questionnaire.by_id[question])
    if detail == "pain_duration":
        texts |= {NOT_SHOWN: str(CODES[NOT_SHOWN])}
    groups = terms.ladders.groups
    named = {
        value: local(groups[detail, value]) if (detail, value) in groups else texts.get(value)
        for value in told.values()
    }
    return ", ".join(text for text in named.values() if text)


def _answers(terms: Terms, question: Question) -> dict[str, str]:
    """The answers that a copy can hold, by code."""
    never = terms.questionnaire.roles.minor
    return {choice.code: local(choice.text) for choice in question.choices if choice.code != never}
