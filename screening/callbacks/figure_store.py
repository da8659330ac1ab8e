"""Storage of the figures: requests are counted when they are deleted, in one transaction with the deletion.

What is stored and what still stands in requests together is each week's count, so that no run counts twice or misses.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update

from screening.audit import AuditEvent
from screening.callbacks import figures
from screening.callbacks.business_hours import Calendar
from screening.callbacks.figures import WEEK, WEEKS, Count, Course
from screening.callbacks.models import WITHDRAWN, CallbackRequest, FigureBlock, WeeklyCount
from screening.database.upsert import INSERTS
from screening.extensions import db

CONTACTS = {"request.attempted": "no_answer", "request.reached": "spoke", "request.closed": ""}
"""Audit actions of a call or e-mail, with the outcome of an event that names none; empty: such an event is no call."""

UNDONE = "request.undone"

COLUMNS = ("week", "language", "figure", "value")

BATCH = 500


def count_deleted(calendar: Calendar, now: float, *where: ColumnElement[bool]) -> None:
    """Add the requests that meet all conditions to the stored counts. The caller deletes them, and commits.

    Locks their rows, so that two runs at the same time do not count one twice: by a write, since SQLite locks for
    nothing else.
    """
    db.session.execute(update(CallbackRequest).where(*where).values(state_group=CallbackRequest.state_group))
    found = db.session.scalars(select(CallbackRequest).where(*where)).all()
    add(_count(found, calendar, now))


def add(counts: Mapping[Count, int]) -> None:
    """Add counts to the stored ones. The caller commits."""
    dialect = db.session.get_bind(WeeklyCount).dialect
    for key, number in sorted(counts.items()):  # in one order, so that two runs never wait for each other
        added = {"count": WeeklyCount.count + number}
        insert = INSERTS[dialect.name](WeeklyCount).values(**dict(zip(COLUMNS, key, strict=True)), count=number)
        db.session.execute(insert.on_conflict_do_update(index_elements=COLUMNS, set_=added))
    db.session.expire_all()


def seal(calendar: Calendar, now: float, k: int) -> None:
    """Publish each finished block of which no request is left, and delete its counts. Commits."""
    oldest = db.session.scalar(select(CallbackRequest.asked_at).order_by(CallbackRequest.asked_at).limit(1))
    limit = figures.block_of(figures.week_of(now if oldest is None else min(now, oldest), calendar))
    for start, counts in _stored().items():
        if start >= limit:
            continue
        if db.session.get(FigureBlock, start.isoformat()) is None:
            db.session.add(FigureBlock(start=start.isoformat(), tables=figures.publish(start, counts, k)))
        db.session.execute(delete(WeeklyCount).where(WeeklyCount.week.in_(_weeks(start))))
    db.session.commit()


def blocks(calendar: Calendar, now: float, k: int) -> list[tuple[date, dict[str, Any]]]:
    """Return the figures of all finished blocks, the newest first."""
    current = figures.block_of(figures.week_of(now, calendar))
    counted = _stored()
    for key, number in _count(db.session.scalars(select(CallbackRequest)), calendar, now).items():
        counted[figures.block_of(date.fromisoformat(key[0]))][key] += number
    found = {date.fromisoformat(row.start): row.tables for row in db.session.scalars(select(FigureBlock))}
    for start, counts in counted.items():
        if start < current:
            found.setdefault(start, figures.publish(start, counts, k))
    return sorted(found.items(), reverse=True)


def _stored() -> defaultdict[date, Counter[Count]]:
    """Return the stored counts by block."""
    found: defaultdict[date, Counter[Count]] = defaultdict(Counter)
    for row in db.session.scalars(select(WeeklyCount)):
        block = figures.block_of(date.fromisoformat(row.week))
        found[block][row.week, row.language, row.figure, row.value] = row.count
    return found


def _count(requests: Iterable[CallbackRequest], calendar: Calendar, now: float) -> Counter[Count]:
    """Return the counts of these requests, by their audit events."""
    everyone, counted = list(requests), Counter[Count]()
    for start in range(0, len(everyone), BATCH):
        some = everyone[start : start + BATCH]
        contacts = _contacts([request.id for request in some])
        for request in some:
            withdrawn = request.state_group == WITHDRAWN
            course = Course(request.asked_at, request.due_at, request.language, withdrawn, tuple(contacts[request.id]))
            counted.update(figures.counts_of(course, calendar, now))
    return counted


def _contacts(ids: list[str]) -> defaultdict[str, list[tuple[int, str]]]:
    """Return time and outcome of each request's calls and e-mails, without those that were undone."""
    found: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    wanted = (AuditEvent.subject.in_(ids), AuditEvent.action.in_((*CONTACTS, UNDONE)))
    for event in db.session.scalars(select(AuditEvent).where(*wanted).order_by(AuditEvent.id)):
        if event.action == UNDONE:
            del found[event.subject][-1:]
            continue
        outcome = event.detail.get("outcome") or event.detail.get("reason") or CONTACTS[event.action]
        if outcome:
            found[event.subject].append((event.at, outcome))
    return found


def _weeks(start: date) -> list[str]:
    return [(start + number * WEEK).isoformat() for number in range(WEEKS)]
