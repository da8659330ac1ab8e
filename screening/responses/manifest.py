"""What is stated of a release: the text that goes with its files, and no word more than is true."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import groupby
from typing import Any

from screening.responses.anonymise import MASKED, Plan
from screening.responses.ladders import DETAILS
from screening.responses.rows import FULL, SIGNS
from screening.responses.terms import Terms

FORMAT = 1

ROWS_ARE = "Rows are visits, not people: one person may have answered more than once."
SELF_SELECTED = "Visitors chose to answer and to leave a copy. They are not a sample of any population."
LIMITS = (
    "Each row shares period, age group and length of pain with at least k - 1 other rows. Storage order and times link "
    "nothing. Someone who knows several of a person's answers, who made up copies, or who watched the live server may "
    "still recognise a row. The check is not a validated instrument."
)


def of_plan(terms: Terms, plan: Plan) -> dict[str, Any]:
    """What is known as soon as the plan is: shares are between 0 and 1."""
    asked, rules = terms.questionnaire, terms.rules
    return {
        "questionnaire": asked.id,
        "version": asked.version,
        "rows": plan.rows,
        "periods": sorted({told[0] for told in plan.told.values()} - {MASKED}),
        "levels": dict(zip(DETAILS, plan.levels, strict=True)),
        "k": {"asked": terms.k, "reached": plan.k},
        "groups": {"number": plan.groups, "smallest": plan.k},
        "masked_rows": plan.masked,
        "ncp": round(float(plan.ncp), 4),
        "weights": dict(terms.ladders.weights),
        "sensitive": {
            "question": asked.help.question,
            "values_asked": 2,
            "values_reached": plan.values,
            "most_asked": float(rules.most_strongest),
            "most_reached": round(float(plan.strongest), 4),
        },
        "ladders": terms.ladders.digest,
        "expert_determination": f"{terms.determination:%Y-%m-%d}" if terms.determination else None,
    }


def whole(
    terms: Terms,
    plan: Plan,
    number: str,
    now: float,
    patterns: Mapping[str, Mapping[str, Any]],
    files: Mapping[str, Mapping[str, Any]],
) -> str:
    """The manifest as text. It tells the year it was made, and the month only where rows may tell months."""
    stated = of_plan(terms, plan) | {
        "release": number,
        "format": FORMAT,
        "made": f"{datetime.fromtimestamp(now, terms.zone):{'%Y-%m' if terms.determination else '%Y'}}",
        "rows_are": ROWS_ARE,
        "self_selected": SELF_SELECTED,
        "limits": LIMITS,
        "unique_patterns": {detail: patterns[detail] for detail in (SIGNS, FULL)},
        "files": {
            name: {"bytes": file["size"], "rows": plan.rows, "sha256": file["sha256"]} for name, file in files.items()
        },
    }
    return json.dumps(stated, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def patterns(rows: Counter[str]) -> dict[str, Any]:
    """How many different patterns of answers there are in these lines, and how many stand in one row only."""
    different = unique = 0
    for _, lines in groupby(sorted(rows, key=_answers), key=_answers):
        different += 1
        unique += sum(rows[line] for line in lines) == 1
    return {"patterns": different, "unique": unique, "share": round(unique / rows.total(), 4)}


def _answers(line: str) -> str:
    """A line without its details."""
    return line.split(",", len(DETAILS))[-1]
