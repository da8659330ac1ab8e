"""Mails about due times: one before, one when overdue, each exactly once, and none for who was reached."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select

from screening.callbacks import notifications
from screening.callbacks.models import CallbackRequest
from screening.callbacks.notifications import DUE_SOON, OVERDUE, Composer
from screening.extensions import db
from screening.mail.models import OutboxMail
from screening.mail.rendering import Renderer
from tests.support.absence import assert_absent
from tests.support.queue_pages import open_request, press
from tests.support.sample_patient import SECRETS
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

SOON = 3600


@pytest.fixture
def team(make_site):
    return Team(make_site())


@pytest.fixture
def due(team, request_call):
    """The due time of a waiting request."""
    request_call(Visitor(team.site))
    with team.app.app_context():
        return db.session.scalars(select(CallbackRequest.due_at)).one()


def queued(team):
    with team.app.app_context():
        kinds = OutboxMail.kind.in_((DUE_SOON, OVERDUE))
        return sorted(db.session.scalars(select(OutboxMail.kind).where(kinds)))


def remind(team, now):
    with team.app.app_context():
        return notifications.queue_reminders(now, SOON)


@pytest.mark.each_database
def test_each_reminder_is_queued_exactly_once(team, due):
    assert remind(team, due - SOON) == 0
    assert [remind(team, due - SOON + 1), remind(team, due - 1)] == [1, 0]
    assert queued(team) == [DUE_SOON]
    assert [remind(team, due + 1), remind(team, due + 999)] == [1, 0]
    assert queued(team) == [DUE_SOON, OVERDUE]


def test_late_worker_sends_only_the_overdue_mail(team, due):
    assert remind(team, due + 1) == 1 and queued(team) == [OVERDUE]


@pytest.mark.each_database
def test_two_workers_at_once_queue_one_reminder(team, due):
    together = Barrier(2)

    def run(now):
        together.wait(30)
        return remind(team, now)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(run, (due + 1, due + 1))) == [0, 1]
    assert queued(team) == [OVERDUE]


def test_killed_worker_leaves_neither_mark_nor_mail(team, due, monkeypatch):
    def die(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(notifications.outbox, "enqueue", die)
        with pytest.raises(KeyboardInterrupt):
            remind(team, due + 1)
    assert queued(team) == []
    assert remind(team, due + 1) == 1 and queued(team) == [OVERDUE]


@pytest.mark.parametrize(("action", "fields"), [("call", {"outcome": "spoke"}), ("erase", {})])
def test_answered_or_withdrawn_request_gets_no_mail(team, ann, due, action, fields):
    with team.app.app_context():
        id_ = db.session.scalars(select(CallbackRequest.id)).one()
        composer = Composer(team.app.config["SETTINGS"], team.app.extensions["keyring"], "en")
        assert composer.for_staff(OVERDUE, id_, due + 1) is not None
    press(ann, open_request(ann), action, **fields)
    assert remind(team, due + 1) == 0
    with team.app.app_context():
        assert composer.for_staff(OVERDUE, id_, due + 1) is None, "queued before, dropped at delivery"


def test_reminder_goes_to_the_lead_without_name_or_health(make_site, request_call):
    team = Team(
        make_site(
            MAIL_FROM="from@clinic.example", MAIL_TO_STAFF="team@clinic.example", MAIL_TO_LEAD="lead@clinic.example"
        )
    )
    request_call(Visitor(team.site))
    with team.app.app_context():
        request = db.session.scalars(select(CallbackRequest)).one()
        composer = Composer(team.app.config["SETTINGS"], team.app.extensions["keyring"], "en")
        soon = composer.for_staff(DUE_SOON, request.id, request.due_at - 1)
        late = composer.for_staff(OVERDUE, request.id, request.due_at + 1)
        assert soon is not None and late is not None
        assert (soon.to, late.to) == ("team@clinic.example", "lead@clinic.example")
        assert composer.for_staff(DUE_SOON, request.id, request.due_at + 1) is None, "the other mail comes then"
        for message in (soon, late):
            text = Renderer(team.app).render(message, "1" * 32, 0).get_body(("plain",)).get_content()
            assert_absent(SECRETS, text)
            assert request.id in text and not set(text.lower().split()) & {"pain", "health", "summary", "hopelessness"}
