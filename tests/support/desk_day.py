"""A scripted desk: requests of random patients, and receptionists who press "next request" until nothing is open."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

from flask import Flask
from sqlalchemy import select

from screening.callbacks import attempts, clinic_calendar, next_request, patient_service, staff_service
from screening.callbacks.attempts import Result
from screening.callbacks.business_hours import PartOfDay, is_open, next_call_time
from screening.callbacks.models import REACHED, WAITING, CallbackRequest
from screening.callbacks.workflow import Outcome
from screening.extensions import db
from tests.support.sample_patient import ROSA

CALL_SECONDS = 4 * 60
DAY_SECONDS = 24 * 3600

FAILED = (Outcome.NO_ANSWER, Outcome.BUSY, Outcome.VOICEMAIL, Outcome.CALL_AGAIN)
ENDED = (Outcome.SPOKE, Outcome.BOOKED, Outcome.NOT_INTERESTED, Outcome.STOP)


@dataclass
class Day:
    """What happened: per call the time, who called which request, and what was promised before it."""

    calls: list[tuple[int, str, str]] = field(default_factory=list)
    too_early: list[str] = field(default_factory=list)
    days: int = 0


def ask(app: Flask, dice: Random, count: int, now: int) -> list[str]:
    """Store requests with random preferred times; return their ids."""
    calendar = clinic_calendar.current_calendar(app.extensions["clinic"])
    for number in range(count):
        days = tuple(sorted(dice.sample(range(5), dice.choice([0, 0, 1, 2]))))
        parts = tuple(part.value for part in PartOfDay if dice.random() < 0.25)
        details = replace(ROSA, reach_by="phone", days=days, parts=parts, voicemail=True)
        asked, urgent = now - dice.randrange(DAY_SECONDS), number % 10 == 0
        patient_service.submit(patient_service.fresh_secret(), details, calendar, asked, urgent, mails=False)
    return list(db.session.scalars(select(CallbackRequest.id)))


def open_ids() -> set[str]:
    """Return the ids of the requests that still wait for staff."""
    groups = CallbackRequest.state_group.in_((WAITING, REACHED))
    return set(db.session.scalars(select(CallbackRequest.id).where(groups)))


def work(app: Flask, dice: Random, now: int, staff: tuple[str, ...], most_days: int = 30) -> Day:
    """Let the staff work in opening hours, a call each in turn, until nothing is open or the days are over."""
    calendar = clinic_calendar.current_calendar(app.extensions["clinic"])
    waits, day, end = app.config["SETTINGS"]["RETRY_MINUTES"], Day(), now + most_days * DAY_SECONDS
    started = now
    while now < end and open_ids():
        moment = datetime.fromtimestamp(now, UTC)
        if not is_open(calendar, moment):
            now = int(next_call_time(calendar, moment).timestamp())
            continue
        shown = [(me, next_request.lease_next(me, now)) for me in staff]
        for me, id_ in shown:
            if id_ is None:
                continue
            request = staff_service.get_request(id_)
            assert request is not None
            untried_and_due = request.attempts == 0 and request.due_at <= now
            if request.next_at is not None and request.next_at > now and not untried_and_due:
                day.too_early.append(id_)
            day.calls.append((now, me, id_))
            outcome = dice.choice(ENDED if request.attempts > 3 or dice.random() < 0.3 else FAILED)
            again = int(next_call_time(calendar, datetime.fromtimestamp(now + 5400, UTC)).timestamp())
            preferred = staff_service.decrypt(app.extensions["keyring"], request)
            assert preferred is not None
            times = attempts.next_call_at(outcome, now, calendar, preferred.preferred_times, waits)
            attempts.record(request, request.version, Result(outcome, again, True), times, me, now)
        now += CALL_SECONDS
    day.days = (now - started) // DAY_SECONDS
    return day
