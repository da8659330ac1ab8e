"""Accounts, managed on the pages of administrators and by commands."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from screening.cli.commands_app import create_commands_app
from screening.extensions import db
from screening.staff import roles
from tests.support.absence import assert_absent
from tests.support.databases import close
from tests.support.staff_client import StaffClient, Team


def given_password(page):
    return page.main.find("code").get_text()


@pytest.mark.each_database
def test_administrator_adds_a_working_account(team, clock):
    admin = team.add("ada", "admin")
    admin.sign_in()
    page = admin.send(
        admin.get("/staff/accounts/new"),
        "/staff/accounts/new",
        name="Dana Ruiz",
        email="Dana@Clinic.example.org",
        roles=["callbacks", "responses"],
    )
    member = StaffClient(team.site, "dana@clinic.example.org", given_password(page))
    member.set_up_app(member.choose_password(member.enter_password()))
    own = member.get("/staff/you")
    assert "Dana Ruiz" in own.words and "Call-backs:" in own.words and "Rows:" not in own.words
    today = f"{datetime.fromtimestamp(clock(), team.app.extensions['clinic'].time_zone):%b %-d, %Y}"
    words = admin.get("/staff/accounts").words
    assert f"Dana Ruiz dana@clinic.example.org Call-backs, Responses Active {today}" in words


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "Fill in"),
        ({"name": "  "}, "Fill in"),
        ({"name": "\u200b\u3164"}, "Fill in"),
        ({"name": "x" * 101}, "100 characters at most, and now there are 101"),
        ({"email": "dana"}, "not an email address"),
        ({"email": "ADA@clinic.example.org"}, "There is an account"),
        ({"roles": ["rows", "callbacks"]}, "cannot go to one person: who talks"),
        ({"roles": ["root"]}, "no such role"),
    ],
)
def test_invalid_account_form_is_refused_with_reason(team, admin, fields, words):
    good = {"name": "Dana", "email": "dana@clinic.example.org", "roles": ["responses"]}
    page = admin.send(admin.get("/staff/accounts/new"), "/staff/accounts/new", **good | fields)
    assert words in page.words and page.title.startswith("Error: ")
    assert len(admin.get("/staff/accounts").main.select("tbody tr")) == 1


def test_role_change_is_audited_and_conflict_is_refused(team):
    admin, member = team.add("ada", "admin"), team.add("dana", "callbacks")
    admin.sign_in()
    address = f"/staff/accounts/{team.id_of(member)}"
    page = admin.get(address)
    assert page.chosen() == ["callbacks"]
    page = admin.send(page, f"{address}/roles", roles=["callbacks", "rows"])
    assert "cannot go to one person: who talks" in page.words and page.title.startswith("Error: ")
    assert admin.get(address).chosen() == ["callbacks"]
    page = admin.send(page, f"{address}/roles", roles=["rows", "admin"])
    assert "roles are changed" in page.words and admin.get(address).chosen() == ["rows", "admin"]
    (event,) = team.events("account.roles")
    assert event.detail == {"before": "callbacks", "after": "admin rows"}
    assert event.actor == team.id_of(admin) and event.subject == team.id_of(member)


@pytest.mark.each_database
def test_database_refuses_conflicting_roles(team):
    member = team.add("dana", "callbacks", "responses")
    insert = text("INSERT INTO staff_role (account_id, name) VALUES (:id, :name)")
    with team.app.app_context():
        db.session.execute(insert, {"id": team.id_of(member), "name": "admin"})
        with pytest.raises(IntegrityError):
            db.session.execute(insert, {"id": team.id_of(member), "name": "rows"})


def test_only_rows_and_callbacks_roles_conflict():
    names = list(roles.MEANINGS)
    assert names == ["callbacks", "responses", "rows", "admin"]
    for number in range(2 ** len(names)):
        chosen = {name for place, name in enumerate(names) if number >> place & 1}
        assert (roles.role_problem(chosen) is not None) is ({"rows", "callbacks"} <= chosen)


def test_reset_clears_lockout_and_requires_new_credentials(team):
    admin, member = team.add("ada", "admin"), team.add("dana", "responses")
    admin.sign_in()
    for _ in range(5):
        member.enter_password("wrong")
    address = f"/staff/accounts/{team.id_of(member)}"
    page = admin.get(address)
    assert "Has to wait" in page.words
    page = admin.send(page, f"{address}/reset")
    assert "could not" in member.enter_password().words, "the old password is invalid"
    again = StaffClient(team.site, member.email, given_password(page))
    page = again.choose_password(again.enter_password())
    assert page.address == "/staff/set-up", "authenticator and lockout are reset"
    again.set_up_app(page)
    assert again.secret != member.secret and again.is_signed_in()


def test_disabled_account_signs_in_again_after_enabling(team):
    admin, member = team.add("ada", "admin"), team.add("dana", "responses")
    admin.sign_in()
    address = f"/staff/accounts/{team.id_of(member)}"
    page = admin.send(admin.get(address), f"{address}/disable")
    assert "Disabled" in page.words and "could not" in member.enter_password().words
    page = admin.send(page, f"{address}/enable")
    assert "can sign in again" in page.words
    member.sign_in()
    assert member.is_signed_in()
    actions = [event.action for event in team.events("account.(disabled|enabled)")]
    assert actions == ["account.disabled", "account.enabled"]


def test_self_disable_and_last_admin_removal_are_refused(team, admin):
    address = f"/staff/accounts/{team.id_of(admin)}"
    page = admin.get(address)
    token = page.token
    assert not page.soup.find("form", action=f"{address}/disable")
    assert not page.soup.find("form", action=f"{address}/reset")
    for operation in ("disable", "reset"):
        assert admin.post(f"{address}/{operation}", {"csrf_token": token}).status == 403
    page = admin.send(page, f"{address}/roles", roles=["responses"])
    assert "Someone must stay admin" in page.words and admin.is_signed_in()
    second = team.add("bo", "admin")
    page = admin.send(admin.get(address), f"{address}/roles", roles=["responses"])
    assert page.address == "/staff/sign-in", (
        "with a second administrator the role can be removed, which ends the session"
    )
    second.sign_in()
    own = f"/staff/accounts/{team.id_of(second)}"
    assert "Someone must stay" in second.send(second.get(own), f"{own}/roles", roles=[]).words


def test_disabled_administrator_is_not_counted_as_remaining(team, admin):
    second = team.add("bo", "admin")
    address = f"/staff/accounts/{team.id_of(second)}"
    admin.send(admin.get(address), f"{address}/disable")
    own = f"/staff/accounts/{team.id_of(admin)}"
    assert "Someone must stay" in admin.send(admin.get(own), f"{own}/roles", roles=["rows"]).words


def test_unknown_account_returns_404(admin):
    assert admin.get("/staff/accounts/0123").status == 404


def test_staff_pages_are_translated_to_spanish(team, admin):
    for address in ("accounts", "accounts/new", f"accounts/{team.id_of(admin)}", "audit", "you", "password", "set-up"):
        page = admin.get(f"/staff/{address}?lang=es")
        assert page.soup.html["lang"] == "es" and "– Personal –" in page.title
        assert "Cerrar sesión" in page.text


@pytest.fixture
def flask(database_url, clock):
    """Return a function that runs a command on a database, and returns exit code, stdout and stderr."""
    apps = []

    def run(*arguments, surfaces=("visitor", "staff")):
        apps.append(create_commands_app({"DATABASE_URL": database_url, "SERVE": surfaces, "CLOCK": clock}))
        done = apps[-1].test_cli_runner().invoke(args=arguments)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout, done.stderr

    yield run
    for app in apps:
        close(app)


@pytest.mark.each_database
def test_account_commands_add_reset_and_disable(flask, make_site, database_url):
    code, printed, stderr = flask("staff", "add", "Ada@clinic.example.org", "--name", "Ada", "--role", "admin")
    assert code == 0 and printed.count("\n") == 1 and "Hand over" in stderr
    team = Team(make_site())
    member = StaffClient(team.site, "ada@clinic.example.org", printed.strip())
    member.set_up_app(member.choose_password(member.enter_password()))
    assert member.get("/staff/").address == "/staff/system"
    assert team.events("account.added")[0].actor == "command"
    code, printed, stderr = flask("staff", "reset", "ADA@clinic.example.org")
    assert code == 0 and not member.is_signed_in()
    again = StaffClient(team.site, "ada@clinic.example.org", printed.strip())
    assert again.enter_password().address == "/staff/password"
    code, printed, stderr = flask("staff", "disable", "ada@clinic.example.org")
    assert (code, printed, stderr) == (0, "", "Disabled.\n")
    assert again.get("/staff/password").address == "/staff/sign-in"
    assert "could not" in again.enter_password().words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reset", "nobody@clinic.example.org"), "There is no account with this email address."),
        (("disable", "nobody@clinic.example.org"), "There is no account with this email address."),
        (("add", "nobody", "--name", "N"), "That is not an email address."),
        (("add", "n@clinic.example.org", "--name", " "), "Give a name, so that others know who it is."),
        (
            ("add", "n@clinic.example.org", "--name", "N", "--role", "rows", "--role", "callbacks"),
            "“Rows” and “Call-backs” cannot go to one person: who talks with patients must not see single rows.",
        ),
    ],
)
def test_account_command_error_is_a_single_line_on_stderr(flask, arguments, words):
    assert flask("staff", *arguments) == (1, "", words + "\n")


def test_visitor_only_node_has_no_staff_commands(flask):
    code, _, stderr = flask("staff", "add", "n@clinic.example.org", "--name", "N", surfaces=("visitor",))
    assert code == 2 and "No such command" in stderr


def test_audit_events_hold_no_email_or_name(team):
    admin, member = team.sign_in("zentineladmin", "admin"), team.add("zentinelmember", "responses")
    address = f"/staff/accounts/{team.id_of(member)}"
    member.enter_password("wrong")
    for action in ("roles", "disable", "enable", "reset"):
        admin.send(admin.get(address), f"{address}/{action}", **({"roles": ["rows"]} if action == "roles" else {}))
    events = team.events()
    assert len(events) > 6
    stored = "\n".join(f"{event.actor} {event.subject} {event.detail}" for event in events)
    assert "@" not in stored
    assert_absent(("zentineladmin", "zentinelmember"), stored)
