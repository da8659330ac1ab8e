"""A batch of responses held apart: shown on the releases page, counted in no release, decided on once."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import func, insert, select

from screening.extensions import db
from screening.responses.models import HeldResponse, ShuffledBatch, ShuffledResponse
from tests.support.sample_responses import generate, store
from tests.support.staff_client import was_refused

BATCH = "b" * 32
FLOOD = 60


@pytest.fixture
def rita(team):
    """A staff member who may create releases."""
    return team.sign_in("rita", "responses")


@pytest.fixture
def hold(team, clock):
    """Return a function that stores a batch held apart."""

    def hold(batch=BATCH, rows=FLOOD, age=0):
        with team.app.app_context(), db.engines[None].begin() as connection:
            values = {"batch": batch, "shuffled_at": int(clock()) - age, "rows": rows, "state": "held"}
            connection.execute(insert(ShuffledBatch).values(values))
            held = generate(rows, seed=int(batch[0], 16))
            connection.execute(insert(HeldResponse), [{**row, "batch": batch} for row in held])

    return hold


def decide(member, page, decision=None):
    fields = {"decision": decision} if decision else {}
    return member.send(page, "/staff/releases/held", **fields)


def counts(team):
    """Return the number of responses in the pool and held apart."""
    with team.app.app_context():
        tables = (ShuffledResponse, HeldResponse)
        return tuple(db.session.scalar(select(func.count()).select_from(table)) for table in tables)


def events(team):
    return [(event.action, event.actor, event.subject, event.detail) for event in team.events(re.escape("responses."))]


def test_page_without_a_held_batch_asks_for_no_decision(rita):
    page = rita.get("/staff/releases")
    assert "Held apart" not in page.words and page.main.find("input", {"name": "decision"}) is None


@pytest.mark.each_database
def test_preview_and_release_leave_held_responses_out(team, rita, hold):
    with team.app.app_context():
        store(generate(500))
    hold(rows=300)
    page = rita.get("/staff/releases")
    assert "Held apart: 300 copies" in page.words and page.chosen() == []
    assert page.main.find(class_="app-stats").get_text(" ", strip=True).startswith("500 rows")
    page = rita.send(page, "/staff/releases", sure="yes")
    assert page.address == "/staff/releases/1" and counts(team) == (0, 300)


@pytest.mark.each_database
def test_accepted_batch_joins_the_others_and_is_audited(team, rita, hold):
    hold()
    page = decide(rita, rita.get("/staff/releases"), "accept")
    assert page.address == "/staff/releases" and "The copies are with the others now." in page.words
    assert "Held apart" not in page.words and counts(team) == (FLOOD, 0)
    assert events(team) == [("responses.accepted", team.id_of(rita), BATCH, {"rows": "60"})]


@pytest.mark.each_database
def test_discarded_batch_is_deleted_and_audited(team, rita, hold):
    hold()
    page = decide(rita, rita.get("/staff/releases"), "discard")
    assert "The copies are deleted." in page.words and counts(team) == (0, 0)
    assert events(team) == [("responses.discarded", team.id_of(rita), BATCH, {"rows": "60"})]


def test_decision_is_required_and_changes_nothing_without(team, rita, hold):
    hold()
    page = decide(rita, rita.get("/staff/releases"))
    assert was_refused(page) and page.title.startswith("Error: ")
    assert page.main.find("a", href="#decision").get_text() == "Choose what happens to these copies"
    assert counts(team) == (0, FLOOD) and events(team) == []


def test_second_decision_on_a_batch_is_refused(team, rita, hold):
    hold()
    page = rita.get("/staff/releases")
    decide(rita, page, "accept")
    again = decide(rita, page, "discard")
    assert "Someone else decided on these copies first." in again.words and counts(team) == (FLOOD, 0)
    assert len(events(team)) == 1


def test_oldest_batch_is_decided_on_first(team, rita, hold):
    hold("a" * 32, 70)
    hold("c" * 32, 80, age=100)
    page = rita.get("/staff/releases")
    assert "Held apart: 80 copies" in page.words and "1 more batch waits" in page.words
    page = decide(rita, page, "discard")
    assert "Held apart: 70 copies" in page.words and "more batch" not in page.words


def test_preview_made_before_an_acceptance_is_not_released(team, rita, hold):
    with team.app.app_context():
        store(generate(500))
    hold()
    page = rita.get("/staff/releases")
    decide(rita, page, "accept")
    page = rita.send(page, "/staff/releases", sure="yes")
    assert "What would go in changed after you looked." in page.words and counts(team) == (500 + FLOOD, 0)


def test_staff_without_the_role_cannot_decide(team, ann, hold):
    hold()
    token = ann.get("/staff/you").token
    fields = {"csrf_token": token, "decision": "discard", "batch": BATCH}
    assert ann.post("/staff/releases/held", fields).status in (403, 404)
    assert counts(team) == (0, FLOOD)
