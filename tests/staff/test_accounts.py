"""Admins look after accounts, and so do commands."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from screening.cli import create_commands_app
from screening.extensions import db
from screening.staff import roles
from tests.conftest import close
from tests.staff.clerk import Clerk, Office


def given_password(page):
    return page.main.find("code").get_text()


def test_an_admin_adds_an_account_that_works(office_on_each):
    admin = office_on_each.hire("ada", "admin")
    admin.sign_in()
    page = admin.send(
        admin.get("/staff/accounts/new"),
        "/staff/accounts/new",
        name="Dana Ruiz",
        email="Dana@Clinic.example.org",
        roles=["callbacks", "responses"],
    )
    clerk = Clerk(office_on_each.site, "dana@clinic.example.org", given_password(page))
    clerk.set_up_app(clerk.choose_password(clerk.give_password()))
    own = clerk.get("/staff/you")
    assert "Dana Ruiz" in own.words and "Call-backs:" in own.words and "Rows:" not in own.words
    words = admin.get("/staff/accounts").words
    assert "Dana Ruiz dana@clinic.example.org callbacks, responses Active Nov 23, 2026" in words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "Fill in"),
        ({"name": "  "}, "Give a name"),
        ({"email": "dana"}, "not an e-mail address"),
        ({"email": "ADA@clinic.example.org"}, "There is an account"),
        ({"roles": ["rows", "callbacks"]}, "cannot go to one person: who talks"),
        ({"roles": ["root"]}, "no such role"),
    ],
)
def test_what_cannot_be_is_told_and_not_added(office, admin, fields, words):
    good = {"name": "Dana", "email": "dana@clinic.example.org", "roles": ["responses"]}
    page = admin.send(admin.get("/staff/accounts/new"), "/staff/accounts/new", **good | fields)
    assert words in page.words and page.title.startswith("Error: ")
    assert len(admin.get("/staff/accounts").main.select("tbody tr")) == 1


def test_roles_are_changed_and_two_of_them_never_meet(office_on_each):
    admin, clerk = office_on_each.hire("ada", "admin"), office_on_each.hire("dana", "callbacks")
    admin.sign_in()
    address = f"/staff/accounts/{office_on_each.id_of(clerk)}"
    page = admin.get(address)
    assert page.chosen() == ["callbacks"]
    page = admin.send(page, f"{address}/roles", roles=["callbacks", "rows"])
    assert "cannot go to one person: who talks" in page.words and page.title.startswith("Error: ")
    assert admin.get(address).chosen() == ["callbacks"]
    page = admin.send(page, f"{address}/roles", roles=["rows", "admin"])
    assert "roles are changed" in page.words and admin.get(address).chosen() == ["rows", "admin"]
    (event,) = office_on_each.events("account.roles")
    assert event.detail == {"before": "callbacks", "after": "admin rows"}
    assert event.actor == office_on_each.id_of(admin) and event.subject == office_on_each.id_of(clerk)


def test_the_database_keeps_the_two_roles_apart_too(office_on_each):
    clerk = office_on_each.hire("dana", "callbacks", "responses")
    insert = text("INSERT INTO staff_role (account_id, name) VALUES (:id, :name)")
    with office_on_each.app.app_context():
        db.session.execute(insert, {"id": office_on_each.id_of(clerk), "name": "admin"})
        with pytest.raises(IntegrityError):
            db.session.execute(insert, {"id": office_on_each.id_of(clerk), "name": "rows"})


def test_which_roles_go_together():
    names = list(roles.MEANINGS)
    assert names == ["callbacks", "responses", "rows", "admin"]
    for number in range(2 ** len(names)):
        chosen = {name for place, name in enumerate(names) if number >> place & 1}
        assert (roles.problem(chosen) is not None) is ({"rows", "callbacks"} <= chosen)


def test_a_reset_starts_an_account_over(office_on_each):
    admin, clerk = office_on_each.hire("ada", "admin"), office_on_each.hire("dana", "responses")
    admin.sign_in()
    for _ in range(5):
        clerk.give_password("wrong")
    address = f"/staff/accounts/{office_on_each.id_of(clerk)}"
    page = admin.get(address)
    assert "Has to wait" in page.words
    page = admin.send(page, f"{address}/reset")
    assert "could not" in clerk.give_password().words, "the old password is gone"
    again = Clerk(office_on_each.site, clerk.email, given_password(page))
    page = again.choose_password(again.give_password())
    assert page.address == "/staff/set-up", "the app is gone, the wait too"
    again.set_up_app(page)
    assert again.secret != clerk.secret and again.is_in()


def test_a_disabled_account_opens_again_as_it_was(office):
    admin, clerk = office.hire("ada", "admin"), office.hire("dana", "responses")
    admin.sign_in()
    address = f"/staff/accounts/{office.id_of(clerk)}"
    page = admin.send(admin.get(address), f"{address}/disable")
    assert "Disabled" in page.words and "could not" in clerk.give_password().words
    page = admin.send(page, f"{address}/enable")
    assert "can sign in again" in page.words
    clerk.sign_in()
    assert clerk.is_in()
    actions = [event.action for event in office.events("account.(disabled|enabled)")]
    assert actions == ["account.disabled", "account.enabled"]


def test_nobody_shuts_themself_out_and_an_admin_is_always_left(office, admin):
    address = f"/staff/accounts/{office.id_of(admin)}"
    page = admin.get(address)
    token = page.token
    assert not page.soup.find("form", action=f"{address}/disable")
    assert not page.soup.find("form", action=f"{address}/reset")
    for deed in ("disable", "reset"):
        assert admin.post(f"{address}/{deed}", {"csrf_token": token}).status == 403
    page = admin.send(page, f"{address}/roles", roles=["responses"])
    assert "Somebody must stay admin" in page.words and admin.is_in()
    second = office.hire("bo", "admin")
    page = admin.send(admin.get(address), f"{address}/roles", roles=["responses"])
    assert page.address == "/staff/sign-in", "with another admin there the role may go, and the session with it"
    second.sign_in()
    own = f"/staff/accounts/{office.id_of(second)}"
    assert "Somebody must stay" in second.send(second.get(own), f"{own}/roles", roles=[]).words


def test_a_disabled_admin_does_not_count_as_one(office, admin):
    second = office.hire("bo", "admin")
    address = f"/staff/accounts/{office.id_of(second)}"
    admin.send(admin.get(address), f"{address}/disable")
    own = f"/staff/accounts/{office.id_of(admin)}"
    assert "Somebody must stay" in admin.send(admin.get(own), f"{own}/roles", roles=["rows"]).words


def test_an_account_that_is_not_there_is_not_found(admin):
    assert admin.get("/staff/accounts/0123").status == 404


def test_every_page_speaks_spanish(office, admin):
    for address in (
        "accounts",
        "accounts/new",
        f"accounts/{office.id_of(admin)}",
        "audit",
        "you",
        "password",
        "set-up",
    ):
        page = admin.get(f"/staff/{address}?lang=es")
        assert page.soup.html["lang"] == "es" and "– Personal –" in page.title
        assert "Cerrar sesión" in page.text


@pytest.fixture
def flask(database_url):
    """Runs a command on a database; gives its exit code, what it printed, and what it said."""
    apps = []

    def run(*arguments, surfaces=("visitor", "staff")):
        apps.append(create_commands_app({"DATABASE_URL": database_url, "SURFACES": surfaces}))
        done = apps[-1].test_cli_runner().invoke(args=arguments)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    yield run
    for app in apps:
        close(app)


def test_the_first_account_comes_by_command_and_works(flask, make_site, database_url):
    code, printed, said = flask("staff", "add", "Ada@clinic.example.org", "--name", "Ada", "--role", "admin")
    assert code == 0 and printed.count("\n") == 1 and "Hand over" in said
    office = Office(make_site(DATABASE_URL=database_url))
    clerk = Clerk(office.site, "ada@clinic.example.org", printed.strip())
    clerk.set_up_app(clerk.choose_password(clerk.give_password()))
    assert clerk.get("/staff/").address == "/staff/audit"
    assert office.events("account.added")[0].actor == "command"
    code, printed, said = flask("staff", "reset", "ADA@clinic.example.org")
    assert code == 0 and not clerk.is_in()
    again = Clerk(office.site, "ada@clinic.example.org", printed.strip())
    assert again.give_password().address == "/staff/password"
    code, printed, said = flask("staff", "disable", "ada@clinic.example.org")
    assert (code, printed, said) == (0, "", "Disabled.\n")
    assert again.get("/staff/password").address == "/staff/sign-in"
    assert "could not" in again.give_password().words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reset", "nobody@clinic.example.org"), "There is no account with this e-mail address."),
        (("disable", "nobody@clinic.example.org"), "There is no account with this e-mail address."),
        (("add", "nobody", "--name", "N"), "That is not an e-mail address."),
        (("add", "n@clinic.example.org", "--name", " "), "Give a name, so that others know who it is."),
        (
            ("add", "n@clinic.example.org", "--name", "N", "--role", "rows", "--role", "callbacks"),
            "“Rows” and “Call-backs” cannot go to one person: who talks with patients must not see single rows.",
        ),
    ],
)
def test_what_a_command_cannot_do_is_one_line(flask, arguments, words):
    assert flask("staff", *arguments) == (1, "", words + "\n")


def test_where_only_visitors_are_served_there_are_no_such_commands(flask):
    code, _, said = flask("staff", "add", "n@clinic.example.org", "--name", "N", surfaces=("visitor",))
    assert code == 2 and "No such command" in said


def test_no_event_holds_an_e_mail_or_a_name(office, admin):
    clerk = office.hire("dana", "responses")
    address = f"/staff/accounts/{office.id_of(clerk)}"
    clerk.give_password("wrong")
    for deed in ("roles", "disable", "enable", "reset"):
        admin.send(admin.get(address), f"{address}/{deed}", **({"roles": ["rows"]} if deed == "roles" else {}))
    events = office.events()
    assert len(events) > 6
    for event in events:
        kept = f"{event.actor} {event.subject} {event.detail}".lower()
        assert "@" not in kept and "dana" not in kept and "ada" not in kept.split(), kept
