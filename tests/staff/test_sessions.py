"""Sessions are rows: renewed at each step, short, and gone at once when they should be."""

from __future__ import annotations

import hashlib
import http.cookies

import pytest
from sqlalchemy import select, text

from screening.extensions import db
from screening.staff.models import StaffSession
from tests.conftest import close
from tests.staff.clerk import Clerk
from tests.visitor import Visitor

MINUTE = 60
HOUR = 60 * MINUTE


def rows(office):
    with office.app.app_context():
        return [row.id for row in db.session.scalars(select(StaffSession))]


def test_a_stranger_gets_a_sealed_cookie_and_no_row(office_on_each):
    stranger = Clerk(office_on_each.site, "nobody@clinic.example.org")
    for _ in range(3):
        stranger.give_password("wrong")
    assert "." in stranger.cookie and rows(office_on_each) == []


def test_the_id_changes_with_the_password_and_again_with_the_code(office_on_each):
    clerk = office_on_each.hire("dana", "admin")
    page = clerk.get("/staff/sign-in")
    seen = [clerk.cookie]
    page = clerk.send(page, "/staff/sign-in", email=clerk.email, password=clerk.password)
    seen.append(clerk.cookie)
    clerk.send(page, "/staff/second-factor", code=clerk.code)
    seen.append(clerk.cookie)
    assert len(set(seen)) == 3 and all(seen)
    assert rows(office_on_each) == [hashlib.sha256(seen[2].encode()).hexdigest()], "the old row is gone"
    for old in seen[:2]:
        thief = Visitor(office_on_each.site)
        thief.client.set_cookie("staff", old, path="/staff")
        assert thief.get("/staff/you").address == "/staff/sign-in"


def test_a_cookie_that_was_planted_is_not_taken_over(office):
    clerk = office.hire("dana", "admin")
    clerk.cookie = planted = "a" * 43
    clerk.sign_in()
    assert clerk.is_in() and clerk.cookie != planted


def test_after_the_password_alone_nothing_opens(office):
    clerk = office.hire("dana", "admin")
    clerk.give_password()
    for address in ("/staff/", "/staff/you", "/staff/audit", "/staff/accounts", "/staff/password", "/staff/set-up"):
        assert clerk.get(address).address == "/staff/second-factor", address
    token = clerk.get("/staff/second-factor").token
    page = clerk.post("/staff/recovery-codes", {"csrf_token": token})
    assert page.address == "/staff/second-factor"


def test_a_copied_cookie_dies_with_the_sign_out(office_on_each):
    clerk = office_on_each.hire("dana", "admin")
    clerk.sign_in()
    copy = clerk.cookie
    thief = Clerk(office_on_each.site, clerk.email)
    thief.cookie = copy
    assert thief.is_in(), "the control: until then it works"
    clerk.sign_out()
    assert clerk.cookie not in ("", copy) and rows(office_on_each) == []
    thief.cookie = copy
    assert not thief.is_in()


def test_signing_out_takes_a_post_with_a_token(office):
    clerk = office.hire("dana", "admin")
    clerk.sign_in()
    assert clerk.get("/staff/sign-out").status == 405
    assert clerk.post("/staff/sign-out", {}).status == 400
    assert clerk.is_in()


@pytest.mark.parametrize("deed", ["disable", "reset", "roles"])
def test_a_session_ends_at_once_with(office_on_each, deed):
    admin, clerk = office_on_each.hire("ada", "admin"), office_on_each.hire("dana", "responses")
    half_way = Clerk(office_on_each.site, clerk.email, secret=clerk.secret)
    admin.sign_in()
    clerk.sign_in()
    half_way.give_password()
    address = f"/staff/accounts/{office_on_each.id_of(clerk)}"
    fields = {"roles": ["responses", "rows"]} if deed == "roles" else {}
    admin.send(admin.get(address), f"{address}/{deed}", **fields)
    assert not clerk.is_in()
    assert half_way.get("/staff/second-factor").address == "/staff/sign-in"
    assert admin.is_in()


def test_a_session_that_begins_while_it_is_ended_does_not_live(office_on_each):
    """The row comes after all rows were deleted: as if both had happened at the same moment."""
    admin, clerk = office_on_each.hire("ada", "admin"), office_on_each.hire("dana", "responses")
    admin.sign_in()
    clerk.sign_in()
    with office_on_each.app.app_context():
        kept = db.session.execute(text("SELECT * FROM staff_session")).mappings().all()
    address = f"/staff/accounts/{office_on_each.id_of(clerk)}"
    admin.send(admin.get(address), f"{address}/roles", roles=["rows"])
    with office_on_each.app.app_context():
        gone = [dict(row) for row in kept if row["account_id"] == office_on_each.id_of(clerk)]
        assert len(gone) == 1
        db.session.execute(
            text(
                "INSERT INTO staff_session (id, account_id, data, began, seen)"
                " VALUES (:id, :account_id, :data, :began, :seen)"
            ),
            gone,
        )
        db.session.commit()
    assert not clerk.is_in()


def test_quarter_of_an_hour_without_a_click_ends_it(office_on_each, clock):
    clerk = office_on_each.hire("dana", "admin")
    clerk.sign_in()
    for _ in range(4):
        clock.forward(14 * MINUTE + 59)
        assert clerk.is_in()
    clock.forward(15 * MINUTE)
    page = clerk.get("/staff/audit")
    assert page.address == "/staff/sign-in" and "You were signed out" in page.words
    assert rows(office_on_each) == []


def test_no_session_is_longer_than_ten_hours(office, clock):
    clerk = office.hire("dana", "admin")
    clerk.sign_in()
    for _ in range(59):
        clock.forward(10 * MINUTE)
        assert clerk.is_in()
    page = clerk.get("/staff/recovery-codes")
    assert clerk.send(page, "/staff/second-factor", code=clerk.code).address == "/staff/recovery-codes"
    clock.forward(10 * MINUTE - 1)
    assert clerk.is_in()
    clock.forward(1)
    assert not clerk.is_in(), "a fresh code does not make it longer"


def test_what_the_sign_in_page_remembers_is_good_for_an_hour(office, clock):
    clerk = office.hire("dana", "admin")
    page = clerk.get("/staff/sign-in")
    clock.forward(HOUR - 1)
    fields = {"email": clerk.email, "password": clerk.password}
    assert clerk.send(page, "/staff/sign-in", **fields).address == "/staff/second-factor"
    late = Clerk(office.site, clerk.email)
    page = late.get("/staff/sign-in")
    clock.forward(HOUR)
    page = late.send(page, "/staff/sign-in", **fields)
    assert page.status == 400 and "try that again" in page.heading


def test_old_rows_are_swept_when_somebody_signs_in(office, clock):
    dana, eve = office.hire("dana", "admin"), office.hire("eve", "admin")
    dana.sign_in()
    clock.forward(HOUR)
    assert len(rows(office)) == 1
    eve.sign_in()
    assert len(rows(office)) == 1


def test_the_cookie_is_for_staff_pages_only_and_has_no_end_of_its_own(make_site):
    from tests.staff.clerk import Office

    office = Office(make_site(SECURE=True))
    clerk = office.hire("dana", "admin", https=True)
    page = clerk.get("/staff/sign-in")
    responses = [page.response]
    fields = {"email": clerk.email, "password": clerk.password, "remember": "y", "remember_me": "true"}
    page = clerk.send(page, "/staff/sign-in", follow=False, **fields)
    responses.append(page.response)
    page = clerk.send(clerk.get("/staff/second-factor"), "/staff/second-factor", follow=False, code=clerk.code)
    responses.append(page.response)
    headers = [header for response in responses for header in response.headers.getlist("Set-Cookie")]
    assert len(headers) == 5, "the session, and from the password on a sealed mark whose it is"
    for header in headers:
        (cookie,) = http.cookies.SimpleCookie(header).values()
        assert cookie.key in ("__Secure-staff", "__Secure-staff-whose")
        assert (cookie["path"], cookie["secure"], cookie["httponly"]) == ("/staff", True, True)
        assert cookie["samesite"] == "Lax" and not cookie["max-age"] and not cookie["expires"] and not cookie["domain"]


def test_no_token_opens_a_page(office):
    """A token that Flask-Security would take, as address, header or body."""
    clerk = office.hire("dana", "admin")
    with office.app.test_request_context():
        from screening.staff.models import Account

        token = Account.with_email(clerk.email).get_auth_token()
    stranger = Visitor(office.site)
    for options in (
        {"query_string": {"auth_token": token}},
        {"headers": {"Authentication-Token": token}},
        {"json": {"auth_token": token}},
    ):
        page = stranger.get("/staff/you", follow=False, **options)
        assert page.status == 303 and page.leads_to == "/staff/sign-in"


def test_a_remembering_cookie_opens_nothing(make_site, office):
    """Not even one signed by another process of the same site: what signs it is in no key file."""
    from flask_login.utils import encode_cookie

    clerk = office.hire("dana", "admin")
    with make_site().extensions["staff"].test_request_context():
        value = encode_cookie(office.look(clerk, "fs_uniquifier"))
    stranger = Visitor(office.site)
    stranger.client.set_cookie("remember_token", value)
    assert stranger.get("/staff/you").address == "/staff/sign-in"


@pytest.mark.parametrize("value", ["x", "x" * 5000, "a.b", "00000000.AAAA", "." * 4000, "é", "%00", "a" * 43])
def test_any_cookie_is_met_with_the_sign_in(office, value):
    stranger = Visitor(office.site)
    page = stranger.get("/staff/you", headers={"Cookie": f"staff={value}".encode().decode("latin-1")})
    assert page.address == "/staff/sign-in" and page.status == 200


def test_a_sealed_cookie_of_another_place_is_not_opened(office, keys):
    from screening.keyring import STAFF, Keyring

    stranger = Clerk(office.site, "x")
    stranger.cookie = Keyring(keys, (STAFF,)).seal(STAFF, b'{"began": 9e9, "values": {"_user_id": "x"}}', b"elsewhere")
    assert stranger.get("/staff/you").address == "/staff/sign-in"


def test_with_the_database_away_nobody_is_signed_out(make_site, sqlite_url, tmp_path):
    from tests.staff.clerk import Office

    office = Office(make_site())
    clerk = office.hire("dana", "admin")
    clerk.sign_in()
    close(office.site)
    file, away = tmp_path / "site.sqlite", tmp_path / "away"
    file.rename(away)
    file.mkdir()
    page = clerk.get("/staff/you")
    assert page.status == 503 and not page.response.headers.getlist("Set-Cookie")
    assert clerk.get("/staff/sign-in?lang=es").status == 503
    close(office.site)
    file.rmdir()
    away.rename(file)
    assert clerk.is_in()


def test_an_error_in_a_page_keeps_the_frame_and_undoes_what_was_half_done(office, caplog):
    from screening.staff.guard import signed_in
    from screening.staff.models import Account

    def fail():
        account = Account.with_email(clerk.email)
        account.name = "Half done"
        db.session.flush()
        raise ValueError("sentinel-9164")

    office.app.add_url_rule("/fail", "fail", signed_in(fail))
    clerk = office.hire("dana", "admin")
    clerk.sign_in()
    clerk.clock.forward(60)
    page = clerk.get("/staff/fail")
    assert page.status == 500 and "sentinel-9164" not in caplog.text + page.text
    assert office.look(clerk, "name") == "Dana" and clerk.is_in()


def test_two_requests_with_one_code_at_once_let_one_in(office_on_each):
    """Both have read the account before either uses the code; on either database one has to wait for the other."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    from screening.staff import proofs
    from screening.staff.models import Account

    clerk = office_on_each.hire("dana", "admin")
    code, now, ready = clerk.code, int(clerk.clock()), Barrier(4)

    def give() -> str:
        with office_on_each.app.app_context():
            account = Account.with_email(clerk.email)
            assert account.totp_counter == 0
            ready.wait(10)
            return proofs.by_code(account, code, now).value

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(job.result() for job in [pool.submit(give) for _ in range(4)])
    assert outcomes == ["right", "wrong", "wrong", "wrong"]


def test_guesses_sent_at_once_are_not_all_looked_at(office_on_each):
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    from screening.staff import proofs
    from screening.staff.models import Account

    clerk = office_on_each.hire("dana", "admin")
    now, ready = int(clerk.clock()), Barrier(8)

    def guess() -> str:
        with office_on_each.app.app_context():
            account = Account.with_email(clerk.email)
            assert account.failures == 0
            ready.wait(10)
            return proofs.by_code(account, "nothing", now).value

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(job.result() for job in [pool.submit(guess) for _ in range(8)])
    assert outcomes == ["wait"] * 3 + ["wrong"] * 5
