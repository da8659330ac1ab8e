"""The system clock jumps while the site is in use: a day ahead, an hour back, and before the start of the session."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from screening import draft
from screening.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS
from screening.extensions import db
from screening.mail import delivery
from screening.mail.models import PENDING, SENT, OutboxMail
from screening.operations.jobs import Job
from screening.operations.worker import LEASE_SECONDS, Worker
from screening.staff import lockout, sessions
from tests.support.faults import SiteUsers
from tests.support.mail_site import MailSite
from tests.support.quiet_signals import QuietSignals
from tests.support.sample_patient import reference_on
from tests.support.visitor import Visitor


@pytest.fixture
def users(make_site, clock):
    users = SiteUsers(make_site(), clock)
    users.prepare()
    return users


def test_clock_a_day_ahead_ends_the_draft_but_not_the_form(users, clock):
    walker = users.walk()
    clock.forward(DAY_SECONDS)
    page = walker.get("/check/motivation")
    assert page.status == 200 and "We don’t have your earlier answers anymore" in page.words
    again = users.send()
    assert again.address == "/consultation/review" and "What you typed is still here" in again.words
    users.review = again
    assert reference_on(users.send())
    assert users.member.get("/staff/callbacks").address == "/staff/sign-in"
    queue = users.member.sign_in("/staff/callbacks")
    assert queue.main.get_text().count("Zentinel") == 2


@pytest.mark.parametrize("back", [HOUR_SECONDS, DAY_SECONDS])
def test_clock_set_back_preserves_the_draft_and_its_idle_limit(users, clock, back):
    """A draft that starts in the future counts as started now, so it neither expires at once nor lasts longer."""
    walker = users.walk()
    clock.forward(-back)
    assert walker.get("/check/sadness").chosen() == ["2"]
    clock.forward(draft.IDLE_SECONDS - 1)
    assert walker.get("/check/sadness").chosen() == ["2"]
    clock.forward(1)
    assert walker.get("/check/motivation").address == "/check/sadness", "the idle limit still holds"
    assert reference_on(users.send())


def test_clock_set_back_ends_staff_sessions(users, clock):
    clock.forward(-HOUR_SECONDS)
    assert users.member.get("/staff/callbacks").address == "/staff/sign-in"


def test_small_clock_skew_preserves_draft_and_session(users, clock):
    walker = users.walk()
    clock.forward(-sessions.SKEW_SECONDS)
    assert walker.get("/check/sadness").chosen() == ["2"]
    assert users.member.get("/staff/callbacks").status == 200


def test_lockout_from_a_future_time_is_ignored(users, clock):
    clock.forward(DAY_SECONDS)
    for _ in range(lockout.FREE_ATTEMPTS):
        users.member.enter_password("wrong")
    assert "We could not sign you in" in users.member.enter_password().words, "the account is locked out"
    clock.forward(-DAY_SECONDS)
    page = users.member.enter_password()
    assert page.address != "/staff/sign-in", page.words


DUE_TIME = re.compile(r"by \d+:\d\d [AP]M on \w+, \w+ \d+")


@pytest.mark.parametrize("jump", [2 * DAY_SECONDS, -HOUR_SECONDS, -DAY_SECONDS])
def test_due_time_is_unchanged_by_a_clock_jump(users, clock, jump):
    """A clock two days ahead shows the request as overdue; after it is set back, the page states the same due time."""
    shown = users.send()
    (shown_due,), reference = DUE_TIME.findall(shown.words), reference_on(shown)
    clock.forward(jump)
    visitor = Visitor(users.site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
    assert page.status == 200 and page.address == "/consultation/status"
    assert ("We are late" in page.words) == (jump > 0), page.words
    if jump > 0:
        clock.forward(-jump)
        page = visitor.get("/consultation/status")
    assert DUE_TIME.findall(page.words) == [shown_due]


@pytest.mark.parametrize("jump", [DAY_SECONDS, -HOUR_SECONDS, -DAY_SECONDS])
def test_worker_renews_its_lease_after_a_clock_jump(users, clock, jump):
    runs = []
    app = users.site.extensions["staff"]

    def make_worker(rounds=0):
        jobs = (
            Job("often", 0, lambda go_on: runs.append("often")),
            Job("daily", DAY_SECONDS, lambda go_on: runs.append("daily")),
        )
        return Worker(app, QuietSignals(clock, rounds), jobs)

    running_worker = make_worker()
    running_worker.work(once=True)
    clock.forward(jump)
    assert running_worker.work(once=True), "the running worker continues"
    assert runs == ["often", "daily", "often", "daily"]
    clock.forward(LEASE_SECONDS)
    assert make_worker().work(once=True), "another worker takes over an expired lease"


def test_mail_deferred_to_a_future_clock_is_delivered(make_mail_site, mail_server, clock):
    mail_site = MailSite(make_mail_site(mail_server.port), clock)
    clock.forward(7 * DAY_SECONDS)
    mail_site.request_call()
    mail_server.answers = ["451 later"] * 2
    assert mail_site.deliver() == 0
    clock.forward(-7 * DAY_SECONDS)
    assert mail_site.deliver() == 2
    assert {state for _, state, _ in mail_site.states()} == {SENT}


def test_clock_set_back_delays_mail_by_at_most_an_hour(make_mail_site, mail_server, clock):
    mail_site = MailSite(make_mail_site(mail_server.port), clock)
    mail_site.request_call()
    mail_server.answers = ["451 later"] * 2
    mail_site.deliver()
    clock.forward(-HOUR_SECONDS)
    assert mail_site.deliver() == 0 and {state for _, state, _ in mail_site.states()} == {PENDING}
    with mail_site.app.app_context():
        due = max(db.session.scalars(select(OutboxMail.due_at)))
    assert due <= clock() + HOUR_SECONDS + max(delivery.RETRY_DELAYS[0], MINUTE_SECONDS)
    clock.forward(HOUR_SECONDS + MINUTE_SECONDS)
    assert mail_site.deliver() == 2
