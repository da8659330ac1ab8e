"""Everyday faults of accounts: what a refusal says, and what an administrator can mend."""

from __future__ import annotations

import pytest

from screening.config import SettingsError, read_settings
from screening.staff import display_names, passwords
from screening.staff.lockout import FREE_ATTEMPTS
from tests.support.absence import assert_absent
from tests.support.staff_client import StaffClient, Team, was_refused

MINUTE = 60


@pytest.fixture
def head(team):
    """An administrator, who is signed in."""
    return team.sign_in("wilhelmina", "admin")


def account_page(team, member):
    return f"/staff/accounts/{team.id_of(member)}"


@pytest.mark.parametrize(("query", "role"), [("", "“Call-backs”"), ("?lang=es", "“Llamadas”")])
def test_refused_page_names_the_role_and_whom_to_ask(team, head, query, role):
    page = team.sign_in("rita", "responses").get(f"/staff/callbacks/today{query}")
    assert page.status == 403 and "Wilhelmina" in page.words
    assert role in page.words


def test_page_refused_for_ones_own_account_says_so(team, head):
    address = account_page(team, head)
    page = head.post(f"{address}/reset", {"csrf_token": head.get(address).token})
    assert page.status == 403 and "your own account" in page.words


def test_administrator_lands_on_the_system_status(team, head):
    assert head.get("/staff/").address == "/staff/system"
    assert team.sign_in("ann", "admin", "callbacks").get("/staff/").address == "/staff/callbacks/today"


def test_roles_are_named_in_words_of_the_page(team, head):
    team.add("ann", "callbacks", "responses")
    assert "Call-backs, Responses" in head.get("/staff/accounts").words
    assert "Llamadas, Respuestas" in head.get("/staff/accounts?lang=es").words


def test_reset_of_a_disabled_account_says_it_is_disabled(team, head):
    ann = team.add("ann", "callbacks")
    page = head.send(head.get(account_page(team, ann)), f"{account_page(team, ann)}/disable")
    page = head.send(page, f"{account_page(team, ann)}/reset")
    assert "This account is disabled. The password works once you enable the account." in page.words


def test_administrator_corrects_name_and_email(team, head):
    ann = team.add("ann", "callbacks")
    address = account_page(team, ann)
    page = head.send(
        head.get(address), f"{address}/details", name="Ann Zentinelaname", email="Zentinela.New@Example.org"
    )
    assert "Name and email are changed." in page.words and "Ann Zentinelaname" in page.words
    renamed = StaffClient(team.site, "zentinela.new@example.org", secret=ann.secret)
    renamed.sign_in()
    assert renamed.is_signed_in()
    (event,) = team.events("account.corrected")
    assert_absent(["Zentinelaname", "zentinela.new@example.org"], str(event.detail))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"email": "wilhelmina@clinic.example.org"}, "There is an account with this email address."),
        ({"email": "no address"}, "That is not an email address."),
        ({"name": "  "}, "Fill in this field"),
    ],
    ids=["taken", "no address", "no name"],
)
def test_wrong_correction_is_refused_and_shown_again(team, head, fields, problem):
    ann = team.add("ann", "callbacks")
    address = account_page(team, ann)
    page = head.send(head.get(address), f"{address}/details", **{"name": "Ann", "email": ann.email, **fields})
    assert was_refused(page) and problem in page.words
    assert team.account_field(ann, "email") == ann.email


def test_administrator_lifts_a_lockout(team, head):
    ann = team.add("ann", "callbacks")
    for _ in range(FREE_ATTEMPTS):
        ann.enter_password("wrong wrong wrong")
    address = account_page(team, ann)
    page = head.get(address)
    assert "Too many wrong tries. The wait ends on" in page.words
    assert "The account can try to sign in again at once." in head.send(page, f"{address}/unlock").words
    ann.sign_in()
    assert ann.is_signed_in()


@pytest.mark.parametrize("minutes", [5, 60])
def test_session_ends_after_the_idle_time_of_the_settings(make_site, clock, minutes):
    ann = Team(make_site(STAFF_IDLE_MINUTES=minutes)).sign_in("ann", "callbacks")
    clock.forward(minutes * MINUTE - 1)
    assert ann.is_signed_in()
    clock.forward(minutes * MINUTE)
    page = ann.get("/staff/callbacks/today")
    assert page.address == "/staff/sign-in" and (f"{minutes} minutes" if minutes < 60 else "1 hour") in page.words


@pytest.mark.parametrize("text", ["4", "61", "fifteen"])
def test_idle_time_out_of_range_is_refused_at_the_start(text):
    with pytest.raises(SettingsError, match="SCREENING_STAFF_IDLE_MINUTES"):
        read_settings(environ={"SCREENING_STAFF_IDLE_MINUTES": text})


NAMES = ("kim.rivera@clinic.example.org", "Kim Rivéra", "Demo Spine and Pain Clinic")


@pytest.mark.parametrize(
    "password",
    [
        "Kim-Rivera-2026!",
        "Demo Spine and Pain Clinic",
        "demo-SPINE-pain-clinic-1",
        "RivéraKimRivera99",
        "rivera.kim.clinic",
        "clinicclinicclinic7",
    ],
)
def test_password_of_names_with_little_added_is_refused(password):
    assert passwords.password_problem(password, *NAMES) is passwords.PROBLEMS["weak"]


@pytest.mark.parametrize(
    "password", ["heron lantern quiet meadow", "Kim likes heron lantern meadow quartz", "9f!kQz72LmxPw#d4"]
)
def test_strong_password_is_accepted_even_beside_a_name(password):
    assert passwords.password_problem(password, *NAMES) is None


def test_audit_page_shows_words_and_short_ids(team, head):
    team.add("ann", "callbacks")
    head.get("/staff/callbacks/today")
    page = head.get("/staff/audit")
    assert "Roles: Call-backs" in page.words
    assert "Permisos: Llamadas" in head.get("/staff/audit?lang=es").words
    assert display_names.shorten_id("0123456789abcdef0123456789abcdef") == "01234567…"
    assert (
        display_names.detail_text({"outcome": "no_answer", "to": "id1"}, {"id1": "Ann"})
        == "Outcome: No answer; Handed to: Ann"
    )


def test_recovery_codes_state_whose_they_are(team):
    ann = team.invite("ann", "callbacks")
    page = ann.set_up_app(ann.choose_password(ann.enter_password()))
    assert "For ann@clinic.example.org at Demo Spine and Pain Clinic" in page.words and "print" in page.words
