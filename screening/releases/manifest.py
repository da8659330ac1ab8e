"""The manifest of a release, which accompanies its files."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from screening.releases.anonymise import SUPPRESSED, Plan
from screening.releases.hierarchies import QUASI_IDENTIFIERS
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL, Rows, count_patterns

FORMAT = 1

UNIT_STATEMENT = "Rows are visits, not people: one person may have answered more than once."
SELECTION_STATEMENT = "Visitors chose to answer and to leave a copy. They are not a sample of any population."
LIMITS = (
    "Each row shares period, age group and length of pain with at least {others} other rows. Storage order and times "
    "link nothing. Someone who knows several of a person's answers, who made up copies, or who watched the live server "
    "may still recognize a row. The check is not a validated instrument."
)
YEARS_LIMIT = (
    "Rows state the year at most. But a release is usually made soon after the months it covers. So its number and the "
    "clinic's habit can tell the months of its rows. If it holds a single month, they tell that of every row."
)
"""A limit of releases without an expert determination. It does not say whether this one holds a single month."""


def build_manifest(policy: ReleasePolicy, plan: Plan) -> dict[str, Any]:
    """Return the part of the manifest that follows from the plan. Shares are between 0 and 1."""
    asked, rules = policy.questionnaire, policy.rules
    return {
        "questionnaire": asked.id,
        "version": asked.version,
        "rows": plan.rows,
        "periods": sorted({generalized[0] for generalized in plan.generalized.values()} - {SUPPRESSED}),
        "levels": dict(zip(QUASI_IDENTIFIERS, plan.levels, strict=True)),
        "k": {"asked": policy.k, "reached": plan.k},
        "groups": {"number": plan.groups, "smallest": plan.k},
        "masked_rows": plan.suppressed,
        "ncp": round(float(plan.ncp), 4),
        "weights": dict(policy.hierarchies.weights),
        "sensitive": {
            "question": asked.help.question,
            "values_asked": 2,
            "values_reached": plan.values,
            "most_asked": float(rules.max_strongest),
            "most_reached": round(float(plan.strongest), 4),
        },
        "ladders": policy.hierarchies.digest,
        "expert_determination": f"{policy.determination:%Y-%m-%d}" if policy.determination else None,
    }


def serialize(
    policy: ReleasePolicy,
    plan: Plan,
    number: str,
    now: float,
    patterns: Mapping[str, Mapping[str, Any]],
    measured: Mapping[str, Mapping[str, int]],
    files: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return the manifest as JSON text. It states the year of the release, and the month only if rows may do so."""
    limits = LIMITS.format(others=plan.k - 1)
    stated = build_manifest(policy, plan) | {
        "release": number,
        "format": FORMAT,
        "made": f"{datetime.fromtimestamp(now, policy.zone):{'%Y-%m' if policy.determination else '%Y'}}",
        "rows_are": UNIT_STATEMENT,
        "self_selected": SELECTION_STATEMENT,
        "limits": limits if policy.determination else f"{limits} {YEARS_LIMIT}",
        "unique_patterns": {detail: patterns[detail] for detail in (SIGNS_DETAIL, FULL_DETAIL)},
        "measured_attack": measured,
        "files": {
            name: {"bytes": file["size"], "rows": plan.rows, "sha256": file["sha256"]} for name, file in files.items()
        },
    }
    return json.dumps(stated, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def patterns(rows: Rows) -> dict[str, Any]:
    """Return the number of distinct patterns of answers, and how many of them occur in a single row."""
    found = count_patterns(rows)
    unique = sum(1 for number in found.values() if number == 1)
    return {"patterns": len(found), "unique": unique, "share": round(unique / found.total(), 4)}
