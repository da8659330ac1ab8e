"""Formats a manifest for pages: codes as texts, shares as percentages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_skeleton
from babel.numbers import format_percent
from flask import Flask
from flask_babel import format_date, get_locale, lazy_gettext
from flask_babel.speaklater import LazyString

from screening.i18n.locale import localized
from screening.questionnaires.model import NOT_ANSWERED, NOT_SHOWN, Question
from screening.releases.anonymise import ANY, Level
from screening.releases.hierarchies import LEVELS, QUASI_IDENTIFIERS, UNGENERALIZED
from screening.releases.policy import ReleasePolicy

NAMES = {
    "period": lazy_gettext("Period"),
    "age_band": lazy_gettext("Age"),
    "pain_duration": lazy_gettext("Length of pain"),
}

CODES = {NOT_SHOWN: lazy_gettext("No pain named"), NOT_ANSWERED: lazy_gettext("Left open")}
"""Texts of codes that are not answers."""


@dataclass(frozen=True)
class DisplayedLevel:
    """How a release generalizes one quasi-identifier: collected values, level, and the values of that level."""

    name: str
    collected: str
    level: str
    values: str


def single_month(second: date) -> LazyString:
    """Return the warning that the time of a release dates its rows; ``second``: when another month is closed."""
    return lazy_gettext(
        "All these copies are from one month. Rows state the year only. But whoever knows that you make a release each "
        "month can tell the month of every row. It is safer to wait for a second month: look again on %(day)s.",
        day=format_date(second, rebase=False),
    )


def init_app(app: Flask) -> None:
    """Add the template filters ``percent`` and ``period``."""
    for template_filter in (percent, period):
        app.add_template_filter(template_filter)


def percent(share: float) -> str:
    """Format a share (0 to 1) as a percentage with at most one decimal."""
    return str(format_percent(round(share, 3), locale=get_locale(), decimal_quantization=False))


def period(code: str) -> str:
    """Format a period such as ``2026``, ``2026-Q4``, ``2026-11`` or ``any``."""
    if code == ANY:
        return str(LEVELS[ANY])
    year, _, part = code.partition("-")
    if part.startswith("Q"):
        return format_skeleton("yQQQ", date(int(year), 3 * int(part[1:]), 1), locale=get_locale())
    return format_skeleton("yMMM", date(int(year), int(part), 1), locale=get_locale()) if part else year


def quasi_identifiers(policy: ReleasePolicy, stated: Mapping[str, Any]) -> list[DisplayedLevel]:
    """Return how each quasi-identifier is generalized, from a manifest or a preview of one."""
    roles = policy.questionnaire.roles
    asked = {"age_band": roles.age, "pain_duration": roles.pain_duration}
    found = [
        DisplayedLevel(str(NAMES["period"]), str(LEVELS["month"]), level(policy, "period", stated), _periods(stated))
    ]
    for detail, question in asked.items():
        values = _values(policy, detail, stated["levels"][detail])
        collected = ", ".join(_answers(policy, policy.questionnaire.by_id[question]).values())
        found.append(DisplayedLevel(str(NAMES[detail]), collected, level(policy, detail, stated), values))
    return found


def level(policy: ReleasePolicy, detail: str, stated: Mapping[str, Any]) -> str:
    """Return the text of a quasi-identifier's level, or its id if the current hierarchies do not contain it."""
    name = stated["levels"][detail]
    if name in LEVELS:
        return str(LEVELS[name])
    texts = policy.hierarchies.levels.get((detail, name))
    return localized(texts) if texts else name


def weights(stated: Mapping[str, Any]) -> str:
    """Return the weights of the quasi-identifiers in the penalty, as text."""
    return ", ".join(f"{NAMES[detail]} {stated['weights'][detail]}" for detail in QUASI_IDENTIFIERS)


def _periods(stated: Mapping[str, Any]) -> str:
    return "" if stated["levels"]["period"] == ANY else ", ".join(map(period, stated["periods"]))


def _values(policy: ReleasePolicy, detail: str, name: str) -> str:
    """Return the values of a level, whether or not they occur in a row."""
    if name in (UNGENERALIZED, ANY):
        return ""
    levels: tuple[Level, ...] = getattr(policy.hierarchies, detail)
    generalized = next((level.generalized for level in levels if level.id == name), {})
    question = {"age_band": policy.questionnaire.roles.age}.get(detail, policy.questionnaire.roles.pain_duration)
    texts = _answers(policy, policy.questionnaire.by_id[question])
    if detail == "pain_duration":
        texts |= {NOT_SHOWN: str(CODES[NOT_SHOWN])}
    groups = policy.hierarchies.groups
    named = {
        value: localized(groups[detail, value]) if (detail, value) in groups else texts.get(value)
        for value in generalized.values()
    }
    return ", ".join(text for text in named.values() if text)


def _answers(policy: ReleasePolicy, question: Question) -> dict[str, str]:
    """Return the texts of the answers that a response can contain, by code."""
    never = policy.questionnaire.roles.minor
    return {choice.code: localized(choice.text) for choice in question.choices if choice.code != never}
