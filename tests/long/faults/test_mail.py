"""The mail server is down: requests are unaffected, and mail waits, is listed, and is sent after the recovery."""

from __future__ import annotations

from screening.mail.models import PENDING, SENT
from tests.support.absence import assert_absent
from tests.support.faults import SiteUsers
from tests.support.mail_site import MailSite
from tests.support.ports import HeldPort
from tests.support.sample_patient import SECRETS


def test_mail_is_delivered_after_a_mail_server_outage(make_mail_site, start_mail_server, clock, caplog):
    unused_port = HeldPort()
    site = make_mail_site(unused_port.number)
    users, mail_site = SiteUsers(site, clock), MailSite(site, clock)
    users.prepare()
    assert users.send().address == "/consultation/sent"
    for wait in (0, 61, 301):
        clock.forward(wait)
        assert mail_site.deliver() == 0
    assert {(state, error) for _, state, error in mail_site.states()} == {(PENDING, "unreachable")}
    pending = len(mail_site.states())
    assert pending >= 2, "at least one mail to staff per request"
    page = users.member.get("/staff/mail")
    assert page.status == 200 and "The mail server could not be reached" in page.words
    assert users.agree(users.walk()).status == 200
    assert_absent(SECRETS, caplog.text)
    unused_port.release()
    back = start_mail_server()
    with mail_site.app.app_context():
        mail_site.app.config["SETTINGS"]["MAIL_PORT"] = back.port
    clock.forward(30 * 60 + 1)
    assert mail_site.deliver() == pending
    assert {state for _, state, _ in mail_site.states()} == {SENT}
    assert len({message["Message-ID"] for message in back.arrived}) == pending == len(back.arrived)
