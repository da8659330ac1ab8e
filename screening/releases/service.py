"""Preview and creation of releases.

A release includes every response of closed months of one questionnaire version, unless held back. Its files are made
and verified first; then one transaction stores it and deletes the responses, unless they changed since the preview.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flask_babel import format_date, lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy import delete, func, insert, inspect, select, text
from sqlalchemy.engine import Connection

from screening.audit import AuditEvent
from screening.database.secure_delete import scrub
from screening.database.timeouts import without_timeouts
from screening.extensions import db
from screening.releases import drafts, file_store, manifest, responses
from screening.releases.anonymise import GroupTooSmallError, InsufficientDiversityError, Plan
from screening.releases.drafts import Draft
from screening.releases.models import Release, number_of
from screening.releases.periods import last_closed_period, next_possible_day
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import SIGNS_DETAIL
from screening.responses import held_batches
from screening.responses.models import ShuffledBatch, ShuffledResponse

UNSOUND = lazy_gettext("The files did not pass the check, so nothing was stored and no copy was deleted.")

UNCONFIRMED = lazy_gettext(
    "More rows are the only match than your clinic allows. Nothing was made. Wait for more copies, or confirm it."
)

Progress = Callable[[int], None]
"""Callback that receives the number of responses done since its last call."""


class RefusedError(Exception):
    """A release cannot be made now. The message says what is missing, and when to try again."""

    def __init__(self, why: str | LazyString) -> None:
        super().__init__(why)


class MultipleVersionsError(RefusedError):
    """There are responses of other versions. ``may_choose``: the definition's own version can be selected."""

    def __init__(self, why: str | LazyString, may_choose: bool = False) -> None:
        super().__init__(why)
        self.may_choose = may_choose


class UnconfirmedError(RefusedError):
    """More rows stand alone in the measured attack than the policy allows, and this was not confirmed."""


class UnsoundError(RefusedError):
    """The files made do not pass verification. The message has a line for each finding."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join([str(UNSOUND), *dict.fromkeys(findings)]))


@dataclass(frozen=True)
class Preview:
    """A release that could be made now."""

    policy: ReleasePolicy
    plan: Plan
    without: Plan | None
    """The plan without the expert determination, if there is one; its loss is on the scale of ``plan``."""

    months: tuple[str, ...]
    stamp: tuple[int, int]
    """The state of the responses at the preview (see ``_stamp``)."""

    second_month_on: date | None
    """When a second month is closed, if all rows are of one although they state the year; the release dates them."""

    @property
    def held_back(self) -> tuple[str, ...]:
        """The years that are held back, since they have too few responses."""
        return tuple(sorted({details[0].partition("-")[0] for details in self.plan.held_back}))

    def stated(self) -> dict[str, Any]:
        """Return the part of the manifest that is known before the release is made."""
        return manifest.build_manifest(self.policy, self.plan)

    def stated_without(self) -> dict[str, Any] | None:
        """Return the same for the plan without the expert determination, if there is one."""
        return manifest.build_manifest(self.policy, self.without) if self.without else None


def preview(policy: ReleasePolicy, now: float, version: int | None = None) -> Preview:
    """Return the release that could be made now. Raises RefusedError.

    ``version`` selects a version if there are responses of several; it must be that of the definition.
    """
    with db.engines[None].connect() as connection:
        stamp = _stamp(connection)
    _check_versions(policy, now, version)
    counts = responses.count(policy, last_closed_period(now, policy.zone))
    try:
        found, without = policy.plan(counts)
    except GroupTooSmallError:
        raise RefusedError(
            lazy_gettext(
                "There are not enough copies for a release yet. Next try on %(day)s.", day=_next_try(policy, now)
            )
        ) from None
    except InsufficientDiversityError:
        raise RefusedError(
            lazy_gettext(
                "Too many of these copies would have to be masked. More copies help. Next try on %(day)s.",
                day=_next_try(policy, now),
            )
        ) from None
    released = tuple(sorted({details[0] for details in found.generalized}))
    alone = len(released) == 1 and policy.determination is None
    second_month_on = next_possible_day(now, policy.zone) if alone else None
    return Preview(policy, found, without, released, stamp, second_month_on)


def measure(seen: Preview) -> Mapping[str, Mapping[str, int]]:
    """Return the measured attack on the files of a preview's release, by detail. Nothing is stored."""
    values: dict[str, Any] = {"id": 0, "made_at": 0, "made_by": ""}
    with TemporaryDirectory(prefix="release-") as folder:
        return drafts.make(
            Path(folder),
            seen.policy,
            seen.plan,
            responses.read(seen.policy, seen.plan, seen.months, lambda done: None),
            **values,
        ).measured


def create(
    seen: Preview, now: float, actor: str, progress: Progress = lambda done: None, confirmed: bool = False
) -> Release:
    """Make and verify all files of a preview's release; then store it and delete its responses, in one transaction.

    ``confirmed``: also if more rows stand alone than the policy allows. Raises RefusedError when responses changed
    since the preview, such as by a concurrent release; UnconfirmedError; UnsoundError when the verifier finds a fault.
    """
    main, (_, last) = db.engines[None], seen.stamp
    rows = responses.read(seen.policy, seen.plan, seen.months, progress)
    with main.connect() as connection:
        _check_unchanged(connection, seen)
    with TemporaryDirectory(prefix="release-") as folder:
        draft = drafts.make(Path(folder), seen.policy, seen.plan, rows, id=last + 1, made_at=int(now), made_by=actor)
        if draft.above_limit and not confirmed:
            raise UnconfirmedError(UNCONFIRMED)
        if found := draft.findings():
            raise UnsoundError(found)
        with main.connect() as connection:
            without_timeouts(connection)
            _lock(connection)
            _check_unchanged(connection, seen)
            _store(connection, draft, seen, now, actor)
            deleted = connection.execute(
                delete(ShuffledResponse).where(*responses.released(seen.policy, seen.months))
            ).rowcount
            if deleted != seen.plan.rows:
                raise RuntimeError(f"{deleted} responses would be deleted for {seen.plan.rows} rows")
            connection.commit()
    scrub(main, ShuffledResponse.__tablename__)
    return db.session.get_one(Release, last + 1)


def list_releases() -> list[Release]:
    """Return all releases, the newest first."""
    return list(db.session.scalars(select(Release).order_by(Release.id.desc())))


def _next_try(policy: ReleasePolicy, now: float) -> str:
    return format_date(next_possible_day(now, policy.zone), rebase=False)


def _check_versions(policy: ReleasePolicy, now: float, version: int | None) -> None:
    """Raise RefusedError if a version must be selected, or the definition is of another version."""
    asked = policy.questionnaire
    closed = ShuffledResponse.period <= last_closed_period(now, policy.zone)
    with db.engines[None].connect() as connection:
        found = connection.execute(
            select(ShuffledResponse.questionnaire, ShuffledResponse.version).where(closed).distinct()
        ).all()
    others = sorted(f"{id_} {number}" for id_, number in found if (id_, number) != (asked.id, asked.version))
    if version is None and others and len(found) > 1:
        raise MultipleVersionsError(
            lazy_gettext(
                "Copies of several versions wait, and one release holds one: say which. "
                "Besides version %(version)s: %(others)s.",
                version=asked.version,
                others=", ".join(others),
            ),
            may_choose=len(others) < len(found),
        )
    if others and len(others) == len(found):
        raise MultipleVersionsError(
            lazy_gettext("The copies that wait are of %(others)s: give its definition.", others=", ".join(others))
        )
    if version not in (None, asked.version):
        raise RefusedError(
            lazy_gettext("The definition is of version %(version)s: give the other’s.", version=asked.version)
        )


def _store(connection: Connection, draft: Draft, seen: Preview, now: float, actor: str) -> None:
    """Store a release with its files and audit events."""
    release = draft.release
    values = {column.key: getattr(release, column.key) for column in inspect(Release).columns}
    connection.execute(insert(Release).values(values))
    for name, parts in draft.data_files():
        file_store.store_file(connection, release.id, name, parts)
    confirmed = {"confirmed": f"{draft.measured[SIGNS_DETAIL]['mean_percent']}%"} if draft.above_limit else {}
    _note(connection, seen, release.id, now, actor, **confirmed)


def _note(connection: Connection, seen: Preview, release_id: int, now: float, actor: str, **confirmed: str) -> None:
    """Add audit events: the release, and before it the policy if it has changed since the last release."""
    last = connection.execute(
        select(AuditEvent.detail).where(AuditEvent.action == "release.terms").order_by(AuditEvent.id.desc()).limit(1)
    ).scalar_one_or_none()
    events = [("release.made", number_of(release_id), {"rows": str(seen.plan.rows), **confirmed})]
    if last != seen.policy.stated():
        events.insert(0, ("release.terms", "", seen.policy.stated()))
    for action, subject, detail in events:
        values = {"at": int(now), "actor": actor, "action": action, "subject": subject, "detail": detail}
        connection.execute(insert(AuditEvent).values(values))


def _lock(connection: Connection) -> None:
    """Block concurrent writes to the responses until the transaction ends."""
    begin = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE shuffled_response IN EXCLUSIVE MODE"}
    connection.execute(text(begin[connection.dialect.name]))


def _check_unchanged(connection: Connection, seen: Preview) -> None:
    """Raise RefusedError if the responses changed since the preview."""
    if _stamp(connection) != seen.stamp:
        raise RefusedError(lazy_gettext("Copies came or went in the meantime. Nothing was made: look again."))


def _stamp(connection: Connection) -> tuple[int, int]:
    """Return the number of batches in the pool and the id of the last release, which change with the responses."""
    query = select(
        select(func.count())
        .select_from(ShuffledBatch)
        .where(ShuffledBatch.state == held_batches.ACCEPTED)
        .scalar_subquery(),
        select(func.coalesce(func.max(Release.id), 0)).scalar_subquery(),
    )
    came, gone = connection.execute(query).one()
    return came, gone
