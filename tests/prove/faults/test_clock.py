"""The machine's clock jumps under people at work: a day ahead, an hour back, and back to before they began."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from screening.extensions import db
from screening.operations.jobs import DAY, HOUR, Job
from screening.operations.worker import LEASE, Worker
from screening.outbox import delivery
from screening.outbox.models import SENT, WAITING, OutboxMail
from screening.staff import sessions, throttle
from screening.web import drafts
from tests.callback.conftest import reference_on
from tests.operations.test_worker import Quiet
from tests.outbox.conftest import Desk, mailing, serve, server  # noqa: F401 (fixtures)
from tests.prove.faults.conftest import People
from tests.visitor import Visitor

MINUTE = 60


@pytest.fixture
def people(make_site, clock):
    people = People(make_site(), clock)
    people.settle()
    return people


def test_a_day_ahead_the_walk_begins_anew_and_says_why_and_the_form_is_as_it_was(people, clock):
    walker = people.walk()
    clock.forward(DAY)
    page = walker.get("/check/motivation")
    assert page.status == 200 and "We don’t have your earlier answers any more" in page.words
    again = people.send()
    assert again.status == 400 and "What you typed is still here" in again.words
    people.review = again
    assert reference_on(people.send())
    assert people.clerk.get("/staff/callbacks").address == "/staff/sign-in"
    queue = people.clerk.sign_in("/staff/callbacks")
    assert queue.main.get_text().count("Zentinel") == 2


@pytest.mark.parametrize("back", [HOUR, DAY])
def test_back_the_walk_goes_on_and_its_limits_hold_from_then_on(people, clock, back):
    """The draft began after what is now called now: it counts as of now, so it neither ends at once nor lasts longer."""
    walker = people.walk()
    clock.forward(-back)
    assert walker.get("/check/sadness").chosen() == ["2"]
    clock.forward(drafts.IDLE - 1)
    assert walker.get("/check/sadness").chosen() == ["2"]
    clock.forward(1)
    assert walker.get("/check/motivation").address == "/check/sadness", "forgotten after half an hour, as ever"
    assert reference_on(people.send())


def test_back_a_session_of_staff_ends_since_nobody_knows_how_long_it_was_left_alone(people, clock):
    clock.forward(-HOUR)
    assert people.clerk.get("/staff/callbacks").address == "/staff/sign-in"


def test_a_few_seconds_back_or_between_two_machines_change_nothing(people, clock):
    walker = people.walk()
    clock.forward(-sessions.SKEW)
    assert walker.get("/check/sadness").chosen() == ["2"]
    assert people.clerk.get("/staff/callbacks").status == 200


def test_a_wait_for_the_wrong_password_that_began_tomorrow_is_none(people, clock):
    clock.forward(DAY)
    for _ in range(throttle.FREE):
        people.clerk.give_password("wrong")
    assert "We could not sign you in" in people.clerk.give_password().words, "it has to wait now"
    clock.forward(-DAY)
    page = people.clerk.give_password()
    assert page.address != "/staff/sign-in", page.words


PROMISED = re.compile(r"by \d+:\d\d [AP]M on \w+, \w+ \d+")


@pytest.mark.parametrize("jump", [2 * DAY, -HOUR, -DAY])
def test_the_promise_that_was_given_stays(people, clock, jump):
    """A machine two days ahead calls it late; put back, the page says again what was promised."""
    shown = people.send()
    (promised,), reference = PROMISED.findall(shown.words), reference_on(shown)
    clock.forward(jump)
    visitor = Visitor(people.site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
    assert page.status == 200 and page.address == "/consultation/status"
    assert ("We are late" in page.words) == (jump > 0), page.words
    if jump > 0:
        clock.forward(-jump)
        page = visitor.get("/consultation/status")
    assert PROMISED.findall(page.words) == [promised]


@pytest.mark.parametrize("jump", [DAY, -HOUR, -DAY])
def test_the_worker_takes_its_lease_again_and_runs_what_is_due(people, clock, jump):
    runs = []
    app = people.site.extensions["staff"]

    def hire(rounds=0):
        jobs = (
            Job("often", 0, lambda go_on: runs.append("often")),
            Job("daily", DAY, lambda go_on: runs.append("daily")),
        )
        return Worker(app, Quiet(clock, rounds), jobs)

    at_work = hire()
    at_work.work(once=True)
    clock.forward(jump)
    assert at_work.work(once=True), "who was at work goes on"
    assert runs == ["often", "daily", "often", "daily"]
    clock.forward(LEASE)
    assert hire().work(once=True), "and another takes over when it must"


def test_mail_put_off_until_the_day_after_tomorrow_goes_out_today(mailing, server, clock):  # noqa: F811
    desk = Desk(mailing(server.port), clock)
    clock.forward(7 * DAY)
    desk.ask()
    server.answers = ["451 later"] * 2
    assert desk.deliver() == 0
    clock.forward(-7 * DAY)
    assert desk.deliver() == 2
    assert {state for _, state, _ in desk.states()} == {SENT}


def test_an_hour_back_a_mail_waits_an_hour_longer_at_most(mailing, server, clock):  # noqa: F811
    desk = Desk(mailing(server.port), clock)
    desk.ask()
    server.answers = ["451 later"] * 2
    desk.deliver()
    clock.forward(-HOUR)
    assert desk.deliver() == 0 and {state for _, state, _ in desk.states()} == {WAITING}
    with desk.app.app_context():
        due = max(db.session.scalars(select(OutboxMail.due_at)))
    assert due <= clock() + HOUR + max(delivery.WAITS[0], MINUTE)
    clock.forward(HOUR + MINUTE)
    assert desk.deliver() == 2
