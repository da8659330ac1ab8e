"""Several requests at once: take, hand over, put back, close; the result names what was left as it was."""

from __future__ import annotations

import pytest

from tests.support.queue_pages import names_in, open_request, press
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

QUEUE = "/staff/callbacks"


@pytest.fixture
def team(make_site):
    return Team(make_site())


@pytest.fixture
def three(team, request_call):
    for name in ("One", "Two", "Three"):
        request_call(Visitor(team.site), name=name)


def check_all(member, do, query="", **fields):
    """Check every box of the queue and press a button below it."""
    page = member.get(f"{QUEUE}?all=1{query}")
    return send(member, page, do, [box["value"] for box in page.main.select("input[name=pick][checked]")], **fields)


def send(member, page, do, picked, **fields):
    hidden = page.typed(f"{QUEUE}/selected")
    return member.post(f"{QUEUE}/selected", {"csrf_token": hidden["csrf_token"], "pick": picked, "do": do, **fields})


@pytest.mark.usefixtures("three")
class TestSelected:
    @pytest.mark.each_database
    def test_requests_are_handed_over_at_lunch_with_four_presses(self, team, ann, ben):
        """Filter by "Me", check all, pick the colleague, hand over: before, three presses for each request."""
        assert "3 requests taken" in check_all(ann, "claim").words
        page = check_all(ann, "hand", "&owner=me", to=team.id_of(ben))
        assert "Done. 3 requests handed over." in page.words
        assert len(names_in(ann.get(f"{QUEUE}?owner=me"))) == 0
        assert len(names_in(ben.get(f"{QUEUE}?owner=me"))) == 3
        assert len(names_in(ann.get(f"{QUEUE}?owner={team.id_of(ben)}"))) == 3, "filtered by colleague"
        assert "3 requests put back" in check_all(ben, "put_back").words

    def test_result_names_what_was_left_and_why(self, team, ann, ben):
        page = ann.get(f"{QUEUE}?all=1")
        press(ben, open_request(ben, "Two"), "claim")
        picked = [box["value"] for box in page.main.select("input[name=pick][checked]")]
        page = send(ann, page, "claim", picked)
        assert "2 requests taken. Not changed:" in page.words and "Two: changed a moment ago" in page.words
        assert page.main.find("a", string="Two")
        again = check_all(ann, "claim")
        assert "Two: a colleague has it" in again.words and "One: you have it already" in again.words

    def test_closing_others_requests_is_refused_by_name(self, ann):
        page = check_all(ann, "close")
        assert "One: nobody has it: take it first" in page.words and len(names_in(ann.get(QUEUE))) == 3

    @pytest.mark.parametrize(
        ("do", "checked", "words"),
        [
            ("claim", False, "Check the requests in the list first"),
            ("hand", True, "Pick who takes over the requests"),
            ("sing", True, "Pick who takes over the requests"),
        ],
    )
    def test_incomplete_form_changes_nothing_and_says_why(self, team, ann, do, checked, words):
        page = ann.get(f"{QUEUE}?all=1")
        picked = [box["value"] for box in page.main.select("input[name=pick]")] if checked else []
        assert words in send(ann, page, do, picked, to="nobody").words
        assert team.events("request.(claimed|reassigned)") == []

    def test_invalid_box_is_named_as_gone(self, ann):
        assert "Not changed: Erased: canceled" in send(ann, ann.get(QUEUE), "claim", ["0" * 32 + ".1"]).words

    def test_requests_of_a_disabled_account_go_back(self, team, ann, ben):
        admin = team.sign_in("cat", "admin")
        check_all(ben, "claim")
        press(ben, open_request(ben, "Two"), "call", outcome="no_answer")
        with team.app.app_context():
            from screening.extensions import db
            from screening.staff import accounts
            from screening.staff.accounts import Actor
            from screening.staff.models import Account

            account = db.session.get(Account, team.id_of(ben))
            accounts.disable(Actor(team.id_of(admin), int(team.app.extensions["clock"]())), account)
            db.session.commit()
        assert len(names_in(ann.get(f"{QUEUE}?owner=unclaimed"))) == 3
        back = team.events("request.put_back")
        assert len(back) == 3 and {event.actor for event in back} == {team.id_of(admin)}
        assert "Tried once" in open_request(ann, "Two").words, "the count of attempts stays"
