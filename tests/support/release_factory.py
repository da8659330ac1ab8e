"""Make a release without the anonymizer: valid rows and their manifest, stored in the database."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from screening.extensions import db
from screening.questionnaires.model import Questionnaire
from screening.releases import file_store, hierarchies, manifest
from screening.releases.chart_counts import count_tables
from screening.releases.exporters import codebook
from screening.releases.models import Release
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL, RowFormat, csv_record, hides_pain

LEVELS = {"period": "year", "age_band": "four_groups", "pain_duration": "up_to_a_year_or_more"}
PERIODS = {"month": ["2026-10", "2026-11"], "quarter": ["2026-Q3", "2026-Q4"], "year": ["2025", "2026"], "any": ["any"]}
AGES = {
    "as_asked": ["18_to_24", "45_to_54", "85_or_over", "declined"],
    "four_groups": ["18_to_24", "45_to_64", "declined"],
    "any": ["any"],
}
PAIN = {
    "as_asked": ["under_3_months", "over_a_year", "declined"],
    "up_to_a_year_or_more": ["up_to_a_year", "over_a_year", "declined"],
    "pain_or_none": ["pain"],
    "any": ["any"],
}


def rows(
    questionnaire: Questionnaire, count: int, levels: dict[str, str], suppressed: int
) -> Iterator[tuple[str, ...]]:
    """Generate full-detail rows, the first ``suppressed`` of them suppressed."""
    rng, shape = Random(7), RowFormat(questionnaire)
    for number in range(count):
        answers = {sign: rng.choice(["0", "1", "2", "3", "declined"]) for sign in shape.signs}
        has_pain = answers["pain"] in ("1", "2", "3")
        answers["pain_average"] = rng.choice(["0", "4", "10", "declined", "not_answered"])
        answers |= {} if has_pain else {"pain_average": "not_shown"}
        length = rng.choice(PAIN[levels["pain_duration"]])
        generalized = (
            rng.choice(PERIODS[levels["period"]]),
            rng.choice(AGES[levels["age_band"]]),
            length if has_pain or length == "any" else "not_shown",
        )
        yield full_row(shape, ("masked",) * 3 if number < suppressed else generalized, answers)


def full_row(shape: RowFormat, generalized: tuple[str, ...], answers: dict[str, str]) -> tuple[str, ...]:
    """Return a row in full detail."""
    return (*generalized, *shape.answers(answers, hides_pain(generalized)))


def tables(rows: Iterable[tuple[tuple[str, ...], int]], shape: RowFormat, k: int) -> dict[str, Any]:
    """Return the tables of full-detail rows, each given with how often it occurs."""
    full: dict[tuple[str, ...], Counter[tuple[str, ...]]] = defaultdict(Counter)
    for row, number in rows:
        full[row[:3]][row[3:]] += number
    return count_tables(full, shape.in_signs(full), shape, k)


def lines(made: Release, name: str) -> list[str]:
    """Return the lines of a release's CSV file, the header first. Needs an application context."""
    return b"".join(file_store.read_file(made.id, name)).decode().split("\r\n")[:-1]


def release(
    questionnaire: Questionnaire,
    count: int = 300,
    levels: dict[str, str] = LEVELS,
    suppressed: int = 12,
    times: int = 1,
) -> Release:
    """Store a release and its two files, every row so many ``times``. Needs an application context."""
    shape = RowFormat(questionnaire)
    full = list(rows(questionnaire, count, levels, suppressed)) * times
    count, suppressed = count * times, suppressed * times
    lines = {
        FULL_DETAIL: sorted(map(csv_record, full)),
        SIGNS_DETAIL: sorted(csv_record((*row[:3], *shape.signs_of(row[3:]))) for row in full),
    }
    contents = {
        detail: "".join([csv_record(shape.columns(detail)), *lines[detail]]).encode("utf-8")
        for detail in (SIGNS_DETAIL, FULL_DETAIL)
    }
    stated_manifest = manifest_of(questionnaire, contents, count, levels, suppressed)
    with db.engines[None].begin() as connection:
        values: dict[str, Any] = {
            "made_at": 1_795_460_400,
            "made_by": "command",
            "questionnaire": questionnaire.id,
            "version": questionnaire.version,
            "rows": count,
            "manifest": json.dumps(stated_manifest, sort_keys=True, indent=1, ensure_ascii=False),
            "tables": {"rows": count, "signs": {"sadness": {"0": 120, "1": None}}},
            "codebook": {
                detail: codebook.to_json(
                    codebook.columns(stated_manifest, questionnaire, hierarchies.load(questionnaire), detail)
                )
                for detail in (SIGNS_DETAIL, FULL_DETAIL)
            },
            "spec": ReleasePolicy(questionnaire, hierarchies.load(questionnaire), 11, ZoneInfo("UTC"), None).spec(),
        }
        release_id = connection.execute(insert(Release).values(values).returning(Release.id)).scalar_one()
        for detail, content in contents.items():
            file_store.store_file(connection, release_id, f"{detail}.csv", [content])
    return db.session.get_one(Release, release_id)


def manifest_of(
    questionnaire: Questionnaire, contents: dict[str, bytes], count: int, levels: dict[str, str], suppressed: int
) -> dict[str, Any]:
    """Return the manifest's content that the files are built from."""
    return {
        "release": "R-0001",
        "questionnaire": questionnaire.id,
        "version": questionnaire.version,
        "rows": count,
        "rows_are": manifest.UNIT_STATEMENT,
        "self_selected": manifest.SELECTION_STATEMENT,
        "limits": manifest.LIMITS.format(others=13),
        "periods": PERIODS[levels["period"]],
        "levels": levels,
        "k": {"asked": 11, "reached": 14},
        "masked_rows": suppressed,
        "unique_patterns": {
            detail: {"patterns": 90, "unique": 7, "share": 0.0233} for detail in (SIGNS_DETAIL, FULL_DETAIL)
        },
        "ladders": hierarchies.load(questionnaire).digest,
        "files": {
            f"{detail}.csv": {"bytes": len(content), "rows": count, "sha256": hashlib.sha256(content).hexdigest()}
            for detail, content in contents.items()
        },
    }
