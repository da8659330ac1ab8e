"""What staff see of mail that did not get through, and how they send it again."""

from __future__ import annotations

import pytest

from screening.outbox import delivery
from screening.outbox.delivery import DAY, WAITS
from screening.outbox.models import FAILED, SENT, WAITING
from tests.outbox.conftest import ROSA, SECRETS, TEAM
from tests.staff.clerk import Office


@pytest.fixture
def office(desk):
    return Office(desk.site)


@pytest.fixture
def ann(office):
    clerk = office.hire("ann", "callbacks")
    clerk.sign_in()
    return clerk


def rows(page):
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in page.main.select("tbody tr")
    ]


def test_failed_and_waiting_mails_are_listed_by_kind_without_any_address(desk, server, ann):
    server.strangers = {ROSA.email: "550 no such user", TEAM: "451 later"}
    desk.ask()
    desk.deliver()
    page = ann.get("/staff/mail")
    assert [row[:5] for row in rows(page)] == [
        ["To the patient: we got it", "Failed", "Mon, Nov 23, 12:00\u202fPM", "1", "The mail server refused it"],
        [
            "To the team: a request waits",
            "Waiting",
            "Mon, Nov 23, 12:00\u202fPM",
            "1",
            "The mail server asked us to wait",
        ],
    ]
    assert "1 mail failed, 1 waits" in page.words
    assert not [secret for secret in (*SECRETS, TEAM) if secret in page.text]
    assert ann.get(page.main.select_one("tbody a")["href"]).heading == ROSA.name, "the row leads to the request"


def test_one_is_tried_again(desk, server, ann, office):
    server.strangers = {ROSA.email: "550 no such user", TEAM: "550 no such user"}
    desk.ask()
    desk.deliver()
    server.strangers = {}
    patient, team = desk.mails()
    page = ann.get("/staff/mail")
    page = ann.send(page, f"/staff/mail/{patient.id}/retry")
    assert "It will be tried again" in page.words and "1 mail failed, 1 waits" in page.words
    assert desk.deliver() == 1
    assert [mail.state for mail in desk.mails()] == [SENT, FAILED]
    assert [(e.actor, e.subject) for e in office.events("mail.retried")] == [(office.id_of(ann), patient.id)]
    assert ann.send(ann.get("/staff/mail"), f"/staff/mail/{team.id}/retry").status == 200
    assert desk.deliver() == 1 and rows(ann.get("/staff/mail")) == []


def test_all_are_tried_again_from_the_start_and_at_once(desk, server, ann, office, clock):
    server.answers = ["451 later"] * len(WAITS) + ["554 never", "451 later"]
    desk.ask(ROSA)
    for _ in WAITS:
        desk.deliver()
        clock.forward(DAY)
    assert {mail.state for mail in desk.mails()} != {SENT}
    page = ann.sign_in("/staff/mail")
    ann.send(page, "/staff/mail/retry")
    assert all(mail.attempts == 0 for mail in desk.mails() if mail.state == WAITING)
    server.answers = []
    desk.deliver()
    assert {mail.state for mail in desk.mails()} == {SENT}
    assert [event.subject for event in office.events("mail.retried")] == [""]


def test_a_mail_that_a_worker_has_is_not_taken_from_it(desk, server, ann):
    desk.ask()
    with desk.app.app_context():
        claim = delivery.claim_next()
    ann.send(ann.get("/staff/mail"), f"/staff/mail/{claim.id}/retry")
    assert desk.deliver() == 1, "only the other"


def test_who_may_see_it(desk, office, make_site):
    clerks = {role: office.hire(role, role) for role in ("callbacks", "admin", "responses")}
    for clerk in clerks.values():
        clerk.sign_in()
    assert {role: clerk.client.get("/staff/mail").status_code for role, clerk in clerks.items()} == {
        "callbacks": 200,
        "admin": 200,
        "responses": 403,
    }
    desk.ask()
    assert clerks["callbacks"].get("/staff/mail").main.select("tbody a")
    assert not clerks["admin"].get("/staff/mail").main.select("tbody a"), "requests are not for an admin's eyes"
    for role, seen in (("callbacks", True), ("responses", False)):
        words = [link.get_text() for link in clerks[role].get("/staff/you").soup.select(".app-staffnav a")]
        assert ("Mail" in words) == seen


def test_where_no_mail_is_sent_the_page_says_so_and_is_not_listed(make_site):
    office = Office(make_site())
    clerk = office.hire("ann", "callbacks")
    clerk.sign_in()
    page = clerk.get("/staff/mail")
    assert "No mail server is set" in page.words
    assert "Mail" not in [link.get_text() for link in page.soup.select(".app-staffnav a")]


def test_a_mail_that_is_not_there_cannot_be_tried(desk, ann):
    page = ann.get("/staff/mail")
    assert ann.post("/staff/mail/0/retry", {"csrf_token": page.token}).status == 404


def test_in_spanish_too(desk, ann):
    desk.ask()
    page = ann.get("/staff/mail?lang=es")
    assert page.heading == "Correo" and rows(page)[0][4] == "Aún sin intentar"
