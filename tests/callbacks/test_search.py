"""The search in the head of every staff page: what it finds, what it leaves behind, and how many presses it takes."""

from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from screening.callbacks import request_search
from screening.callbacks.request_search import matcher
from screening.callbacks.search_views import RESULT_SECONDS
from screening.extensions import db
from tests.support.absence import assert_absent
from tests.support.databases import assert_indexed, statements_of
from tests.support.queue_pages import open_request, press
from tests.support.sample_patient import FORM, NAME, PHONE, ROSA, reference_on
from tests.support.staff_client import was_refused
from tests.support.visitor import Visitor

DAY = 24 * 3600
SEARCH = "/staff/callbacks/search"


def search(member, typed, page="/staff/callbacks/today"):
    """Type into the field in the head of a page, and press Find."""
    return member.send(member.get(page), SEARCH, contact=typed)


def found_on(page):
    return [link.get_text() for link in page.main.select(".app-found a")]


@pytest.mark.parametrize(
    "typed",
    (
        *("rosa", "ROSÁ ruiz", "ruiz zent", "rosazentin", "zentinelapatient@", "APATIENT@example.org"),
        *("0144", "555-0144", "(303) 555", "+1 303 555 0144", "1-303-555-0144"),
    ),
)
def test_text_matches_name_part_of_number_or_email(typed):
    assert matcher(typed)(replace(ROSA, name="Rosa Ruíz Zentinelarosa"))


@pytest.mark.parametrize("typed", ["uiz", "rosa meyer", "14", "0145", "7", "()", "555 rosa 0144", "x@", "@x", "."])
def test_text_that_matches_nothing(typed):
    assert not matcher(typed)(replace(ROSA, name="Rosa Ruiz"))


def test_guardian_of_a_minor_is_found_by_name_and_number():
    minor = replace(ROSA, minor=True, guardian="Ángela O’Brien", guardian_phone="+13035550177")
    assert all(matcher(typed)(minor) for typed in ("angela", "obrien", "o'brien", "0177"))


@given(st.text(), st.text(max_size=80))
def test_matching_never_raises_and_finds_whole_words(typed, name):
    details = replace(ROSA, name=name)
    matcher(typed)(details)
    for word in request_search._words(name):
        assert matcher(word)(details)


def test_only_match_opens_the_request(team, ann, request_call):
    reference = reference_on(request_call(Visitor(team.site)))
    request_call(Visitor(team.site), name="Someone Else", say="", phone="303 555 0199", email="")
    for typed in ("zentinela", "0144", "555-0144", reference, reference.lower().replace("-", " "), FORM["email"]):
        assert search(ann, typed).heading == NAME, typed


def test_several_matches_are_listed_for_ten_minutes(team, ann, request_call, clock):
    for name in ("Rosa One", "Rosa Two"):
        request_call(Visitor(team.site), name=name)
    page = search(ann, "rosa")
    assert (
        page.heading == "2 requests found" and set(found_on(page)) == {"Rosa One", "Rosa Two"} and PHONE in page.words
    )
    address = page.response.request.url.removeprefix(ann.base)
    assert found_on(ann.get(address)) == found_on(page), "the page can be opened again"
    assert page.soup.find(id="find")["value"] == "rosa"
    clock.forward(RESULT_SECONDS)
    page = ann.get(address)
    assert found_on(page) == [] and "no longer available" in page.words


def test_search_without_result_offers_to_enter_a_request(team, ann, request_call):
    request_call(Visitor(team.site))
    page = search(ann, "nobody")
    assert page.heading == "0 requests found"
    assert ann.get(page.main.find("a", string="Enter a request")["href"]).heading == "Enter a request for a caller"


def test_empty_search_is_refused_with_what_to_type(ann):
    page = search(ann, " ")
    assert was_refused(page) and "Type a name" in page.words


def test_closed_request_is_found_by_its_whole_number_only(team, ann, request_call):
    request_call(Visitor(team.site))
    press(ann, open_request(ann), "call", outcome="stop")
    assert search(ann, "zentinela").heading == "0 requests found"
    assert search(ann, PHONE).heading == NAME


def test_withdrawn_request_is_found_by_nothing(team, ann, request_call):
    visitor = Visitor(team.site)
    reference = reference_on(request_call(visitor))
    ann.get("/staff/callbacks")
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    for typed in ("zentinela", PHONE, reference):
        assert search(ann, typed).heading == "0 requests found", typed


def test_search_says_what_it_did_not_look_through(team, ann, request_call, monkeypatch):
    monkeypatch.setattr(request_search, "MAX_SEARCHED", 1)
    request_call(Visitor(team.site), name="Rosa One")
    request_call(Visitor(team.site), name="Rosa Two", phone="303 555 0199", email="")
    page = search(ann, "rosa")
    assert found_on(page) == ["Rosa One"] and "Only the 1 most urgent open request was looked through" in page.words
    assert found_on(search(ann, "303 555 0199")) == ["Rosa Two"]


def test_more_matches_than_are_listed_are_said(team, ann, request_call, monkeypatch):
    monkeypatch.setattr(request_search, "MAX_FOUND", 1)
    for name in ("Rosa One", "Rosa Two"):
        request_call(Visitor(team.site), name=name)
    assert search(ann, "two").heading == "Rosa Two"
    page = search(ann, "rosa")
    assert len(found_on(page)) == 1 and "More requests match" in page.words


@pytest.mark.parametrize("typed", [PHONE, "zentinelarosa", "zentinelapatient@example.org"])
def test_search_leaves_its_text_in_no_url_log_or_event(team, ann, request_call, caplog, typed):
    caplog.set_level(logging.DEBUG)
    for _ in range(2):
        request_call(Visitor(team.site))
    page = search(ann, typed)
    assert page.heading == "2 requests found" and list(page.response.request.args) == ["result"]
    events = [[event.action, event.detail] for event in team.events()]
    [searched] = [detail for action, detail in events if action == "requests.searched"]
    assert set(searched) == {"found"}, "the found ids, not the search text"
    with team.app.app_context():
        rows = repr(list(db.session.execute(text("SELECT * FROM staff_session")).all()))
    assert_absent([typed], page.response.request.url, json.dumps(events), caplog.text, rows)


@pytest.mark.each_database
def test_search_uses_indexes(team, ann, request_call):
    request_call(Visitor(team.site))
    asked = statements_of(team.app, lambda: search(ann, "nobody"))
    assert_indexed(team.app, asked, "callback_request")


def test_search_field_is_for_the_role_callbacks_only(team, ann, admin):
    for page in ("/staff/callbacks", "/staff/you", "/staff/mail", "/staff/nothing"):
        assert ann.get(page).soup.find("form", action=SEARCH), page
    assert admin.get("/staff/accounts").soup.find("form", action=SEARCH) is None


def test_caller_who_rings_back_takes_two_presses(team, ann, request_call):
    request_call(Visitor(team.site))
    request_call(Visitor(team.site), name="Someone Else", say="", phone="303 555 0199", email="")
    press(ann, open_request(ann), "claim")
    page = search(ann, "0144")  # the first press: Find
    page = press(ann, page, "call", outcome="spoke")  # the second: the outcome
    assert "Done. Spoke, done." in page.words and page.heading == NAME


def test_caller_of_a_colleagues_request_takes_two_presses(team, ann, ben, request_call):
    request_call(Visitor(team.site))
    press(ann, open_request(ann), "claim")
    page = search(ben, "0144")  # the first press: Find
    assert "With Ann. An outcome that you press takes it over." in page.words
    page = press(ben, page, "call", outcome="no_answer")  # the second: the outcome
    assert "With Ben" in page.words
    assert [event.detail for event in team.events("request.reassigned")] == [{"to": team.id_of(ben)}]


def test_colleagues_request_is_taken_over_by_one_button(team, ann, ben, request_call):
    request_call(Visitor(team.site))
    press(ann, open_request(ann), "claim")
    page = press(ben, open_request(ben), "take-over")
    assert "You have this request now" in page.words and "With Ben" in page.words
    assert page.main.find("form", action=f"{page.address}/take-over") is None


def test_hand_over_has_no_preselected_name(team, ann, ben, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    options = {option["value"]: option.get_text() for option in page.main.select("#to option")}
    assert next(iter(options)) == "" and team.id_of(ben) in options and team.id_of(ann) not in options
    page = press(ann, page, "hand")
    assert was_refused(page) and "Pick who takes over the request" in page.words


def test_request_reads_in_the_order_of_a_call(team, ann, request_call):
    urgent = Visitor(team.site)
    urgent.walk(hopelessness="3")
    urgent.disagree()
    request_call(urgent, share="yes", assistance="ASL interpreter")
    words = open_request(ann).words
    order = ("Offer 988", "zentinelmessage", NAME, "Say: “", "NO VOICEMAIL", "ASL interpreter", PHONE, "We spoke")
    places = [words.index(shown) for shown in order]
    assert places == sorted(places), order
    assert words.index("We spoke") < words.index("Details") < words.index("History")


def test_lists_and_print_mark_voicemail_and_interpreter(team, clock, request_call):
    request_call(Visitor(team.site), assistance="ASL interpreter")
    clock.forward(4 * DAY)
    ann = team.sign_in("ann", "callbacks")
    for page in ("/staff/callbacks", "/staff/callbacks/print"):
        tags = [tag.get_text() for tag in ann.get(page).main.select(".app-tag--stop, .app-tag--help")]
        assert tags == ["NO VOICEMAIL", "Interpreter or relay"], page
    rows = ann.get("/staff/callbacks/print").main.select("tbody tr")
    assert len(rows) == 1 and rows[0].find_all("td")[-1].get_text() == "", "a row a patient, with room to write"
