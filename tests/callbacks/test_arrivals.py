"""New requests show on an open list without reload: the address that a script asks, and the script in a browser."""

from __future__ import annotations

import pytest

from tests.support.absence import assert_absent
from tests.support.databases import assert_indexed, statements_of
from tests.support.sample_patient import SECRETS
from tests.support.visitor import Visitor

IDLE_MINUTES = 15


def asked(member, page):
    """Return what the address on an open list answers now."""
    line = page.main.find(attrs={"data-arrivals": True})
    assert line is not None, page.words
    return member.client.get(line["data-arrivals"], base_url=member.base)


@pytest.mark.parametrize("path", ["/staff/callbacks", "/staff/callbacks/today"])
@pytest.mark.usefixtures("monday_noon")
def test_open_list_is_told_how_many_requests_arrived(team, ann, request_call, clock, path):
    request_call(Visitor(team.site))
    clock.forward(1)
    page = ann.get(path)
    assert asked(ann, page).json == {"count": 0, "text": ""}
    clock.forward(60)
    for _ in range(2):
        request_call(Visitor(team.site))
    answer = asked(ann, page)
    assert answer.json["count"] == 2 and answer.json["text"].startswith("2 new since 12:0")
    assert_absent(SECRETS, answer.data)
    assert page.main.find("a", string="Refresh"), "without script a link opens the list again"
    refreshed = ann.get(page.main.find("a", string="Refresh")["href"])
    assert asked(ann, refreshed).json["count"] == 0


def test_answer_is_in_the_language_of_the_page(team, ann, request_call, clock):
    page = ann.get("/staff/callbacks?lang=es")
    clock.forward(60)
    request_call(Visitor(team.site))
    assert asked(ann, page).json["text"].startswith("1 nueva desde las")


@pytest.mark.parametrize("since", ["", "x", "-1", "99999999999", "999999999999999", "²"])
def test_malformed_time_counts_nothing(team, ann, request_call, clock, since):
    request_call(Visitor(team.site))
    answer = ann.client.get("/staff/callbacks/arrivals", query_string={"since": since}, base_url=ann.base)
    assert answer.json == {"count": 0, "text": ""}


def test_asking_does_not_prolong_an_idle_session(ann, clock):
    page = ann.get("/staff/callbacks")
    for _ in range(IDLE_MINUTES):
        assert asked(ann, page).status_code == 200
        clock.forward(60)
    assert asked(ann, page).status_code == 303 and not ann.is_signed_in()


def test_a_page_that_a_person_opens_prolongs_the_session(ann, clock):
    for _ in range(IDLE_MINUTES):
        ann.get("/staff/callbacks")
        clock.forward(60)
    assert ann.is_signed_in()


@pytest.mark.each_database
def test_count_of_arrivals_uses_an_index(team, ann):
    page = ann.get("/staff/callbacks")
    assert_indexed(team.app, statements_of(team.app, lambda: asked(ann, page)), "callback_request")
