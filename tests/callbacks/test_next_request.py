"""The next request: who gets which, in which order, and when nothing is ready."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select

from screening.callbacks import next_request
from screening.callbacks.models import CallbackRequest
from screening.extensions import db
from tests.support.queue_pages import press
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

HOUR = 3600
TODAY, NEXT = "/staff/callbacks/today", "/staff/callbacks/next"


@pytest.fixture
def team(make_site):
    return Team(make_site())


def change(team, id_, **values):
    with team.app.app_context():
        table = CallbackRequest.__table__
        db.session.execute(table.update().where(table.c.id == id_).values(**values))
        db.session.commit()


def request_calls(team, request_call, clock, *names, **fields):
    """Send requests under these names, a moment apart; return their ids."""
    for name in names:
        clock.forward(5)
        request_call(Visitor(team.site), name=name, **fields)
    with team.app.app_context():
        return list(db.session.scalars(select(CallbackRequest.id).order_by(CallbackRequest.asked_at)))[-len(names) :]


def next_of(member, page=None):
    """Press "Next request"; return the page and the id of the request it shows, empty for none."""
    page = member.fill(page or member.get(TODAY), NEXT)
    return page, page.address.rpartition("/")[2] if page.address != TODAY else ""


@pytest.mark.usefixtures("monday_noon")
class TestNextRequest:
    @pytest.mark.each_database
    def test_order_is_call_first_then_due_time_then_asked(self, team, ann, ben, request_call, clock):
        later, first, early, hers, late = request_calls(team, request_call, clock, "A", "B", "C", "D", "E")
        now = int(clock())
        for id_, due in ((later, HOUR), (first, 9 * HOUR), (early, HOUR), (hers, 0), (late, 2 * HOUR)):
            change(team, id_, due_at=now + due)
        change(team, first, rank=0)
        change(team, hers, owner=team.id_of(ben))
        page, shown = None, []
        for _ in range(4):
            page, id_ = next_of(ann, page)
            shown.append(id_)
        assert shown == [first, later, early, late]
        page, id_ = next_of(ann, page)
        assert id_ == "" and "All tried. The next one is ready at" in page.words

    @pytest.mark.each_database
    def test_request_on_a_colleagues_screen_is_not_offered(self, team, ann, ben, request_call, clock):
        one, two = request_calls(team, request_call, clock, "One", "Two")
        assert next_of(ann)[1] == one and next_of(ben)[1] == two

    def test_lease_lapses_after_ten_minutes_without_outcome(self, team, ann, ben, request_call, clock):
        (one,) = request_calls(team, request_call, clock, "One")
        assert next_of(ann)[1] == one and next_of(ben)[1] == ""
        clock.forward(next_request.LEASE_SECONDS)
        assert next_of(ben)[1] == one

    def test_lease_does_not_refuse_the_outcome_after_it_lapsed(self, team, ann, request_call, clock):
        request_calls(team, request_call, clock, "One")
        page, _ = next_of(ann)
        clock.forward(next_request.LEASE_SECONDS + 60)
        assert "No answer" in press(ann, page, "call", outcome="no_answer").main.find(id="notice").get_text()

    @pytest.mark.each_database
    def test_tried_request_waits_until_its_time(self, team, ann, request_call, clock):
        one, two = request_calls(team, request_call, clock, "One", "Two")
        page, _ = next_of(ann)
        page = press(ann, page, "call", outcome="busy")
        page, id_ = next_of(ann, page)
        assert id_ == two
        page = press(ann, page, "call", outcome="no_answer")
        page, id_ = next_of(ann, page)
        assert id_ == "" and "The next one is ready at Mon 12:30 PM." in page.words
        clock.forward(HOUR / 2 + 60)
        ann.sign_in()
        assert next_of(ann)[1] == one

    def test_agreed_time_is_offered_when_it_comes(self, team, ann, request_call, clock):
        (one,) = request_calls(team, request_call, clock, "One")
        page, _ = next_of(ann)
        press(ann, page, "call", outcome="spoke_again", again_day="2026-11-23", again_time="14:00")
        assert next_of(ann)[1] == ""
        clock.forward(2 * HOUR)
        ann.sign_in()
        assert next_of(ann)[1] == one

    def test_first_call_waits_for_the_good_time_but_not_past_due(self, team, ann, request_call, clock):
        (one,) = request_calls(team, request_call, clock, "One", days=["2"], parts=["morning"])
        page, id_ = next_of(ann)
        assert id_ == "" and "ready at Wed 8:00 AM" in page.words
        change(team, one, due_at=int(clock()))
        assert next_of(ann)[1] == one, "the due time outranks the good time"

    def test_without_open_requests_nothing_waits(self, ann):
        page, id_ = next_of(ann)
        assert id_ == "" and "Nothing else waits for you" in page.words

    def test_others_see_who_opened_a_request(self, team, ann, ben, request_call, clock):
        (one,) = request_calls(team, request_call, clock, "One")
        next_of(ann)
        clock.forward(61)
        page = ben.get(f"/staff/callbacks/{one}")
        assert "Ann opened this 1 minute ago" in page.words
        before = len(team.events("request"))
        assert "Ben opened this" not in ben.get(f"/staff/callbacks/{one}").words
        assert len(team.events("request")) == before + 1, "the mark adds no audit event to that of the view"
        clock.forward(10 * 60)
        assert "Ann opened this" not in ben.get(f"/staff/callbacks/{one}").words


@pytest.mark.each_database
def test_two_at_once_lease_different_requests(team, request_call, clock):
    """Every round, two threads with a connection each press at the same time."""
    names = [f"Name {number}" for number in range(8)]
    ids = request_calls(team, request_call, clock, *names)
    together, now = Barrier(2), int(clock())

    def press_next(me):
        with team.app.app_context():
            found = []
            for _ in range(4):
                together.wait(30)
                found.append(next_request.lease_next(me, now))
            return found

    with ThreadPoolExecutor(2) as pool:
        ann, ben = pool.map(press_next, ("ann", "ben"))
    assert sorted(ann + ben) == sorted(ids)
