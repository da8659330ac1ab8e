"""Reads the shuffled responses that a release is made from."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from functools import cache, lru_cache

from sqlalchemy import ColumnElement, Text, cast, func, select

from screening.database.timeouts import without_timeouts
from screening.extensions import db
from screening.releases.anonymise import SUPPRESSED, Generalized, Plan
from screening.releases.hierarchies import QUASI_IDENTIFIERS
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import Row, RowFormat, Rows, hides_pain
from screening.responses.models import ShuffledResponse

DETAILS = (ShuffledResponse.period, ShuffledResponse.age_band, ShuffledResponse.pain_duration)
"""The columns of the quasi-identifiers, in their order."""

BATCH_ROWS = 300
"""Responses fetched at a time: few enough that Python's garbage collector, which larger batches start, stays idle."""

CACHED_ANSWERS = 1 << 17
"""Sets of answers that are decoded once, since many visitors give the same."""


def count(policy: ReleasePolicy, last: str) -> dict[tuple[Generalized, str], int]:
    """Return the number of responses with each combination of quasi-identifiers and sensitive answer."""
    sensitive = ShuffledResponse.answers[policy.questionnaire.help.question].as_string()
    query = (
        select(*DETAILS, sensitive, func.count())
        .where(
            ShuffledResponse.questionnaire == policy.questionnaire.id,
            ShuffledResponse.version == policy.questionnaire.version,
        )
        .where(ShuffledResponse.period <= last)
        .group_by(*DETAILS, sensitive)
    )
    with db.engines[None].connect() as connection:
        without_timeouts(connection)
        found = connection.execute(query).all()
    return {((month, age, duration), answer): number for month, age, duration, answer, number in found}


def released(policy: ReleasePolicy, months: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on the responses that a release of these months takes."""
    asked = policy.questionnaire
    return (
        ShuffledResponse.questionnaire == asked.id,
        ShuffledResponse.version == asked.version,
        ShuffledResponse.period.in_(months),
    )


def read(policy: ReleasePolicy, plan: Plan, months: Collection[str], progress: Callable[[int], None]) -> Rows:
    """Return the rows of a release in full detail. ``progress`` receives the number read since its last call."""
    shape = RowFormat(policy.questionnaire)
    # For a combination that is new since the preview; the stamp then refuses the release.
    hidden = (SUPPRESSED,) * len(QUASI_IDENTIFIERS)
    query = select(cast(ShuffledResponse.answers, Text), *DETAILS).where(*released(policy, months))
    decode = lru_cache(CACHED_ANSWERS)(lambda text, hides_pain: shape.answers(json.loads(text), hides_pain))
    found: dict[Generalized, Counter[Row]] = defaultdict(Counter)

    @cache
    def group_of(*original: str) -> tuple[Counter[Row], bool]:
        group = plan.generalized.get(original, hidden)
        return found[group], hides_pain(group)

    with db.engines[None].connect().execution_options(yield_per=BATCH_ROWS) as connection:
        for several in connection.execute(query).partitions():
            for answers, month, age, duration in several:
                rows, hides = group_of(month, age, duration)
                rows[decode(answers, hides)] += 1
            progress(len(several))
    return found
