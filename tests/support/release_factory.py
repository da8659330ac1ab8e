"""A release made by hand: rows that keep the rules of a release, its manifest, and both laid in the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from screening.extensions import db
from screening.questionnaire.model import Questionnaire
from screening.responses import ladders, manifest, store
from screening.responses.files import codebook
from screening.responses.models import Release
from screening.responses.rows import FULL, SIGNS, Rows, record
from screening.responses.terms import Terms

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


def rows(questionnaire: Questionnaire, count: int, levels: dict[str, str], masked: int) -> Iterator[tuple[str, ...]]:
    """Rows in full; the first ``masked`` are masked."""
    chance, shape = Random(7), Rows(questionnaire)
    for number in range(count):
        answers = {sign: chance.choice(["0", "1", "2", "3", "declined"]) for sign in shape.signs}
        has_pain = answers["pain"] in ("1", "2", "3")
        answers["pain_average"] = chance.choice(["0", "4", "10", "declined", "not_answered"])
        answers |= {} if has_pain else {"pain_average": "not_shown"}
        length = chance.choice(PAIN[levels["pain_duration"]])
        told = (
            chance.choice(PERIODS[levels["period"]]),
            chance.choice(AGES[levels["age_band"]]),
            length if has_pain or length == "any" else "not_shown",
        )
        yield shape.full(("masked",) * 3 if number < masked else told, answers)


def lines(made: Release, name: str) -> list[str]:
    """The lines of a release's CSV file, the header first. Needs an application context."""
    return b"".join(store.read(made.id, name)).decode().split("\r\n")[:-1]


def release(
    questionnaire: Questionnaire, count: int = 300, levels: dict[str, str] = LEVELS, masked: int = 12, times: int = 1
) -> Release:
    """Lay a release and its two files in the database, every row so many ``times``. Needs an application context."""
    shape = Rows(questionnaire)
    full = list(rows(questionnaire, count, levels, masked)) * times
    count, masked = count * times, masked * times
    lines = {FULL: sorted(map(record, full)), SIGNS: sorted(record(shape.of_signs(row)) for row in full)}
    contents = {
        detail: "".join([record(shape.columns(detail)), *lines[detail]]).encode("utf-8") for detail in (SIGNS, FULL)
    }
    stating = stated(questionnaire, contents, count, levels, masked)
    with db.engines[None].begin() as connection:
        values: dict[str, Any] = {
            "made_at": 1_795_460_400,
            "made_by": "command",
            "questionnaire": questionnaire.id,
            "version": questionnaire.version,
            "rows": count,
            "manifest": json.dumps(stating, sort_keys=True, indent=1, ensure_ascii=False),
            "tables": {"rows": count, "signs": {"sadness": {"0": 120, "1": None}}},
            "codebook": {
                detail: codebook.stored(codebook.columns(stating, questionnaire, ladders.load(questionnaire), detail))
                for detail in (SIGNS, FULL)
            },
            "promised": Terms(questionnaire, ladders.load(questionnaire), 11, ZoneInfo("UTC"), None).promised(),
        }
        release_id = connection.execute(insert(Release).values(values).returning(Release.id)).scalar_one()
        for detail, content in contents.items():
            store.write(connection, release_id, f"{detail}.csv", [content])
    return db.session.get_one(Release, release_id)


def stated(
    questionnaire: Questionnaire, contents: dict[str, bytes], count: int, levels: dict[str, str], masked: int
) -> dict[str, Any]:
    """What the manifest says that the files are made from."""
    return {
        "release": "R-0001",
        "questionnaire": questionnaire.id,
        "version": questionnaire.version,
        "rows": count,
        "rows_are": manifest.ROWS_ARE,
        "self_selected": manifest.SELF_SELECTED,
        "limits": manifest.LIMITS,
        "periods": PERIODS[levels["period"]],
        "levels": levels,
        "k": {"asked": 11, "reached": 14},
        "masked_rows": masked,
        "unique_patterns": {detail: {"patterns": 90, "unique": 7, "share": 0.0233} for detail in (SIGNS, FULL)},
        "ladders": ladders.load(questionnaire).digest,
        "files": {
            f"{detail}.csv": {
                "bytes": len(content),
                "rows": count,
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            for detail, content in contents.items()
        },
    }
