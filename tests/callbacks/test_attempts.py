"""Outcomes of calls: what each leads to, when to call again, undo, and the warning about who asked us to stop."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from screening.callbacks import clinic_calendar, patient_service, reference_code, retention
from screening.callbacks.models import CallbackAttempt, CallbackRequest
from screening.clinic import DEMO, load
from screening.extensions import db
from tests.support.absence import assert_absent
from tests.support.queue_pages import names_in, open_request, press
from tests.support.sample_patient import NAME, ROSA, SECRETS, reference_on
from tests.support.staff_client import Team, was_refused
from tests.support.visitor import Visitor

HOUR, DAY = 3600, 24 * 3600
WEDNESDAY = {"again_day": "2026-11-25", "again_time": "09:00"}


@pytest.fixture
def team(make_site):
    return Team(make_site())


def attempts(team):
    with team.app.app_context():
        return [
            (row.outcome, row.at, row.by, row.next_at)
            for row in db.session.scalars(select(CallbackAttempt).order_by(CallbackAttempt.at))
        ]


def words(tag):
    """Return the text of an element, with plain spaces."""
    return " ".join(tag.get_text(" ").split())


def next_at(team):
    with team.app.app_context():
        return db.session.scalars(select(CallbackRequest.next_at)).one()


@pytest.mark.usefixtures("monday_noon")
class TestNextCall:
    @pytest.mark.parametrize(
        ("outcome", "fields", "expected"),
        [
            ("busy", {}, "Mon, Nov 23, 12:30 PM"),
            ("no_answer", {}, "Mon, Nov 23, 3:00 PM"),
            ("voicemail", {}, "Tue, Nov 24, 12:00 PM"),
            ("busy", {"parts": ["morning"]}, "Tue, Nov 24, 8:00 AM"),
            ("no_answer", {"days": ["3"]}, "Thu, Dec 3, 8:00 AM"),
            ("spoke_again", WEDNESDAY, "Wed, Nov 25, 9:00 AM"),
        ],
    )
    def test_outcome_says_when_to_call_again(self, team, ann, request_call, outcome, fields, expected):
        request_call(Visitor(team.site), voicemail="yes", **{k: v for k, v in fields.items() if k in ("days", "parts")})
        page = press(ann, open_request(ann), "call", outcome=outcome, **WEDNESDAY)
        done = words(page.main.find(id="notice"))
        assert f"Call again from {expected}." in done, "Thursday the 26th is a holiday"

    def test_buttons_state_the_next_try(self, team, ann, request_call):
        request_call(Visitor(team.site), voicemail="yes")
        buttons = {b["value"]: words(b) for b in open_request(ann).main.select("button[name=outcome]")}
        assert "next try Mon 3:00 PM" in buttons["no_answer"]
        assert "next try Tue 12:00 PM" in buttons["voicemail"]
        assert "email_sent" not in buttons and "unreachable" not in buttons

    @pytest.mark.parametrize("fields", [{}, {"again_day": "2026-11-20", "again_time": "09:00"}, {"again_day": "x"}])
    def test_call_again_without_a_time_to_come_is_refused(self, team, ann, request_call, fields):
        request_call(Visitor(team.site))
        page = press(ann, open_request(ann), "call", outcome="spoke_again", note="typed words", **fields)
        assert was_refused(page) and "Pick a day and time to come, when we are open" in page.words
        assert "typed words" in page.words and attempts(team) == []

    def test_agreed_call_on_a_holiday_is_refused(self, team, ann, request_call):
        request_call(Visitor(team.site))
        page = press(ann, open_request(ann), "call", outcome="spoke_again", again_day="2026-11-26", again_time="09:00")
        assert was_refused(page) and page.typed(f"{page.address}/call")["again_day"] == ["2026-11-26"]

    def test_waits_are_a_setting(self, make_site, request_call):
        waits = dict.fromkeys(("busy", "no_answer", "voicemail", "wrong_number", "email_sent"), 60)
        team = Team(make_site(RETRY_MINUTES=waits))
        ann = team.sign_in("ann", "callbacks")
        request_call(Visitor(team.site))
        page = press(ann, open_request(ann), "call", outcome="no_answer")
        assert "Call again from Mon, Nov 23, 1:00" in page.words


@pytest.mark.each_database
def test_booked_visit_closes_in_one_form_and_states_its_time(team, ann, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "call", outcome="spoke_booked", visit_day="2027-12-02", visit_time="10:30")
    assert "Booked a visit. Dec 2, 2027, 10:30 AM." in page.words
    assert "Closed" in page.words and names_in(ann.get("/staff/callbacks?tab=closed")) == [NAME]
    ((outcome, _, by, at),) = attempts(team)
    assert outcome == "spoke_booked" and by == team.id_of(ann) and at is not None


@pytest.mark.each_database
def test_last_outcome_is_undone_by_who_recorded_it(team, ann, ben, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "call", outcome="stop")
    address = page.address
    others = ben.get(address)
    assert others.main.find("form", action=f"{address}/undo") is None
    refused = ben.post(f"{address}/undo", {**others.typed(f"{address}/reopen")})
    assert was_refused(refused) and "can’t be undone" in refused.words
    page = press(ann, page, "undo")
    assert "The last outcome is undone" in page.words and "With nobody yet." in page.words
    assert attempts(team) == [] and names_in(ann.get("/staff/callbacks")) == [NAME]
    assert page.main.find("form", action=f"{address}/undo") is None
    assert [event.detail for event in team.events("request.undone")] == [{"outcome": "stop"}]


@pytest.mark.usefixtures("monday_noon")
class TestUndo:
    def test_undo_restores_time_and_count_of_the_attempt_before(self, team, ann, request_call):
        request_call(Visitor(team.site))
        page = press(ann, open_request(ann), "call", outcome="busy")
        waits_until = next_at(team)
        page = press(ann, press(ann, page, "call", outcome="no_answer"), "undo")
        assert next_at(team) == waits_until and "Tried once" in page.words

    def test_outcome_of_another_day_cannot_be_undone(self, team, ann, request_call, clock):
        request_call(Visitor(team.site))
        page = press(ann, open_request(ann), "call", outcome="busy")
        clock.forward(12 * HOUR)
        ann.sign_in()
        assert ann.get(page.address).main.find("form", action=f"{page.address}/undo") is None

    def test_outcome_before_a_handover_cannot_be_undone(self, team, ann, ben, request_call):
        request_call(Visitor(team.site))
        page = press(ann, open_request(ann), "call", outcome="busy")
        page = press(ann, page, "hand", to=team.id_of(ben))
        assert page.main.find("form", action=f"{page.address}/undo") is None


def test_wrong_number_asks_what_next(team, ann, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "call", outcome="wrong_number")
    assert "The number was wrong. Write an email, or close the request." in page.words
    page = press(ann, page, "call", outcome="email_sent")
    assert "Email sent. Call again from" in page.words and "Reached" in page.words
    page = press(ann, page, "call", outcome="unreachable")
    assert "Could not be reached" in page.words and "Closed" in page.words


def test_email_outcome_is_offered_to_who_chose_email(team, ann, request_call):
    request_call(Visitor(team.site), reach_by="email")
    assert open_request(ann).main.find("button", value="email_sent")


def test_after_the_last_try_other_ways_are_offered(make_site, request_call):
    team = Team(make_site(MAX_ATTEMPTS=2))
    ann = team.sign_in("ann", "callbacks")
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "call", outcome="no_answer")
    assert page.main.find("button", value="unreachable") is None
    page = press(ann, page, "call", outcome="no_answer")
    assert "Tried 2 times. Write an email, or close the request." in page.words
    assert page.main.find("button", value="unreachable") and page.main.find("button", value="email_sent")


@pytest.mark.each_database
def test_same_number_warns_after_asking_to_stop(team, ann, request_call):
    request_call(Visitor(team.site))
    earlier = press(ann, open_request(ann), "call", outcome="stop")
    warning = "Someone with the same number or email asked us to stop"
    assert warning not in earlier.words
    request_call(Visitor(team.site), name="Another Name", email="other@example.org")
    request_call(Visitor(team.site), name="Third Name", email="third@example.org", phone="303 555 0177")
    page = open_request(ann, "Another Name")
    assert warning in page.words
    assert warning not in open_request(ann, "Third Name").words
    press(ann, earlier, "undo")
    assert warning not in ann.get(page.address).words


def test_attempts_hold_nothing_personal_and_end_with_the_request(team, ann, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "call", outcome="no_answer", note="zentinelnotetext")
    with team.app.app_context():
        rows = db.session.execute(select(CallbackAttempt.__table__)).all()
        assert len(rows) == 1
        assert_absent([*SECRETS, "zentinelnotetext"], repr(rows))
    press(ann, page, "erase")
    with team.app.app_context():
        retention.purge_withdrawn(0, calendar=clinic_calendar.regular_calendar(load(DEMO)))
        assert db.session.scalars(select(CallbackAttempt)).all() == []


@pytest.mark.usefixtures("monday_noon")
def test_changed_request_waits_on_except_after_a_wrong_number(team, ann, request_call, clock):
    visitor = Visitor(team.site)
    reference = reference_code.parse(reference_on(request_call(visitor)))
    page = press(ann, open_request(ann), "call", outcome="no_answer")
    waits_until = next_at(team)

    def changed(days=()):
        with team.app.app_context():
            calendar = clinic_calendar.current_calendar(team.app.extensions["clinic"])
            secret = patient_service.fresh_secret()
            details = replace(ROSA, days=days)
            patient_service.change(reference, details, calendar, clock(), False, secret, mails=False)

    changed()
    assert next_at(team) == waits_until
    press(ann, ann.get(page.address), "call", outcome="wrong_number")
    changed(days=(2,))
    assert next_at(team) == 1_795_460_400 + 2 * DAY - 4 * HOUR, "Wednesday at 8 AM"


@pytest.mark.usefixtures("monday_noon")
@pytest.mark.parametrize(
    ("query", "booked", "by_hand", "no_call"),
    [
        ("", "Booked a visit, Dec 3, 9:00 AM", "Closed after: No answer", "Closed without a call"),
        ("&lang=es", "Cita hecha, 3 dic, 9:00 a. m.", "Cerrada después de: No contestó", "Cerrada sin llamar"),
    ],
    ids=["en", "es"],
)
def test_closed_tab_shows_when_and_how_each_ended(team, ann, request_call, clock, query, booked, by_hand, no_call):
    for name in ("Ada", "Bea", "Cleo"):
        clock.forward(60)
        request_call(Visitor(team.site), name=name)
    press(ann, open_request(ann, "Ada"), "call", outcome="spoke_booked", visit_day="2026-12-03", visit_time="09:00")
    page = press(ann, open_request(ann, "Bea"), "call", outcome="no_answer")
    clock.forward(60)
    press(ann, page, "close")
    clock.forward(60)
    press(ann, press(ann, open_request(ann, "Cleo"), "claim"), "close")
    rows = [words(row) for row in ann.get(f"/staff/callbacks?tab=closed{query}").main.select("tbody tr")]
    at = "Mon 12:0{} PM" if not query else "lun 12:0{} p. m."
    you = "You" if not query else "Usted"
    assert rows == [
        f"{at.format(5)} Cleo {no_call} {you}",
        f"{at.format(4)} Bea {by_hand} {you}",
        f"{at.format(3)} Ada {booked} {you}",
    ]
