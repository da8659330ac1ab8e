"""Authentication: first sign-in, second factor, lockout, recovery codes and passwords."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3

import pytest
from passlib.context import CryptContext
from sqlalchemy import select

from screening.config import SettingsError
from screening.crypto.key_files import activate_key, add_key
from screening.crypto.keyring import STAFF
from screening.extensions import db
from screening.staff import passwords
from screening.staff.models import Account
from tests.support.absence import assert_absent
from tests.support.databases import close
from tests.support.staff_client import PASSWORD, StaffClient, Team, shown_codes, shown_key, totp, wrong_code
from tests.support.visitor import Visitor


def test_totp_helper_matches_rfc_6238_vectors():
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B
    assert [totp(secret, at) for at in (59, 1111111109, 2000000000)] == ["287082", "081804", "279037"]


@pytest.mark.each_database
def test_first_sign_in_requires_new_password_and_two_factor(team):
    member = team.invite("dana", "admin")
    page = member.enter_password(wanted="/staff/system")
    assert page.address == "/staff/password"
    assert member.get("/staff/system").address == "/staff/password", "no page opens during the setup"
    assert member.get("/staff/set-up").address == "/staff/password", "steps cannot be skipped"
    page = member.choose_password(page)
    assert page.address == "/staff/set-up"
    assert member.get("/staff/system").address == "/staff/set-up"
    page = member.set_up_app(page)
    assert page.heading == "Recovery codes" and len(set(shown_codes(page))) == 10
    assert member.get("/staff/").address == "/staff/system"
    member.sign_out()
    assert member.sign_in().address == "/staff/system"
    actions = [event.action.removeprefix("account.") for event in team.events()]
    assert actions == [*("added", "password_changed", "second_factor_set", "signed_in", "signed_out", "signed_in")]


def test_wrong_setup_code_is_refused_and_preserves_the_secret(team):
    member = team.invite("dana")
    page = member.choose_password(member.enter_password())
    secret = shown_key(page)
    refused = member.send(page, "/staff/set-up", code=wrong_code(secret, member.clock()))
    assert "not right" in refused.words and shown_key(refused) == secret
    assert team.account_field(member, "tf_totp_secret") is None and not member.is_signed_in()


def test_qr_code_encodes_the_shown_secret(team):
    """The path of squares is converted back to the modules of a QR code of the same address."""
    from qrcode.main import QRCode

    member = team.invite("dana")
    page = member.choose_password(member.enter_password())
    picture = page.soup.find("svg", class_="app-qr")
    with team.app.app_context():
        issuer = team.app.config["SECURITY_TOTP_ISSUER"].replace(" ", "%20")
    expected = QRCode()
    expected.add_data(f"otpauth://totp/{issuer}:{member.email}?secret={shown_key(page)}&issuer={issuer}")
    dark = {(x, y) for y, row in enumerate(expected.get_matrix()) for x, module in enumerate(row) if module}
    drawn = picture.find("path")["d"].split("h1v1h-1z")[:-1]
    assert {tuple(map(int, module.removeprefix("M").split())) for module in drawn} == dark


def test_failed_sign_in_shows_the_same_message_for_any_cause(team):
    right, gone = team.add("dana", "admin"), team.add("gone", "admin")
    admin = team.add("ada", "admin")
    admin.sign_in()
    admin.send(admin.get(f"/staff/accounts/{team.id_of(gone)}"), f"/staff/accounts/{team.id_of(gone)}/disable")
    nobody = StaffClient(team.site, "nobody@clinic.example.org")
    pages = [
        right.enter_password("wrong"),
        gone.enter_password(),
        nobody.enter_password(),
        gone.enter_password("wrong"),
    ]
    pages.append(nobody.enter_password("x" * 3000))
    assert len({page.words.replace(page.main.find(id="email")["value"], "") for page in pages}) == 1
    assert {page.status for page in pages} == {200} and "could not sign you in" in pages[0].words


def test_password_is_hashed_at_full_cost(make_site, cheap_passwords, monkeypatch):
    monkeypatch.setattr(passwords, "COSTS", cheap_passwords)
    monkeypatch.setattr(passwords, "CONTEXT", CryptContext([passwords.SCHEME], **cheap_passwords))
    team = Team(make_site())
    member = team.invite("dana", "admin")
    hashes = [team.account_field(member, "password")]
    member.choose_password(member.enter_password())
    hashes.append(team.account_field(member, "password"))
    assert hashes[0] != hashes[1]
    for password in hashes:
        assert password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_unknown_email_costs_an_equal_password_hash(team, monkeypatch):
    from passlib.handlers.argon2 import argon2

    counted = []
    verify = argon2.verify.__func__
    monkeypatch.setattr(argon2, "verify", classmethod(lambda cls, *a, **k: counted.append(1) or verify(cls, *a, **k)))
    member = team.add("dana")
    for email in (member.email, "nobody@clinic.example.org"):
        counted.clear()
        StaffClient(team.site, email).enter_password("wrong")
        assert counted == [1], email


def test_email_is_case_insensitive_at_sign_in(team):
    member = team.add("dana", "admin")
    member.email = " DANA@Clinic.example.ORG "
    assert member.sign_in().address == "/staff/system"


def test_repeated_wrong_passwords_double_the_lockout(team, clock):
    member, other = team.add("dana", "admin"), team.add("eve", "admin")
    for _ in range(5):
        member.enter_password("wrong")
    for wait in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        clock.forward(wait - 1)
        assert "could not" in member.enter_password().words, f"the correct password is refused for {wait} seconds, too"
        assert member.enter_password().words == member.enter_password("wrong").words
        clock.forward(1)
        assert "could not" in member.enter_password("wrong").words
    clock.forward(3599)
    assert "could not" in member.enter_password().words
    assert other.sign_in().address == "/staff/system", "other accounts are not locked out"
    clock.forward(3600)
    assert member.sign_in().address == "/staff/system"
    member.sign_out()
    for _ in range(4):
        member.enter_password("wrong")
    assert member.sign_in().address == "/staff/system", "a sign-in resets the count"
    locked = [event.detail["minutes"] for event in team.events("account.locked")]
    assert locked == ["1", "2", "4", "8", "16", "32", "60", "60", "60"]


def test_unknown_email_at_sign_in_stores_no_event_or_row(team):
    team.add("dana")

    def rows():
        with team.app.app_context():
            return {table.name: db.session.execute(select(table)).all() for table in db.metadatas[None].sorted_tables}

    before = rows()
    assert len(before["staff_account"]) == 1 and len(before["audit_event"]) == 1, "the control: rows are found"
    for _ in range(7):
        page = StaffClient(team.site, "nobody@clinic.example.org").enter_password()
    assert "could not" in page.words and rows() == before


@pytest.mark.each_database
def test_lockout_count_is_shared_by_nodes_and_restarts(make_site, database_url):
    sites = [make_site() for _ in range(2)]
    dana = Team(sites[0]).add("dana", "admin")
    for number in range(5):
        StaffClient(sites[number % 2], dana.email).enter_password("wrong")
    close(sites[1])
    for site in (sites[0], make_site()):
        member = StaffClient(site, dana.email, secret=dana.secret)
        assert "could not" in member.enter_password().words
    dana.clock.forward(60)
    assert member.sign_in().address == "/staff/system"


def test_correct_password_does_not_reset_the_code_lockout(team, clock):
    member = team.add("dana", "admin")
    page = member.enter_password()
    for number in range(5):
        address, wrong = (("/staff/second-factor", member.wrong_code), ("/staff/recovery", "0000-0000-0000"))[
            number % 2
        ]
        assert "not right" in member.send(member.get(address), address, code=wrong).words
        if number == 2:
            page = member.enter_password()
    assert "too many" in member.send(page, "/staff/second-factor", code=member.code).words
    recovery = member.get("/staff/recovery")
    assert "too many" in member.send(recovery, "/staff/recovery", code="0000-0000-0000").words
    assert "could not" in StaffClient(team.site, member.email).enter_password().words
    clock.forward(60)
    assert member.send(page, "/staff/second-factor", code=member.code).address == "/staff/system"


def test_totp_code_works_once(team, clock):
    member = team.add("dana", "admin")
    member.sign_in()
    code = member.code
    attacker = StaffClient(team.site, member.email)
    page = attacker.enter_password()
    assert "not right" in attacker.send(page, "/staff/second-factor", code=code).words
    clock.forward(30)
    earlier = totp(member.secret, clock() - 30)
    assert "not right" in attacker.send(page, "/staff/second-factor", code=earlier).words, "nor in the next period"
    assert attacker.send(page, "/staff/second-factor", code=member.code).address == "/staff/system"


@pytest.mark.parametrize(("off", "opens"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_totp_code_tolerates_thirty_seconds_of_clock_skew(team, off, opens):
    member = team.add("dana", "admin")
    page = member.send(member.enter_password(), "/staff/second-factor", code=totp(member.secret, member.clock() + off))
    assert (page.address == "/staff/system") is opens


@pytest.mark.each_database
def test_recovery_code_works_once_and_is_encrypted_at_rest(team):
    member = team.invite("dana", "admin")
    page = member.set_up_app(member.choose_password(member.enter_password()))
    codes = shown_codes(page)
    for number, code in enumerate((codes[3], codes[7].upper().replace("-", " "))):
        member.sign_out()
        page = member.get("/staff/recovery") if member.enter_password() else None
        assert member.send(page, "/staff/recovery", code=code).address == "/staff/system"
        assert len(team.account_field(member, "mf_recovery_codes")) == 9 - number
    member.sign_out()
    member.enter_password()
    assert "not right" in member.send(member.get("/staff/recovery"), "/staff/recovery", code=codes[3]).words
    stored = ",".join(team.account_field(member, "mf_recovery_codes"))
    assert_absent([*codes, *(code.replace("-", "") for code in codes)], stored)


def test_new_recovery_codes_need_fresh_code_and_replace_old(team, clock):
    member = team.add("dana", "admin")
    member.sign_in()
    first = shown_codes(member.send(member.get("/staff/recovery-codes"), "/staff/recovery-codes"))
    assert len(first) == 10 and "10 codes left" in member.get("/staff/recovery-codes").words
    clock.forward(5 * 60)
    page = member.get("/staff/recovery-codes")
    assert page.address == "/staff/second-factor"
    assert member.get("/staff/set-up").address == "/staff/second-factor", "a new authenticator needs a fresh code, too"
    page = member.send(page, "/staff/second-factor", code=member.code)
    assert page.address == "/staff/recovery-codes"
    second = shown_codes(member.send(page, "/staff/recovery-codes"))
    assert not set(first) & set(second)
    member.sign_out()
    member.enter_password()
    assert "not right" in member.send(member.get("/staff/recovery"), "/staff/recovery", code=first[0]).words
    assert member.send(member.get("/staff/recovery"), "/staff/recovery", code=second[0]).address == "/staff/system"


def test_new_authenticator_replaces_the_old_and_ends_sessions(team, clock):
    member = team.add("dana", "admin")
    other_client = StaffClient(team.site, member.email, secret=member.secret)
    other_client.sign_in()
    member.sign_in()
    old = member.secret
    member.set_up_app(member.get("/staff/set-up"))
    assert member.secret != old and member.is_signed_in() and not other_client.is_signed_in()
    member.sign_out()
    clock.forward(30)
    page = member.enter_password()
    assert "not right" in member.send(page, "/staff/second-factor", code=totp(old, clock())).words
    assert member.send(page, "/staff/second-factor", code=member.code).address == "/staff/system"


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short pass", "at least 12"),
        ("dana@clinic.example.org", "first a stranger would try"),
        ("password12345", "first a stranger would try"),
        ("Sunshine1234567", "first a stranger would try"),
        ("aaaaaaaaaaaaaaaa", "first a stranger would try"),
        ("Spine Intervention Clinic 1", "first a stranger would try"),
        ("x" * 201, "too long"),
        (PASSWORD, "password you have now"),
    ],
)
def test_weak_password_is_refused(make_site, password, words):
    team = Team(make_site())
    clinic = team.app.extensions["clinic"].name
    member = team.add("dana")
    member.sign_in()
    password = password.replace("Spine Intervention Clinic", clinic)
    page = member.choose_password(member.get("/staff/password"), password, current=PASSWORD)
    assert words in page.words and member.password == PASSWORD


def test_password_change_needs_current_and_ends_other_sessions(team):
    member = team.add("dana", "admin")
    other_client = StaffClient(team.site, member.email, secret=member.secret)
    other_client.sign_in()
    member.sign_in()
    other_client.clock.forward(5 * 60)
    page = member.get("/staff/password")
    new = "copper violin ample tundra"
    assert "not right" in member.choose_password(page, new, current="wrong").words
    assert "not right" in member.choose_password(page, new).words
    assert "not the same" in member.choose_password(page, new, current=PASSWORD, again=new + "x").words
    before = member.cookie
    page = member.choose_password(page, new, current=PASSWORD)
    assert "password is changed" in page.words and member.cookie != before
    assert not other_client.is_signed_in()
    other_client.clock.forward(30)
    assert "could not" in other_client.enter_password().words
    assert member.is_signed_in()
    assert member.get("/staff/recovery-codes").address == "/staff/second-factor", "a password is no fresh code"


def test_repeated_wrong_current_passwords_are_locked_out(team):
    member = team.add("dana")
    member.sign_in()
    page = member.get("/staff/password")
    for _ in range(5):
        member.choose_password(page, "copper violin ample tundra", current="wrong")
    assert "too many" in member.choose_password(page, "copper violin ample tundra", current=PASSWORD).words


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ("/staff/audit?action=account.added", True),
        ("https://evil.example/", False),
        ("//evil.example/", False),
        ("/staff//evil.example", False),
        ("/staff/\\evil.example", False),
        ("/staff/../leave", False),
        ("/stafford", False),
        ("/help-now", False),
        ("/staff/audit\r\nX: y", False),
    ],
)
def test_sign_in_redirects_only_to_staff_addresses(team, wanted, allowed):
    member = team.add("dana", "admin")
    page = member.get("/staff/sign-in", query_string={"next": wanted})
    page = member.post(
        "/staff/sign-in", {"csrf_token": page.token, "next": wanted, "email": member.email, "password": PASSWORD}
    )
    page = member.send(page, "/staff/second-factor", follow=False, code=member.code)
    assert page.response.headers["Location"] == (wanted if allowed else "/staff/")


def test_optional_two_factor_is_refused_outside_a_demo(make_site, own_clinic):
    team = Team(make_site(STAFF_SECOND_FACTOR=False))
    member = team.invite("dana", "admin")
    page = member.choose_password(member.enter_password(wanted="/staff/system"))
    assert page.address == "/staff/system"
    with_app = team.add("ada", "admin")
    assert with_app.enter_password().address == "/staff/second-factor", (
        "an account with an authenticator still needs the code"
    )
    with pytest.raises(SettingsError, match="STAFF_SECOND_FACTOR may be false only") as error:
        make_site(STAFF_SECOND_FACTOR=False, CLINIC_FILE=own_clinic)
    assert "\n" not in str(error.value)


def test_secrets_are_absent_from_logs_and_database_files(team, caplog, tmp_path):
    with caplog.at_level(logging.DEBUG):
        member = team.invite("dana", "admin")
        given = member.password
        member.enter_password("zentinel-wrong-password")
        page = member.set_up_app(member.choose_password(member.enter_password()))
        codes = shown_codes(page)
        member.sign_out()
        member.sign_in()
        cookie = member.cookie
        member.send(member.get("/staff/recovery"), "/staff/recovery", code=codes[0])
    secrets = [given, "zentinel-wrong-password", PASSWORD, member.secret, cookie, member.cookie, *codes]
    secrets += [code.replace("-", "") for code in codes]
    files = list(tmp_path.glob("site.sqlite*"))
    assert files
    stored = b"".join(file.read_bytes() for file in files)
    assert member.email.encode() in stored, "the control: plaintext columns are found"
    assert_absent(secrets, caplog.text, stored)
    with sqlite3.connect(tmp_path / "site.sqlite") as connection:
        assert connection.execute("SELECT password FROM staff_account").fetchone()[0].startswith("$argon2id$")
    connection.close()


def test_password_comparison_uses_every_character(team):
    long = " Heron lantern quiet meadow, ñandú " + "x" * 64 + "Z "
    member = team.invite("dana", "admin")
    member.set_up_app(member.choose_password(member.enter_password(), long))
    member.sign_out()
    for other in (long[:-1], long.strip(), long.lower(), long[:72], long.replace("ñ", "n")):
        assert "could not sign you in" in member.enter_password(other).words, other
        member.clock.forward(3600)
    assert member.enter_password(long).address == "/staff/second-factor"


def test_password_does_not_expire(team, clock):
    member = team.add("dana", "admin")
    clock.forward(5 * 365 * 24 * 3600)
    assert member.sign_in().address == "/staff/system"


def test_password_fields_are_masked_and_allow_autofill(team):
    member = team.invite("dana")
    pages = [member.get("/staff/sign-in"), member.enter_password()]
    member.set_up_app(member.choose_password(pages[-1]))
    pages.append(member.get("/staff/password"))
    fields = [field for page in pages for field in page.main.find_all("input", autocomplete=re.compile("password$"))]
    assert [(field["type"], field["autocomplete"]) for field in fields] == [
        ("password", "current-password"),
        *[("password", "new-password")] * 2,
        ("password", "current-password"),
        *[("password", "new-password")] * 2,
    ]
    assert not any(page.soup.find("script") for page in pages), "nothing blocks password managers"


def test_totp_secret_is_bound_to_its_account(team):
    """Write access to the database does not let an attacker's authenticator open a colleague's account."""
    dana, eve = team.add("dana", "admin"), team.add("eve", "responses")
    with team.app.app_context():
        rows = {name: Account.with_email(member.email) for name, member in (("dana", dana), ("eve", eve))}
        rows["dana"].tf_totp_secret = rows["eve"].tf_totp_secret
        db.session.commit()
    page = dana.enter_password()
    assert "not right" in dana.send(page, "/staff/second-factor", code=eve.code).words
    assert not dana.is_signed_in()
    assert eve.sign_in().address == "/staff/releases"


def test_key_rotation_preserves_totp_and_recovery_codes(make_site, tmp_path, keys, key_day):
    folder = tmp_path / "turned"
    shutil.copytree(keys, folder)
    team = Team(make_site(KEYS_DIR=folder))
    member = team.invite("dana", "admin")
    codes = shown_codes(member.set_up_app(member.choose_password(member.enter_password())))
    for _ in range(2):
        activate_key(folder, STAFF, add_key(folder, STAFF, key_day).id)
        site = make_site(KEYS_DIR=folder)
        again = StaffClient(site, member.email, secret=member.secret)
        assert again.sign_in().address == "/staff/system"
        again.sign_out()
        again.enter_password()
        assert again.send(again.get("/staff/recovery"), "/staff/recovery", code=codes.pop()).address == "/staff/system"
        another = Team(site).add(f"d{len(codes)}", "admin")
        assert another.sign_in().address == "/staff/system"


def test_sign_in_page_is_available_in_both_languages(team):
    visitor = Visitor(team.site)
    assert visitor.get("/staff/sign-in?lang=es").heading == "Iniciar sesión"
    assert visitor.get("/staff/sign-in?lang=en").heading == "Sign in"
