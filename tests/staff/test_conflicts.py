"""Two staff members who change one thing at the same moment: the second is told so, and nothing is half done."""

from __future__ import annotations

import sqlite3
from unittest.mock import Mock

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from screening.extensions import db
from screening.staff import accounts
from tests.support.staff_client import Team
from tests.support.threads import run_together

CONFLICT = "Someone else changed this at the same moment"


@pytest.fixture
def meanwhile(team, monkeypatch):
    """Return a function that lets an action happen once: when the next request locks or writes rows that it read."""
    actions, lock = [], accounts._lock_accounts

    def act(*anything):
        if actions:
            run_together(1, lambda _: actions.pop()())

    monkeypatch.setattr(accounts, "_lock_accounts", lambda: (act(), lock()))
    event.listen(db.session, "before_flush", act)
    yield actions.append
    event.remove(db.session, "before_flush", act)
    assert not actions, "nothing happened meanwhile"


@pytest.fixture
def admins(team: Team):
    return team.sign_in("ada", "admin"), team.sign_in("bob", "admin")


@pytest.mark.each_database
def test_concurrent_change_of_roles_is_a_conflict(team, admins, meanwhile):
    ada, bob = admins
    member = team.add("dana", "responses")
    address = f"/staff/accounts/{team.id_of(member)}"
    pages = [ada.get(address), bob.get(address)]
    meanwhile(lambda: bob.send(pages[1], f"{address}/roles", roles=["rows"]))
    page = ada.send(pages[0], f"{address}/roles", roles=["callbacks"])
    assert page.status == 200 and page.address == address and CONFLICT in page.words
    checked = {box["value"] for box in page.main.find_all("input", checked=True)}
    assert checked == {"rows"}, "the page shows the roles as they are now"
    assert [event.detail["after"] for event in team.events("account.roles")] == ["rows"]
    assert "roles are changed" in ada.send(page, f"{address}/roles", roles=["callbacks"]).words


@pytest.mark.each_database
def test_concurrent_accounts_of_one_email_are_a_conflict(team, admins, meanwhile):
    ada, bob = admins
    fields = {"name": "Dana", "email": "dana@clinic.example.org", "roles": ["responses"]}
    pages = [ada.get("/staff/accounts/new"), bob.get("/staff/accounts/new")]
    meanwhile(lambda: bob.send(pages[1], "/staff/accounts/new", **fields))
    page = ada.send(pages[0], "/staff/accounts/new", **fields)
    assert page.status == 200 and CONFLICT in page.words
    assert len(team.events("account.added")) == 3, "two admins, and one of the two"


@pytest.mark.each_database
@pytest.mark.parametrize("operation", ["reset", "disable"])
def test_same_account_operation_twice_at_once_is_no_error(team, admins, meanwhile, operation):
    ada, bob = admins
    member = team.add("dana", "responses")
    address = f"/staff/accounts/{team.id_of(member)}"
    pages = [ada.get(address), bob.get(address)]
    meanwhile(lambda: bob.send(pages[1], f"{address}/{operation}"))
    assert ada.send(pages[0], f"{address}/{operation}").status == 200


@pytest.mark.each_database
def test_closed_day_added_twice_at_once_is_a_conflict(team, ann, ben, meanwhile):
    page = "/staff/callbacks/closed-days"
    pages = [ann.get(page), ben.get(page)]
    meanwhile(lambda: ben.send(pages[1], page, day="2026-12-24"))
    assert CONFLICT in ann.send(pages[0], page, day="2026-12-24").words
    assert "December 24" in ann.get(page).words and len(team.events("closed_day.added")) == 1


@pytest.mark.each_database
def test_closed_day_removed_twice_is_removed_once(team, ann, ben):
    page = "/staff/callbacks/closed-days"
    ann.send(ann.get(page), page, day="2026-12-24")
    pages = [ann.get(page), ben.get(page)]
    for client, shown in zip((ann, ben), pages, strict=True):
        assert client.send(shown, f"{page}/2026-12-24/remove").status == 200
    assert "December 24" not in ann.get(page).main.get_text() and len(team.events("closed_day.removed")) == 1


def test_other_database_error_is_no_conflict(ann, meanwhile):
    """A mistake of ours must not be shown as a colleague's change."""
    error = IntegrityError("INSERT", None, sqlite3.IntegrityError("NOT NULL constraint failed"))
    meanwhile(Mock(side_effect=error))
    page = ann.send(ann.get("/staff/callbacks/closed-days"), "/staff/callbacks/closed-days", day="2026-12-24")
    assert page.status == 500 and CONFLICT not in page.words
