"""Sessions are database rows: renewed at each step, expiring, and revoked at once."""

from __future__ import annotations

import hashlib
import http.cookies
from threading import Barrier

import pytest
from sqlalchemy import select, text

from screening.extensions import db
from screening.staff import authentication
from screening.staff.access import require_login
from screening.staff.models import Account, StaffSession
from tests.support.absence import assert_absent
from tests.support.databases import close
from tests.support.processes import TEST_TIMEOUT
from tests.support.staff_client import StaffClient, Team
from tests.support.threads import run_together
from tests.support.visitor import Visitor

MINUTE = 60
HOUR = 60 * MINUTE


def rows(team):
    with team.app.app_context():
        return [row.id for row in db.session.scalars(select(StaffSession))]


def test_failed_sign_in_sets_a_cookie_and_stores_no_session_row(team):
    unknown = StaffClient(team.site, "nobody@clinic.example.org")
    for _ in range(3):
        unknown.enter_password("wrong")
    assert "." in unknown.cookie and rows(team) == []


@pytest.mark.each_database
def test_session_id_changes_at_each_authentication_step(team):
    member = team.add("dana", "admin")
    page = member.get("/staff/sign-in")
    seen = [member.cookie]
    page = member.send(page, "/staff/sign-in", email=member.email, password=member.password)
    seen.append(member.cookie)
    member.send(page, "/staff/second-factor", code=member.code)
    seen.append(member.cookie)
    assert len(set(seen)) == 3 and all(seen)
    assert rows(team) == [hashlib.sha256(seen[2].encode()).hexdigest()], "the old row is deleted"
    for old in seen[:2]:
        attacker = Visitor(team.site)
        attacker.client.set_cookie("staff", old, path="/staff")
        assert attacker.get("/staff/you").address == "/staff/sign-in"


def test_planted_session_id_is_replaced_at_sign_in(team):
    member = team.add("dana", "admin")
    member.cookie = planted = "a" * 43
    member.sign_in()
    assert member.is_signed_in() and member.cookie != planted


def test_password_alone_opens_no_page(team):
    member = team.add("dana", "admin")
    member.enter_password()
    for address in ("/staff/", "/staff/you", "/staff/audit", "/staff/accounts", "/staff/password", "/staff/set-up"):
        assert member.get(address).address == "/staff/second-factor", address
    token = member.get("/staff/second-factor").token
    page = member.post("/staff/recovery-codes", {"csrf_token": token})
    assert page.address == "/staff/second-factor"


def test_copied_cookie_is_revoked_by_sign_out(team):
    member = team.add("dana", "admin")
    member.sign_in()
    copy = member.cookie
    attacker = StaffClient(team.site, member.email)
    attacker.cookie = copy
    assert attacker.is_signed_in(), "the control: before the sign-out it works"
    member.sign_out()
    assert member.cookie not in ("", copy) and rows(team) == []
    attacker.cookie = copy
    assert not attacker.is_signed_in()


def test_sign_out_requires_a_post_with_csrf_token(team):
    member = team.add("dana", "admin")
    member.sign_in()
    assert member.get("/staff/sign-out").status == 405
    page = member.post("/staff/sign-out", {})
    assert page.address == "/staff/you" and "Nothing was changed" in page.words
    assert member.is_signed_in()


@pytest.mark.parametrize("operation", ["disable", "reset", "roles"])
def test_account_change_revokes_sessions_immediately(team, operation):
    admin, member = team.add("ada", "admin"), team.add("dana", "responses")
    half_way = StaffClient(team.site, member.email, secret=member.secret)
    admin.sign_in()
    member.sign_in()
    half_way.enter_password()
    address = f"/staff/accounts/{team.id_of(member)}"
    fields = {"roles": ["responses", "rows"]} if operation == "roles" else {}
    admin.send(admin.get(address), f"{address}/{operation}", **fields)
    assert not member.is_signed_in()
    assert half_way.get("/staff/second-factor").address == "/staff/sign-in"
    assert admin.is_signed_in()


@pytest.mark.each_database
def test_session_row_inserted_during_revocation_is_invalid(team):
    """The row is inserted after all rows were deleted, as if both happened at the same moment."""
    admin, member = team.add("ada", "admin"), team.add("dana", "responses")
    admin.sign_in()
    member.sign_in()
    with team.app.app_context():
        stored_rows = db.session.execute(text("SELECT * FROM staff_session")).mappings().all()
    address = f"/staff/accounts/{team.id_of(member)}"
    admin.send(admin.get(address), f"{address}/roles", roles=["rows"])
    with team.app.app_context():
        deleted = [dict(row) for row in stored_rows if row["account_id"] == team.id_of(member)]
        assert len(deleted) == 1
        db.session.execute(
            text(
                "INSERT INTO staff_session (id, account_id, data, began, seen)"
                " VALUES (:id, :account_id, :data, :began, :seen)"
            ),
            deleted,
        )
        db.session.commit()
    assert not member.is_signed_in()


def test_session_expires_after_fifteen_idle_minutes(team, clock):
    member = team.add("dana", "admin")
    member.sign_in()
    for _ in range(4):
        clock.forward(14 * MINUTE + 59)
        assert member.is_signed_in()
    clock.forward(15 * MINUTE)
    page = member.get("/staff/audit")
    assert page.address == "/staff/sign-in" and "You were signed out" in page.words
    assert rows(team) == []


def test_session_expires_after_ten_hours(team, clock):
    member = team.add("dana", "admin")
    member.sign_in()
    for _ in range(42):
        clock.forward(14 * MINUTE)
        assert member.is_signed_in()
    page = member.get("/staff/recovery-codes")
    assert member.send(page, "/staff/second-factor", code=member.code).address == "/staff/recovery-codes"
    clock.forward(12 * MINUTE - 1)
    assert member.is_signed_in()
    clock.forward(1)
    assert not member.is_signed_in(), "a fresh code does not extend it"


def test_sign_in_form_expires_after_an_hour(team, clock):
    member = team.add("dana", "admin")
    page = member.get("/staff/sign-in")
    clock.forward(HOUR - 1)
    fields = {"email": member.email, "password": member.password}
    assert member.send(page, "/staff/sign-in", **fields).address == "/staff/second-factor"
    late = StaffClient(team.site, member.email)
    page = late.get("/staff/sign-in")
    clock.forward(HOUR)
    page = late.send(page, "/staff/sign-in", **fields)
    assert page.address == "/staff/sign-in" and "open for a long time" in page.words
    assert page.typed("/staff/sign-in")["email"] == [member.email]
    assert late.fill(page, "/staff/sign-in", password=member.password).address == "/staff/second-factor"


def test_sign_in_deletes_expired_session_rows(team, clock):
    dana, eve = team.add("dana", "admin"), team.add("eve", "admin")
    dana.sign_in()
    clock.forward(HOUR)
    assert len(rows(team)) == 1
    eve.sign_in()
    assert len(rows(team)) == 1


def test_session_cookie_is_scoped_to_staff_and_not_persistent(make_site):
    team = Team(make_site(HTTPS=True))
    member = team.add("dana", "admin", https=True)
    page = member.get("/staff/sign-in")
    responses = [page.response]
    fields = {"email": member.email, "password": member.password, "remember": "y", "remember_me": "true"}
    page = member.send(page, "/staff/sign-in", follow=False, **fields)
    responses.append(page.response)
    page = member.send(member.get("/staff/second-factor"), "/staff/second-factor", follow=False, code=member.code)
    responses.append(page.response)
    headers = [header for response in responses for header in response.headers.getlist("Set-Cookie")]
    assert len(headers) == 5, "the session, and after the password an encrypted account mark"
    for header in headers:
        (cookie,) = http.cookies.SimpleCookie(header).values()
        assert cookie.key in ("__Secure-staff", "__Secure-staff-account")
        assert (cookie["path"], cookie["secure"], cookie["httponly"]) == ("/staff", True, True)
        assert cookie["samesite"] == "Lax" and not cookie["max-age"] and not cookie["expires"] and not cookie["domain"]


def test_auth_token_opens_no_page(team):
    """An authentication token, which Flask-Security accepts in the address, header or body."""
    member = team.add("dana", "admin")
    with team.app.test_request_context():
        token = Account.with_email(member.email).get_auth_token()
    unknown = Visitor(team.site)
    for options in (
        {"query_string": {"auth_token": token}},
        {"headers": {"Authentication-Token": token}},
        {"json": {"auth_token": token}},
    ):
        page = unknown.get("/staff/you", follow=False, **options)
        assert page.status == 303 and page.leads_to == "/staff/sign-in"


def test_remember_cookie_opens_no_page(make_site, team):
    """Not even one signed by another process of the same site: its signing key is in no key file."""
    from flask_login.utils import encode_cookie

    member = team.add("dana", "admin")
    with make_site().extensions["staff"].test_request_context():
        value = encode_cookie(team.account_field(member, "fs_uniquifier"))
    unknown = Visitor(team.site)
    unknown.client.set_cookie("remember_token", value)
    assert unknown.get("/staff/you").address == "/staff/sign-in"


@pytest.mark.parametrize("value", ["x", "x" * 5000, "a.b", "00000000.AAAA", "." * 4000, "é", "%00", "a" * 43])
def test_malformed_cookie_redirects_to_sign_in(team, value):
    unknown = Visitor(team.site)
    page = unknown.get("/staff/you", headers={"Cookie": f"staff={value}".encode().decode("latin-1")})
    assert page.address == "/staff/sign-in" and page.status == 200


def test_cookie_with_other_associated_data_is_refused(team, keys):
    from screening.crypto.keyring import STAFF, Keyring

    unknown = StaffClient(team.site, "x")
    unknown.cookie = Keyring(keys, (STAFF,)).encrypt(
        STAFF, b'{"began": 9e9, "values": {"_user_id": "x"}}', b"elsewhere"
    )
    assert unknown.get("/staff/you").address == "/staff/sign-in"


def test_database_outage_preserves_the_session(make_site, sqlite_url, tmp_path):
    team = Team(make_site())
    member = team.add("dana", "admin")
    member.sign_in()
    close(team.site)
    file, moved_file = tmp_path / "site.sqlite", tmp_path / "away"
    file.rename(moved_file)
    file.mkdir()
    page = member.get("/staff/you")
    assert page.status == 503 and not page.response.headers.getlist("Set-Cookie")
    assert member.get("/staff/sign-in?lang=es").status == 503
    close(team.site)
    file.rmdir()
    moved_file.rename(file)
    assert member.is_signed_in()


def test_view_error_rolls_back_and_leaks_no_message(team, caplog):
    def fail():
        account = Account.with_email(member.email)
        account.name = "Half done"
        db.session.flush()
        raise ValueError("zentinelerrortext")

    team.app.add_url_rule("/fail", "fail", require_login(fail))
    member = team.add("dana", "admin")
    member.sign_in()
    member.clock.forward(60)
    page = member.get("/staff/fail")
    assert page.status == 500 and "ValueError < fail" in caplog.text
    assert_absent(("zentinelerrortext",), caplog.text, page.text)
    assert team.account_field(member, "name") == "Dana" and member.is_signed_in()


@pytest.mark.each_database
def test_concurrent_use_of_a_totp_code_succeeds_once(team):
    """Every thread reads the account before any uses the code; on either database one waits for the other."""
    member = team.add("dana", "admin")
    code = member.code
    assert submit_together(4, team, member, code) == ["invalid", "invalid", "invalid", "ok"]


@pytest.mark.each_database
def test_concurrent_guesses_are_locked_out_after_five(team):
    member = team.add("dana", "admin")
    assert submit_together(8, team, member, "nothing") == ["invalid"] * 5 + ["locked_out"] * 3


def submit_together(count, team, member, code):
    """Submit a code in so many threads that have all read the account before; return the sorted results."""
    now, barrier = int(member.clock()), Barrier(count)

    def submit(_) -> str:
        with team.app.app_context():
            account = Account.with_email(member.email)
            assert (account.totp_counter, account.failures) == (0, 0)
            barrier.wait(TEST_TIMEOUT)
            return authentication.check_code(team.app.extensions["second_factor"], account, code, now).value

    return sorted(run_together(count, submit))


@pytest.mark.each_database
def test_concurrent_request_loses_no_session_data(team, clock):
    """A page requested before a form was sent, and answered after it, does not overwrite the session's newer data."""

    def slow():
        with db.engines[None].begin() as another:
            another.execute(text("UPDATE staff_session SET data = REPLACE(data, '{', '{\"sentinel\": 1, ')"))
        return "slow"

    team.app.add_url_rule("/slow", "slow", require_login(slow))
    member = team.add("dana", "admin")
    member.sign_in()
    member.get("/staff/you")
    clock.forward(MINUTE)
    assert member.client.get("/staff/slow").status_code == 200
    with team.app.app_context():
        row = db.session.execute(select(StaffSession.data, StaffSession.seen)).one()
    assert "sentinel" in row.data and row.seen == int(clock())
