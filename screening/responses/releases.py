"""Releases: what one would hold now, and making it, wholly or not at all.

A release takes every copy of the sealed months of one questionnaire version. The work is done beforehand; then one
transaction stores it and deletes the copies, if nothing came or went in between.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import format_date, lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.engine import Connection

from screening.audit import AuditEvent
from screening.erasing import wipe
from screening.extensions import db
from screening.patience import take_time
from screening.responses import manifest, store
from screening.responses.anonymise import MASKED, Plan, Told, TooAlikeError, TooFewError, plan
from screening.responses.files import codebook
from screening.responses.ladders import DETAILS
from screening.responses.models import MixedCopy, Moved, Release, number_of
from screening.responses.rows import FULL, SIGNS, Row, Rows, read, record
from screening.responses.tables import tables
from screening.responses.terms import Terms

SEALED_AFTER = timedelta(hours=24)
"""How long after its end a month is closed: copies of its last day have been mixed by then."""

AT_ONCE = 5000
"""Copies fetched at a time."""

Progress = Callable[[int], None]
"""Told how many copies more are done."""


class RefusedError(Exception):
    """A release that cannot be made now. Its text says what is missing, and when to try again."""

    def __init__(self, why: str | LazyString) -> None:
        super().__init__(why)


class OtherVersionsError(RefusedError):
    """Copies of other versions wait. ``may_choose``: the definition's own version can be asked for by its number."""

    def __init__(self, why: str | LazyString, may_choose: bool = False) -> None:
        super().__init__(why)
        self.may_choose = may_choose


@dataclass(frozen=True)
class Preview:
    """What a release would be if it were made now."""

    terms: Terms
    plan: Plan
    months: tuple[str, ...]
    stamp: tuple[int, int]
    """How often copies had come and gone when this was looked at."""

    @property
    def waits(self) -> tuple[str, ...]:
        """The periods that wait, since they have too few copies."""
        finest = self.terms.ladders.for_periods((d[0] for d in self.plan.waiting), self.terms.finest)[0].levels[0].told
        return tuple(sorted({finest[details[0]] for details in self.plan.waiting}))

    def stated(self) -> dict[str, Any]:
        """The part of the manifest that is known before a release is made."""
        return manifest.of_plan(self.terms, self.plan)


def preview(terms: Terms, now: float, version: int | None = None) -> Preview:
    """What a release would be now. Raises RefusedError.

    ``version`` says which is meant where copies of several wait; it must be that of the definition.
    """
    with db.engines[None].connect() as connection:
        stamp = _stamp(connection)
    _check_versions(terms, now, version)
    counts = _counts(terms, last_sealed(now, terms.zone))
    months = {details[0] for details, _ in counts}
    try:
        found = plan(counts, terms.ladders.for_periods(months, terms.finest), terms.rules)
    except TooFewError:
        raise RefusedError(_not_enough(now, terms.zone)) from None
    except TooAlikeError:
        raise RefusedError(
            lazy_gettext(
                "Too many of these copies would have to be masked. More copies help. Next try on %(day)s.",
                day=format_date(next_try(now, terms.zone), rebase=False),
            )
        ) from None
    released = tuple(sorted({details[0] for details in found.told}))
    return Preview(terms, found, released, stamp)


def create(seen: Preview, now: float, actor: str, progress: Progress = lambda done: None) -> Release:
    """Make the release that was seen, and delete its copies: one transaction, wholly or not at all.

    Raises RefusedError when copies came or went since the preview, as when somebody else makes a release.
    """
    rows = _rows(seen, progress)
    main = db.engines[None]
    with main.connect() as connection:
        take_time(connection)
        _lock(connection)
        if _stamp(connection) != seen.stamp:
            raise RefusedError(lazy_gettext("Copies came or went in the meantime. Nothing was made: look again."))
        release_id = _store(connection, seen, rows, now, actor)
        gone = connection.execute(delete(MixedCopy).where(*_wanted(seen))).rowcount
        if gone != seen.plan.rows:
            raise RuntimeError(f"{gone} copies would go for {seen.plan.rows} rows")
        connection.commit()
    wipe(main, MixedCopy.__tablename__)
    return db.session.get_one(Release, release_id)


def last_sealed(now: float, zone: ZoneInfo) -> str:
    """The last month (``2026-11``) that has been over for a day at the clinic."""
    then = datetime.fromtimestamp(now, zone) - SEALED_AFTER
    return f"{then.replace(day=1) - timedelta(days=1):%Y-%m}"


def next_try(now: float, zone: ZoneInfo) -> date:
    """The day on which the next month is sealed."""
    then = datetime.fromtimestamp(now, zone) - SEALED_AFTER
    return ((then.replace(day=1) + timedelta(days=32)).replace(day=1) + SEALED_AFTER).date()


def everyone() -> list[Release]:
    """Every release, the last first."""
    return list(db.session.scalars(select(Release).order_by(Release.id.desc())))


def day_made(made: Release, zone: ZoneInfo) -> date:
    """The day a release was made, at the clinic; for staff, never exported."""
    return datetime.fromtimestamp(made.made_at, zone).date()


def _not_enough(now: float, zone: ZoneInfo) -> LazyString:
    return lazy_gettext(
        "There are not enough copies for a release yet. Next try on %(day)s.",
        day=format_date(next_try(now, zone), rebase=False),
    )


def _check_versions(terms: Terms, now: float, version: int | None) -> None:
    """Refuse to choose among versions, and to release copies whose definition is not at hand."""
    asked = terms.questionnaire
    sealed = MixedCopy.period <= last_sealed(now, terms.zone)
    with db.engines[None].connect() as connection:
        found = connection.execute(select(MixedCopy.questionnaire, MixedCopy.version).where(sealed).distinct()).all()
    others = sorted(f"{id_} {number}" for id_, number in found if (id_, number) != (asked.id, asked.version))
    if version is None and others and len(found) > 1:
        raise OtherVersionsError(
            lazy_gettext(
                "Copies of several versions wait, and one release holds one: say which. "
                "Besides version %(version)s: %(others)s.",
                version=asked.version,
                others=", ".join(others),
            ),
            may_choose=len(others) < len(found),
        )
    if others and len(others) == len(found):
        raise OtherVersionsError(
            lazy_gettext("The copies that wait are of %(others)s: give its definition.", others=", ".join(others))
        )
    if version not in (None, asked.version):
        raise RefusedError(
            lazy_gettext("The definition is of version %(version)s: give the other’s.", version=asked.version)
        )


def _counts(terms: Terms, last: str) -> dict[tuple[Told, str], int]:
    """How many copies have each combination of details and sensitive answer."""
    sensitive = MixedCopy.answers[terms.questionnaire.help.question].as_string()
    details = (MixedCopy.period, MixedCopy.age_band, MixedCopy.pain_duration)
    query = (
        select(*details, sensitive, func.count())
        .where(MixedCopy.questionnaire == terms.questionnaire.id, MixedCopy.version == terms.questionnaire.version)
        .where(MixedCopy.period <= last)
        .group_by(*details, sensitive)
    )
    with db.engines[None].connect() as connection:
        take_time(connection)
        found = connection.execute(query).all()
    return {((month, age, duration), answer): number for month, age, duration, answer, number in found}


def _wanted(seen: Preview) -> tuple[Any, ...]:
    asked = seen.terms.questionnaire
    return (
        MixedCopy.questionnaire == asked.id,
        MixedCopy.version == asked.version,
        MixedCopy.period.in_(seen.months),
    )


def _rows(seen: Preview, progress: Progress) -> Counter[str]:
    """Every row in full as a line, with how often it occurs. Lines, since a million tuples would not fit."""
    shape, told = Rows(seen.terms.questionnaire), seen.plan.told
    hidden = (MASKED,) * len(DETAILS)  # for a combination that came since the preview: the stamp will tell
    query = select(MixedCopy.answers, MixedCopy.period, MixedCopy.age_band, MixedCopy.pain_duration)
    found: Counter[str] = Counter()
    with db.engines[None].connect().execution_options(yield_per=AT_ONCE) as connection:
        for several in connection.execute(query.where(*_wanted(seen))).partitions():
            found.update(record(shape.full(told.get(tuple(details), hidden), answers)) for answers, *details in several)
            progress(len(several))
    return found


def _store(connection: Connection, seen: Preview, rows: Counter[str], now: float, actor: str) -> int:
    """Everything of a release; gives its id."""
    asked = seen.terms.questionnaire
    shape = Rows(asked)
    values = {"made_at": int(now), "made_by": actor, "questionnaire": asked.id, "version": asked.version}
    values |= {"promised": seen.terms.promised(), "rows": seen.plan.rows}
    unfinished = values | {"manifest": "", "tables": {}, "codebook": {}}
    release_id: int = connection.execute(insert(Release).values(unfinished).returning(Release.id)).scalar_one()
    files = {"full.csv": store.write(connection, release_id, "full.csv", _csv(shape.columns(FULL), rows))}
    patterns = {FULL: manifest.patterns(rows)}
    counted = tables(((read(line), number) for line, number in rows.items()), shape, seen.terms.k)
    signs: Counter[str] = Counter()
    for line, number in rows.items():
        signs[record(shape.of_signs(read(line)))] += number
    rows.clear()
    files["signs.csv"] = store.write(connection, release_id, "signs.csv", _csv(shape.columns(SIGNS), signs))
    patterns[SIGNS] = manifest.patterns(signs)
    stated = manifest.whole(seen.terms, seen.plan, number_of(release_id), now, patterns, files)
    explained = {detail: _codebook(seen, json.loads(stated), detail) for detail in (SIGNS, FULL)}
    values = {"manifest": stated, "tables": counted, "codebook": explained}
    connection.execute(update(Release).where(Release.id == release_id).values(values))
    _note(connection, seen, release_id, now, actor)
    return release_id


def _codebook(seen: Preview, stated: dict[str, Any], detail: str) -> list[dict[str, Any]]:
    return codebook.stored(codebook.columns(stated, seen.terms.questionnaire, seen.terms.ladders, detail))


def _csv(columns: Row, rows: Counter[str]) -> Iterator[bytes]:
    """The file: the names, then every line as often as it occurs, in the order of their bytes."""
    yield record(columns).encode()
    for line in sorted(rows):
        yield (line * rows[line]).encode()


def _note(connection: Connection, seen: Preview, release_id: int, now: float, actor: str) -> None:
    """Write who made the release into the audit, and that the terms are others than before where they are."""
    last = connection.execute(
        select(AuditEvent.detail).where(AuditEvent.action == "release.terms").order_by(AuditEvent.id.desc()).limit(1)
    ).scalar_one_or_none()
    events = [("release.made", number_of(release_id), {"rows": str(seen.plan.rows)})]
    if last != seen.terms.stated():
        events.insert(0, ("release.terms", "", seen.terms.stated()))
    for action, subject, detail in events:
        values = {"at": int(now), "actor": actor, "action": action, "subject": subject, "detail": detail}
        connection.execute(insert(AuditEvent).values(values))


def _lock(connection: Connection) -> None:
    """Let nobody add or take copies until the transaction ends."""
    begin = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE mixed_copy IN EXCLUSIVE MODE"}
    connection.execute(text(begin[connection.dialect.name]))


def _stamp(connection: Connection) -> tuple[int, int]:
    """How often copies have come (every mixing notes its batch) and gone (the last release)."""
    query = select(
        select(func.count()).select_from(Moved).scalar_subquery(),
        select(func.coalesce(func.max(Release.id), 0)).scalar_subquery(),
    )
    came, gone = connection.execute(query).one()
    return came, gone
