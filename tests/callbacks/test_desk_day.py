"""A scripted day at the desk, its presses, and the promise behind it: no open request is ever out of every list."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from sqlalchemy import select

from screening.callbacks import attempts, clinic_calendar, next_request, patient_service, staff_service, workflow
from screening.callbacks.attempts import Result
from screening.callbacks.models import CallbackRequest
from screening.callbacks.staff_service import Filter
from screening.callbacks.workflow import NotAllowedError, Outcome
from screening.config import ROOT
from screening.extensions import db
from tests.support import desk_day
from tests.support.clock import NOON
from tests.support.presses import Presses
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

STAFF = ("ann", "ben")


@pytest.fixture
def team(make_site, clock):
    clock.now = NOON
    return Team(make_site())


@pytest.mark.each_database
def test_two_receptionists_forget_nobody_and_call_nobody_early(team):
    with team.app.app_context():
        dice = Random(18)
        asked = desk_day.ask(team.app, dice, 12, int(NOON))
        day = desk_day.work(team.app, dice, int(NOON), STAFF)
        assert desk_day.open_ids() == set()
        assert {id_ for _, _, id_ in day.calls} == set(asked), "everyone was called"
        assert day.too_early == []
        assert max(Counter((now, id_) for now, _, id_ in day.calls).values()) == 1, "nobody is called by two"
        assert {me for _, me, _ in day.calls} == set(STAFF)


def random_step(team, dice, id_, now):
    """Do something at random that staff or the patient may do to a request; what is not allowed changes nothing."""
    calendar = clinic_calendar.current_calendar(team.app.extensions["clinic"])
    request, me, other = staff_service.get_request(id_), *dice.sample(STAFF, 2)
    waits = team.app.config["SETTINGS"]["RETRY_MINUTES"]

    def transition(step, action):
        staff_service.transition(request, request.version, step, action, me, now)

    def record():
        outcome = dice.choice(list(Outcome))
        next_at = attempts.next_call_at(outcome, now, calendar, attempts.PreferredTimes(), waits)
        attempts.record(request, request.version, Result(outcome, now + 7200, True), next_at, me, now)

    steps = {
        "record": record,
        "next": lambda: next_request.lease_next(me, now),
        "undo": lambda: attempts.undo(request, request.version, me, now, calendar),
        "claim": lambda: transition(lambda p: workflow.claim(p, me), "request.claimed"),
        "hand": lambda: transition(lambda p: workflow.reassign(p, other), "request.reassigned"),
        "put_back": lambda: transition(lambda p: workflow.put_back(p, me), "request.put_back"),
        "close": lambda: transition(lambda p: workflow.close(p, me), "request.closed"),
        "reopen": lambda: transition(lambda p: workflow.reopen(p, me), "request.reopened"),
        "disable": lambda: staff_service.put_back_orphans((other,), now),
        "erase": lambda: dice.random() < 0.2 and patient_service.erase(request, now, me),
    }
    try:
        steps[dice.choice(list(steps))]()
    except NotAllowedError:
        db.session.rollback()
    db.session.commit()


@pytest.mark.each_database
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_open_request_is_ever_out_of_every_list(team, seed):
    """After each random step the two lists hold every open request; in the end "next request" shows each one."""
    with team.app.app_context():
        dice, now = Random(seed), int(NOON)
        ids = desk_day.ask(team.app, dice, 6, now)
        for _ in range(60):
            now += dice.randrange(1800)
            random_step(team, dice, dice.choice(ids), now)
            keyring = team.app.extensions["keyring"]
            listed = [
                row.request.id
                for tab in ("waiting", "reached")
                for row in staff_service.queue(keyring, Filter(tab), "ann", now).rows
            ]
            states = {request.id: request.progress.state for request in db.session.scalars(select(CallbackRequest))}
            assert sorted(listed) == sorted(id_ for id_, state in states.items() if state in workflow.OPEN_STATES)
        later = now + 60 * desk_day.DAY_SECONDS
        staff_service.put_back_orphans((), later)
        db.session.commit()
        shown = []
        while found := next_request.lease_next("ann", later):
            shown.append(found)
        assert sorted(shown) == sorted(listed)


TODAY = "/staff/callbacks/today"


@pytest.fixture
def desk(team, request_call, clock):
    """Ann, and the requests of four patients, which she has taken if ``mine``, or Ben."""
    members = {name: team.sign_in(name, "callbacks") for name in STAFF}

    def start(owner=None, address=TODAY, **fields):
        for name in ("Ada", "Bea", "Cleo", "Dora"):
            clock.forward(5)
            request_call(Visitor(team.site), **{"name": name, "phone": f"(303) 555-01{ord(name[0])}", **fields})
        if owner:
            queue = Presses(members[owner], "/staff/callbacks?all=1")
            queue.press("Take")
        return Presses(members["ann"], address)

    return start


def following(desk):
    hand = desk()
    hand.press("Next request")
    assert hand.page.heading == "Ada"
    return hand


def opened(desk, **fields):
    hand = desk(**fields)
    hand.press("Next request")
    hand.count = 0
    return hand


def no_answer(desk):
    hand = opened(desk)
    hand.press("No answer")
    assert "Tried once" in hand.page.words
    return hand


def voicemail(desk):
    hand = opened(desk, voicemail="yes")
    hand.press("Left a voicemail")
    assert "Tried once" in hand.page.words
    return hand


def spoke(desk):
    hand = opened(desk)
    hand.press("Spoke, done")
    assert "Closed" in hand.page.words
    return hand


def booked(desk):
    hand = opened(desk)
    hand.unfold("Booked for…")
    hand.enter("visit_day", "2026-12-01")
    hand.enter("visit_time", "09:00")
    hand.press("Booked, close")
    assert "Closed" in hand.page.words and "Tue, Dec 1, 9:00" in hand.page.words
    return hand


def caller_back(desk, owner):
    hand = desk(owner)
    hand.enter("contact", "0167")
    hand.press("Find")
    assert hand.page.heading == "Cleo"
    hand.press("Spoke, done")
    assert "Closed" in hand.page.words and "With Ann." in hand.page.words
    return hand


def lunch(desk):
    hand = desk("ann")
    hand.follow("Call-backs")
    hand.pick("owner", "Me")
    hand.press("Show")
    hand.follow("Check all on this page")
    hand.pick("to", "Ben")
    hand.press("Hand over")
    assert "4 requests handed over." in hand.page.words
    return hand


def printed(desk):
    hand = desk()
    hand.follow("Call list for paper")
    assert hand.page.heading == "Call list"
    return hand


TASKS = {
    "Next request": following,
    "No answer": no_answer,
    "Voicemail": voicemail,
    "Reached, done": spoke,
    "Reached and booked": booked,
    "A caller back, own request": lambda desk: caller_back(desk, "ann"),
    "A caller back, a colleague’s": lambda desk: caller_back(desk, "ben"),
    "Hand over four at lunch": lunch,
    "Call list to print": printed,
}


@pytest.mark.parametrize("task", TASKS)
def test_task_takes_the_presses_of_the_handbook(desk, task):
    rows = [line.split("|")[1:4] for line in (ROOT / "docs/staff.md").read_text(encoding="utf-8").splitlines()]
    stated = {row[0].strip(): int(row[2]) for row in rows if len(row) == 3 and row[0].strip() in TASKS}
    assert TASKS[task](desk).count == stated[task]
