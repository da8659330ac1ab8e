"""The release policy: the parameters of every release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from screening import clinic
from screening.questionnaires import loader
from screening.questionnaires.model import Questionnaire
from screening.releases import hierarchies
from screening.releases.anonymise import Counts, Level, Plan, Rules, measure_loss, refine, search
from screening.releases.hierarchies import Hierarchies
from screening.releases.row_format import SIGNS_DETAIL


@dataclass(frozen=True)
class ReleasePolicy:
    """The parameters of every release, from the settings; never chosen in a form."""

    questionnaire: Questionnaire
    hierarchies: Hierarchies
    k: int
    zone: ZoneInfo
    determination: date | None
    max_alone: int = 20
    """The mean percentage of rows alone in ``signs`` (see ``attack``) above which making needs a confirmation."""

    @classmethod
    def of(cls, settings: dict[str, Any], questionnaire: Questionnaire | None = None) -> ReleasePolicy:
        """Return the policy of the settings. Raises SettingsError and DefinitionError."""
        questionnaire = questionnaire or loader.load(settings["QUESTIONNAIRE_FILE"])
        expert = settings["EXPERT_DETERMINATION"]
        return cls(
            questionnaire,
            hierarchies.load(questionnaire, settings["HIERARCHIES_FILE"]),
            settings["MIN_GROUP_SIZE"],
            clinic.load(settings["CLINIC_FILE"]).time_zone,
            expert.day if expert else None,
            settings["MAX_ALONE_PERCENT"],
        )

    def plan(self, counts: Counts) -> tuple[Plan, Plan | None]:
        """Return the plan of a release, and with an expert determination the plan without it (else None).

        HIPAA's Safe Harbor allows years (45 CFR 164.514(b)(2)(i)(C)). They decide which rows are released, and the
        coarsest level of each quasi-identifier, so a determination never makes one coarser. If it makes one finer, the
        penalties of both plans are on the scale of months; else both are the same plan, on the scale of years, so that
        it can be computed from the rows. Raises the errors of ``search``.
        """
        months = {details[0] for details, _ in counts}
        by_year = search(counts, self.hierarchies.for_periods(months, "year"), self.rules)
        if self.determination is None:
            return by_year, None
        finer = self.hierarchies.for_periods({details[0] for details in by_year.generalized}, "month")
        found = refine(counts, finer, self.rules, by_year)
        if found.levels == by_year.levels:
            return by_year, by_year
        return found, replace(by_year, ncp=measure_loss(counts, finer, by_year))

    @cached_property
    def rules(self) -> Rules:
        """The requirements on every group; the sensitive question is the one that triggers crisis help."""
        asked = self.questionnaire.by_id[self.questionnaire.help.question]
        points = {choice.code: choice.points for choice in asked.choices if choice.points is not None}
        noticed = frozenset(code for code, worth in points.items() if worth > 0)
        return Rules(self.k, frozenset(points), noticed, max(points, key=lambda code: points[code]))

    def spec(self) -> dict[str, Any]:
        """Return the specification of the rows as JSON values; stored with a release, which is verified against it."""
        asked, roles = self.questionnaire, self.questionnaire.roles
        answers = (*asked.signs, asked.by_id[roles.pain_average])
        return {
            "signs": [sign.id for sign in asked.signs],
            "codes": {question.id: {c.code: c.points for c in question.choices} for question in answers},
            "age_bands": _codes(self.hierarchies.age_band),
            "pain_durations": _codes(self.hierarchies.pain_duration),
            "k": self.k,
            "sensitive": asked.help.question,
            "mood": [sign.id for sign in asked.signs if sign.id in roles.mood],
            "pain": roles.pain,
            "pain_named": self._pain_named(),
            "pain_average": roles.pain_average,
        }

    def _pain_named(self) -> list[str]:
        """Return the answers to pain after which its duration is asked."""
        asked, roles = self.questionnaire, self.questionnaire.roles
        condition = asked.by_id[roles.pain_duration].show_when
        least = condition.at_least if condition and condition.question == roles.pain else 1
        return [choice.code for choice in asked.by_id[roles.pain].choices if (choice.points or 0) >= least]

    def is_above_limit(self, measured: Mapping[str, Mapping[str, int]]) -> bool:
        """Return whether more rows of ``signs`` stand alone in the measured attack than is allowed unconfirmed."""
        return measured[SIGNS_DETAIL]["mean_percent"] > self.max_alone

    def stated(self) -> dict[str, str]:
        """Return the policy as details of an audit event."""
        expert = f"{self.determination:%Y-%m-%d}" if self.determination else "none"
        return {
            "k": str(self.k),
            "ladders": self.hierarchies.digest[:16],
            "expert determination": expert,
            "most alone": f"{self.max_alone}%",
        }


def _codes(levels: tuple[Level, ...]) -> dict[str, list[str]]:
    return {level.id: sorted(set(level.generalized.values())) for level in levels}
