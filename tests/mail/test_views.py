"""The staff page of undelivered mail, and its retry buttons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from screening.durations import DAY_SECONDS
from screening.mail import delivery
from screening.mail.delivery import RETRY_DELAYS
from screening.mail.models import FAILED, PENDING, SENT
from tests.support.absence import assert_absent
from tests.support.mail_site import TEAM, MailSite
from tests.support.sample_patient import ROSA, SECRETS
from tests.support.staff_client import Team


@pytest.fixture
def team(mail_site):
    return Team(mail_site.site)


def rows(page):
    return [
        [cell.get_text(" ", strip=True) for cell in row.find_all(["th", "td"])] for row in page.main.select("tbody tr")
    ]


@pytest.mark.each_database
@pytest.mark.usefixtures("monday_noon")
def test_undelivered_mail_is_listed_without_addresses(mail_site, mail_server, ann):
    mail_server.refused = {ROSA.email: "550 no such user", TEAM: "451 later"}
    mail_site.request_call()
    mail_site.deliver()
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
    assert_absent([*SECRETS, TEAM], page.text)
    assert ann.get(page.main.select_one("tbody a")["href"]).heading == ROSA.name, "the row leads to the request"


def test_retry_of_a_failed_mail_delivers_and_is_audited(mail_site, mail_server, ann, team):
    mail_server.refused = {ROSA.email: "550 no such user", TEAM: "550 no such user"}
    mail_site.request_call()
    mail_site.deliver()
    mail_server.refused = {}
    to_patient, to_staff = mail_site.mails()
    page = ann.get("/staff/mail")
    page = ann.send(page, f"/staff/mail/{to_patient.id}/retry")
    assert "It will be tried again" in page.words and "1 mail failed, 1 waits" in page.words
    assert mail_site.deliver() == 1
    assert [mail.state for mail in mail_site.mails()] == [SENT, FAILED]
    assert [(e.actor, e.subject) for e in team.events("mail.retried")] == [(team.id_of(ann), to_patient.id)]
    assert ann.send(ann.get("/staff/mail"), f"/staff/mail/{to_staff.id}/retry").status == 200
    assert mail_site.deliver() == 1 and rows(ann.get("/staff/mail")) == []


@pytest.mark.each_database
def test_retry_of_all_mail_resets_attempts_and_sends(mail_site, mail_server, ann, team, clock):
    mail_server.answers = ["451 later"] * len(RETRY_DELAYS) + ["554 never", "451 later"]
    mail_site.request_call(ROSA)
    for _ in RETRY_DELAYS:
        mail_site.deliver()
        clock.forward(DAY_SECONDS)
    assert {mail.state for mail in mail_site.mails()} != {SENT}
    page = ann.sign_in("/staff/mail")
    ann.send(page, "/staff/mail/retry")
    assert all(mail.attempts == 0 for mail in mail_site.mails() if mail.state == PENDING)
    mail_server.answers = []
    mail_site.deliver()
    assert {mail.state for mail in mail_site.mails()} == {SENT}
    assert [event.subject for event in team.events("mail.retried")] == [""]


@pytest.mark.each_database
def test_retry_leaves_a_mail_claimed_by_a_worker(mail_site, mail_server, ann, clock):
    mail_site.request_call()
    with mail_site.app.app_context():
        claim = delivery.claim_next(int(clock()))
    ann.send(ann.get("/staff/mail"), f"/staff/mail/{claim.id}/retry")
    assert mail_site.deliver() == 1, "only the unclaimed mail"


def test_mail_page_access_and_links_depend_on_role(mail_site, team):
    members = {role: team.sign_in(role, role) for role in ("callbacks", "admin", "responses")}
    assert {role: member.client.get("/staff/mail").status_code for role, member in members.items()} == {
        "callbacks": 200,
        "admin": 200,
        "responses": 403,
    }
    mail_site.request_call()
    assert members["callbacks"].get("/staff/mail").main.select("tbody a")
    assert not members["admin"].get("/staff/mail").main.select("tbody a"), "administrators get no link to requests"
    for role, seen in (("callbacks", True), ("responses", False)):
        words = [link.get_text() for link in members[role].get("/staff/you").soup.select(".app-staffnav a")]
        assert ("Mail" in words) == seen


def test_unset_mail_host_is_stated_and_hides_menu_entry(make_site):
    member = Team(make_site()).sign_in("ann", "callbacks")
    page = member.get("/staff/mail")
    assert "No mail server is set" in page.words
    assert "Mail" not in [link.get_text() for link in page.soup.select(".app-staffnav a")]


def test_retry_of_unknown_mail_returns_404(mail_site, ann):
    page = ann.get("/staff/mail")
    assert ann.post("/staff/mail/0/retry", {"csrf_token": page.token}).status == 404


def test_mail_page_is_translated_to_spanish(mail_site, ann):
    mail_site.request_call()
    page = ann.get("/staff/mail?lang=es")
    assert page.heading == "Correo" and rows(page)[0][4] == "Aún sin intentar"


@pytest.mark.usefixtures("monday_noon")
def test_address_the_server_cannot_take_shows_on_the_request(start_mail_server, make_mail_site, clock):
    server = start_mail_server(enable_SMTPUTF8=False)
    mail_site = MailSite(make_mail_site(server.port), clock)
    ann = Team(mail_site.site).sign_in("ann", "callbacks")
    mail_site.request_call(replace(ROSA, email="zentinelapaciénte@example.org"))
    mail_site.deliver()
    (kind, state, _error), *_ = [row for row in mail_site.states() if row[1] == FAILED]
    assert (kind, state) == ("request.confirmed", FAILED)
    page = ann.get(f"/staff/callbacks/{mail_site.mails()[0].subject}")
    assert "A mail about this request could not be sent." in page.words
    assert "The mail server takes no address with such letters" in page.words


@pytest.mark.usefixtures("monday_noon")
def test_mail_that_waits_for_over_an_hour_shows_on_today(mail_site, mail_server, ann, clock):
    mail_server.refused = {ROSA.email: "451 later", TEAM: "451 later"}
    mail_site.request_call()
    mail_site.deliver()
    assert "Stuck mail 0" in ann.get("/staff/callbacks/today").words
    clock.forward(10 * 60)
    assert "Stuck mail 0" in ann.get("/staff/callbacks/today").words
    clock.forward(51 * 60)
    assert "Stuck mail 2" in ann.sign_in("/staff/callbacks/today").words
