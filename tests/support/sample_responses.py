"""Sample shuffled responses, with answers correlated as in a real population."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from sqlalchemy import insert

from screening.extensions import db
from screening.responses.models import ShuffledResponse
from tests.support.visitor import SIGNS

AGES = ["18_to_24", "25_to_34", "35_to_44", "45_to_54", "55_to_64", "65_to_74", "75_to_84", "85_or_over", "declined"]
AGE_WEIGHTS = [4, 8, 12, 18, 22, 18, 12, 3, 3]
MONTHS = ("2026-08", "2026-09", "2026-10")


def generate(number: int, seed: int = 1, months: Sequence[str] = MONTHS, version: int = 1) -> Iterator[dict[str, Any]]:
    """Generate shuffled responses in random order."""
    rng = Random(seed)
    for _ in range(number):
        burden = rng.random()
        answers = {sign: _frequency(rng, burden) for sign in SIGNS}
        has_pain = answers["pain"] in ("1", "2", "3")
        answers["pain_average"] = str(min(10, int(11 * (burden + rng.random()) / 2))) if has_pain else "not_shown"
        length = rng.choices(["under_3_months", "3_to_12_months", "over_a_year", "declined"], [2, 3, 8, 1])[0]
        yield {
            "id": f"{rng.getrandbits(128):032x}",
            "period": rng.choice(months),
            "questionnaire": "warning_signs",
            "version": version,
            "age_band": rng.choices(AGES, AGE_WEIGHTS)[0],
            "pain_duration": length if has_pain else "not_shown",
            "answers": answers,
        }


def _frequency(rng: Random, burden: float) -> str:
    if rng.random() < 0.04:
        return "declined"
    return str(min(3, int(4 * (burden + rng.random()) / 2 * 0.95)))


def store(responses: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
    """Store shuffled responses. Needs an application context."""
    with db.engines[None].begin() as connection:
        connection.execute(insert(ShuffledResponse), list(responses))


def as_text(response: dict[str, Any]) -> str:
    """Return a response as text, without its id."""
    return json.dumps({name: value for name, value in response.items() if name != "id"}, sort_keys=True)
