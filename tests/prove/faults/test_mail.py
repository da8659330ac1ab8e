"""The mail server is down: nobody who asks notices, the mail waits and is seen, and goes out when it is back."""

from __future__ import annotations

import socket

from screening.outbox.models import SENT, WAITING
from tests.outbox.conftest import SECRETS, Desk, mailing, serve, server  # noqa: F401 (fixtures)
from tests.prove.faults.conftest import People


def test_mail_waits_for_its_server_and_is_seen(mailing, serve, clock, caplog):  # noqa: F811
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    site = mailing(port)
    people, desk = People(site, clock), Desk(site, clock)
    people.settle()
    assert people.send().address == "/consultation/sent"
    for wait in (0, 61, 301):
        clock.forward(wait)
        assert desk.deliver() == 0
    assert {(state, error) for _, state, error in desk.states()} == {(WAITING, "unreachable")}
    kept = len(desk.states())
    assert kept >= 2, "to the team for each request, at least"
    page = people.clerk.get("/staff/mail")
    assert page.status == 200 and "The mail server could not be reached" in page.words
    assert people.agree(people.walk()).status == 200
    for secret in SECRETS:
        assert secret not in caplog.text
    back = serve()
    with desk.app.app_context():
        desk.app.config["SETTINGS"]["MAIL_PORT"] = back.port
    clock.forward(30 * 60 + 1)
    assert desk.deliver() == kept
    assert {state for _, state, _ in desk.states()} == {SENT}
    assert len({message["Message-ID"] for message in back.arrived}) == kept == len(back.arrived)
