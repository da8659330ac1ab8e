"""Getting in: the first time, every time, and not by guessing, replaying or asking nicely."""

from __future__ import annotations

import logging
import re
import sqlite3

import pytest
from passlib.context import CryptContext

from screening.config import SettingsError
from screening.extensions import db
from screening.staff import passwords
from screening.staff.models import Account
from tests.conftest import close
from tests.staff.clerk import PASSWORD, Clerk, Office, shown_codes, spelled, totp
from tests.visitor import Visitor


def test_the_codes_of_these_tests_are_those_of_the_standard():
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B
    assert [totp(secret, at) for at in (59, 1111111109, 2000000000)] == ["287082", "081804", "279037"]


def test_a_first_sign_in_goes_by_a_new_password_and_an_app_to_the_pages(office_on_each):
    clerk = office_on_each.hire_anew("dana", "admin")
    page = clerk.give_password(wanted="/staff/audit")
    assert page.address == "/staff/password"
    assert clerk.get("/staff/audit").address == "/staff/password", "no page opens before"
    assert clerk.get("/staff/set-up").address == "/staff/password", "one step after the other"
    page = clerk.choose_password(page)
    assert page.address == "/staff/set-up"
    assert clerk.get("/staff/audit").address == "/staff/set-up"
    page = clerk.set_up_app(page)
    assert page.heading == "Recovery codes" and len(set(shown_codes(page))) == 10
    assert clerk.get("/staff/").address == "/staff/audit"
    clerk.sign_out()
    assert clerk.sign_in().address == "/staff/audit"
    actions = [event.action.removeprefix("account.") for event in office_on_each.events()]
    assert actions == [
        *("added", "password_changed", "second_factor_set", "signed_in", "signed_out", "signed_in"),
    ]


def test_a_wrong_code_at_the_set_up_keeps_the_picture_and_lets_nobody_in(office):
    clerk = office.hire_anew("dana")
    page = clerk.choose_password(clerk.give_password())
    secret = spelled(page)
    refused = clerk.send(page, "/staff/set-up", code="000000" if totp(secret, clerk.clock()) != "000000" else "1")
    assert "not right" in refused.words and spelled(refused) == secret
    assert office.look(clerk, "tf_totp_secret") is None and not clerk.is_in()


def test_the_picture_to_scan_says_what_the_text_says(office):
    """The path of squares is read back into the modules of a QR code of the very address."""
    from qrcode.main import QRCode

    clerk = office.hire_anew("dana")
    page = clerk.choose_password(clerk.give_password())
    picture = page.soup.find("svg", class_="app-qr")
    with office.app.app_context():
        issuer = office.app.config["SECURITY_TOTP_ISSUER"].replace(" ", "%20")
    expected = QRCode()
    expected.add_data(f"otpauth://totp/{issuer}:{clerk.email}?secret={spelled(page)}&issuer={issuer}")
    dark = {(x, y) for y, row in enumerate(expected.get_matrix()) for x, square in enumerate(row) if square}
    drawn = picture.find("path")["d"].split("h1v1h-1z")[:-1]
    assert {tuple(map(int, square.removeprefix("M").split())) for square in drawn} == dark


def test_whatever_is_wrong_the_words_are_the_same(office):
    right, gone = office.hire("dana", "admin"), office.hire("gone", "admin")
    boss = office.hire("ada", "admin")
    boss.sign_in()
    boss.send(boss.get(f"/staff/accounts/{office.id_of(gone)}"), f"/staff/accounts/{office.id_of(gone)}/disable")
    nobody = Clerk(office.site, "nobody@clinic.example.org")
    pages = [right.give_password("wrong"), gone.give_password(), nobody.give_password(), gone.give_password("wrong")]
    pages.append(nobody.give_password("x" * 3000))
    assert len({page.words.replace(page.main.find(id="email")["value"], "") for page in pages}) == 1
    assert {page.status for page in pages} == {200} and "could not sign you in" in pages[0].words


def test_a_password_is_hashed_at_its_full_cost(make_site, cheap_passwords, monkeypatch):
    monkeypatch.setattr(passwords, "COSTS", cheap_passwords)
    monkeypatch.setattr(passwords, "CONTEXT", CryptContext([passwords.SCHEME], **cheap_passwords))
    office = Office(make_site())
    clerk = office.hire_anew("dana", "admin")
    kept = [office.look(clerk, "password")]
    clerk.choose_password(clerk.give_password())
    kept.append(office.look(clerk, "password"))
    assert kept[0] != kept[1]
    for password in kept:
        assert password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_an_unknown_e_mail_costs_the_same_hashing(office, monkeypatch):
    from passlib.handlers.argon2 import argon2

    counted = []
    verify = argon2.verify.__func__
    monkeypatch.setattr(argon2, "verify", classmethod(lambda cls, *a, **k: counted.append(1) or verify(cls, *a, **k)))
    clerk = office.hire("dana")
    for email in (clerk.email, "nobody@clinic.example.org"):
        counted.clear()
        Clerk(office.site, email).give_password("wrong")
        assert counted == [1], email


def test_the_e_mail_may_be_written_in_any_case(office):
    clerk = office.hire("dana", "admin")
    clerk.email = " DANA@Clinic.example.ORG "
    assert clerk.sign_in().address == "/staff/audit"


def test_guessing_passwords_makes_an_account_wait_longer_and_longer(office_on_each, clock):
    clerk, other = office_on_each.hire("dana", "admin"), office_on_each.hire("eve", "admin")
    for _ in range(5):
        clerk.give_password("wrong")
    for wait in (60, 120, 240, 480, 960, 1920, 3600, 3600):
        clock.forward(wait - 1)
        assert "could not" in clerk.give_password().words, f"the right one too, before {wait} seconds are over"
        assert clerk.give_password().words == clerk.give_password("wrong").words
        clock.forward(1)
        assert "could not" in clerk.give_password("wrong").words
    clock.forward(3599)
    assert "could not" in clerk.give_password().words
    assert other.sign_in().address == "/staff/audit", "nobody else waits"
    clock.forward(3600)
    assert clerk.sign_in().address == "/staff/audit"
    clerk.sign_out()
    for _ in range(4):
        clerk.give_password("wrong")
    assert clerk.sign_in().address == "/staff/audit", "signing in starts the count anew"
    locked = [event.detail["minutes"] for event in office_on_each.events("account.locked")]
    assert locked == ["1", "2", "4", "8", "16", "32", "60", "60", "60"]


def test_an_unknown_e_mail_leaves_no_event_and_no_row(office):
    before = len(office.events())
    for _ in range(7):
        page = Clerk(office.site, "nobody@clinic.example.org").give_password()
    assert "could not" in page.words and len(office.events()) == before


def test_two_nodes_and_a_restart_share_the_count(make_site, database_url):
    sites = [make_site(DATABASE_URL=database_url) for _ in range(2)]
    dana = Office(sites[0]).hire("dana", "admin")
    for number in range(5):
        Clerk(sites[number % 2], dana.email).give_password("wrong")
    close(sites[1])
    for site in (sites[0], make_site(DATABASE_URL=database_url)):
        clerk = Clerk(site, dana.email, secret=dana.secret)
        assert "could not" in clerk.give_password().words
    dana.clock.forward(60)
    assert clerk.sign_in().address == "/staff/audit"


def test_codes_cannot_be_guessed_on_with_the_right_password_in_between(office_on_each, clock):
    clerk = office_on_each.hire("dana", "admin")
    page = clerk.give_password()
    for number in range(5):
        wrong = "000000" if clerk.code != "000000" else "111111"
        refused = clerk.send(page, ("/staff/second-factor", "/staff/recovery")[0], code=wrong)
        assert "not right" in refused.words
        if number == 2:
            page = clerk.give_password()
    assert "too many" in clerk.send(page, "/staff/second-factor", code=clerk.code).words
    recovery = clerk.get("/staff/recovery")
    assert "too many" in clerk.send(recovery, "/staff/recovery", code="0000-0000-0000").words
    assert "could not" in Clerk(office_on_each.site, clerk.email).give_password().words
    clock.forward(60)
    assert clerk.send(page, "/staff/second-factor", code=clerk.code).address == "/staff/audit"


def test_a_code_works_once(office_on_each, clock):
    clerk = office_on_each.hire("dana", "admin")
    clerk.sign_in()
    code = clerk.code
    thief = Clerk(office_on_each.site, clerk.email)
    page = thief.give_password()
    assert "not right" in thief.send(page, "/staff/second-factor", code=code).words
    clock.forward(30)
    earlier = totp(clerk.secret, clock() - 30)
    assert "not right" in thief.send(page, "/staff/second-factor", code=earlier).words, "nor in the period after"
    assert thief.send(page, "/staff/second-factor", code=clerk.code).address == "/staff/audit"


@pytest.mark.parametrize(("off", "opens"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_phone_may_be_half_a_minute_off(office, off, opens):
    clerk = office.hire("dana", "admin")
    page = clerk.send(clerk.give_password(), "/staff/second-factor", code=totp(clerk.secret, clerk.clock() + off))
    assert (page.address == "/staff/audit") is opens


def test_a_recovery_code_works_once_and_is_not_readable_in_the_database(office_on_each, tmp_path):
    clerk = office_on_each.hire_anew("dana", "admin")
    page = clerk.set_up_app(clerk.choose_password(clerk.give_password()))
    codes = shown_codes(page)
    for number, code in enumerate((codes[3], codes[7].upper().replace("-", " "))):
        clerk.sign_out()
        page = clerk.get("/staff/recovery") if clerk.give_password() else None
        assert clerk.send(page, "/staff/recovery", code=code).address == "/staff/audit"
        assert len(office_on_each.look(clerk, "mf_recovery_codes")) == 9 - number
    clerk.sign_out()
    clerk.give_password()
    assert "not right" in clerk.send(clerk.get("/staff/recovery"), "/staff/recovery", code=codes[3]).words
    stored = ",".join(office_on_each.look(clerk, "mf_recovery_codes"))
    assert not [code for code in codes if code in stored or code.replace("-", "") in stored]


def test_new_recovery_codes_need_a_fresh_code_and_end_the_old_ones(office, clock):
    clerk = office.hire("dana", "admin")
    clerk.sign_in()
    first = shown_codes(clerk.send(clerk.get("/staff/recovery-codes"), "/staff/recovery-codes"))
    assert len(first) == 10 and "10 codes left" in clerk.get("/staff/recovery-codes").words
    clock.forward(5 * 60)
    page = clerk.get("/staff/recovery-codes")
    assert page.address == "/staff/second-factor"
    assert clerk.get("/staff/set-up").address == "/staff/second-factor", "another phone needs one too"
    page = clerk.send(page, "/staff/second-factor", code=clerk.code)
    assert page.address == "/staff/recovery-codes"
    second = shown_codes(clerk.send(page, "/staff/recovery-codes"))
    assert not set(first) & set(second)
    clerk.sign_out()
    clerk.give_password()
    assert "not right" in clerk.send(clerk.get("/staff/recovery"), "/staff/recovery", code=first[0]).words
    assert clerk.send(clerk.get("/staff/recovery"), "/staff/recovery", code=second[0]).address == "/staff/audit"


def test_another_phone_takes_the_place_of_the_first_and_ends_other_sessions(office, clock):
    clerk = office.hire("dana", "admin")
    elsewhere = Clerk(office.site, clerk.email, secret=clerk.secret)
    elsewhere.sign_in()
    clerk.sign_in()
    old = clerk.secret
    clerk.set_up_app(clerk.get("/staff/set-up"))
    assert clerk.secret != old and clerk.is_in() and not elsewhere.is_in()
    clerk.sign_out()
    clock.forward(30)
    page = clerk.give_password()
    assert "not right" in clerk.send(page, "/staff/second-factor", code=totp(old, clock())).words
    assert clerk.send(page, "/staff/second-factor", code=clerk.code).address == "/staff/audit"


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
def test_a_password_that_is_easy_to_guess_is_refused(make_site, password, words):
    office = Office(make_site())
    clinic = office.app.extensions["clinic"].name
    clerk = office.hire("dana")
    clerk.sign_in()
    password = password.replace("Spine Intervention Clinic", clinic)
    page = clerk.choose_password(clerk.get("/staff/password"), password, current=PASSWORD)
    assert words in page.words and clerk.password == PASSWORD


def test_changing_the_password_needs_the_present_one_and_ends_other_sessions(office):
    clerk = office.hire("dana", "admin")
    elsewhere = Clerk(office.site, clerk.email, secret=clerk.secret)
    elsewhere.sign_in()
    clerk.sign_in()
    elsewhere.clock.forward(5 * 60)
    page = clerk.get("/staff/password")
    new = "copper violin ample tundra"
    assert "not right" in clerk.choose_password(page, new, current="wrong").words
    assert "not right" in clerk.choose_password(page, new).words
    assert "not the same" in clerk.choose_password(page, new, current=PASSWORD, again=new + "x").words
    before = clerk.cookie
    page = clerk.choose_password(page, new, current=PASSWORD)
    assert "password is changed" in page.words and clerk.cookie != before
    assert not elsewhere.is_in()
    elsewhere.clock.forward(30)
    assert "could not" in elsewhere.give_password().words
    assert clerk.is_in()
    assert clerk.get("/staff/recovery-codes").address == "/staff/second-factor", "a password is no fresh code"


def test_a_present_password_cannot_be_guessed_by_who_found_a_browser_open(office):
    clerk = office.hire("dana")
    clerk.sign_in()
    page = clerk.get("/staff/password")
    for _ in range(5):
        clerk.choose_password(page, "copper violin ample tundra", current="wrong")
    assert "too many" in clerk.choose_password(page, "copper violin ample tundra", current=PASSWORD).words


@pytest.mark.parametrize(
    ("wanted", "kept"),
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
def test_after_the_sign_in_one_gets_where_one_wanted_and_never_elsewhere(office, wanted, kept):
    clerk = office.hire("dana", "admin")
    page = clerk.get("/staff/sign-in", query_string={"next": wanted})
    page = clerk.post(
        "/staff/sign-in", {"csrf_token": page.token, "next": wanted, "email": clerk.email, "password": PASSWORD}
    )
    page = clerk.send(page, "/staff/second-factor", follow=False, code=clerk.code)
    assert page.response.headers["Location"] == (wanted if kept else "/staff/")


def test_a_demo_may_do_without_an_app_and_a_clinic_may_not(make_site, tmp_path):
    office = Office(make_site(STAFF_SECOND_FACTOR=False))
    clerk = office.hire_anew("dana", "admin")
    page = clerk.choose_password(clerk.give_password(wanted="/staff/audit"))
    assert page.address == "/staff/audit"
    with_app = office.hire("ada", "admin")
    assert with_app.give_password().address == "/staff/second-factor", "who has an app still needs it"
    clinic = tmp_path / "clinic.toml"
    from screening.clinic import DEMO

    clinic.write_text(DEMO.read_text(encoding="utf-8").replace("demo = true", "demo = false"), encoding="utf-8")
    with pytest.raises(SettingsError, match="STAFF_SECOND_FACTOR may be false only") as error:
        make_site(STAFF_SECOND_FACTOR=False, CLINIC=clinic)
    assert "\n" not in str(error.value)


def test_nothing_secret_is_logged_or_readable_in_the_file(office, caplog, tmp_path):
    with caplog.at_level(logging.DEBUG):
        clerk = office.hire_anew("dana", "admin")
        given = clerk.password
        clerk.give_password("sentinel-wrong-password")
        page = clerk.set_up_app(clerk.choose_password(clerk.give_password()))
        codes = shown_codes(page)
        clerk.sign_out()
        clerk.sign_in()
        cookie = clerk.cookie
        clerk.post("/staff/second-factor", {"code": "424242"})
        clerk.send(clerk.get("/staff/recovery"), "/staff/recovery", code=codes[0])
    secrets = [given, "sentinel-wrong-password", PASSWORD, clerk.secret, cookie, clerk.cookie, *codes]
    secrets += [code.replace("-", "") for code in codes]
    files = list(tmp_path.glob("site.sqlite*"))
    assert files
    stored = b"".join(file.read_bytes() for file in files)
    assert clerk.email.encode() in stored, "the control: what is stored in plain is found"
    for secret in secrets:
        assert secret not in caplog.text and secret.encode() not in stored, secret
    with sqlite3.connect(tmp_path / "site.sqlite") as connection:
        assert connection.execute("SELECT password FROM staff_account").fetchone()[0].startswith("$argon2id$")
    connection.close()


def test_a_password_counts_to_its_last_letter_as_it_was_typed(office):
    long = " Heron lantern quiet meadow, ñandú " + "x" * 64 + "Z "
    clerk = office.hire_anew("dana", "admin")
    clerk.set_up_app(clerk.choose_password(clerk.give_password(), long))
    clerk.sign_out()
    for other in (long[:-1], long.strip(), long.lower(), long[:72], long.replace("ñ", "n")):
        assert "could not sign you in" in clerk.give_password(other).words, other
        clerk.clock.forward(3600)
    assert clerk.give_password(long).address == "/staff/second-factor"


def test_a_password_is_good_until_somebody_changes_it(office, clock):
    clerk = office.hire("dana", "admin")
    clock.forward(5 * 365 * 24 * 3600)
    assert clerk.sign_in().address == "/staff/audit"


def test_passwords_are_masked_and_managers_may_fill_them_in(office):
    clerk = office.hire_anew("dana")
    pages = [clerk.get("/staff/sign-in"), clerk.give_password()]
    clerk.set_up_app(clerk.choose_password(pages[-1]))
    pages.append(clerk.get("/staff/password"))
    fields = [field for page in pages for field in page.main.find_all("input", autocomplete=re.compile("password$"))]
    assert [(field["type"], field["autocomplete"]) for field in fields] == [
        ("password", "current-password"),
        *[("password", "new-password")] * 2,
        ("password", "current-password"),
        *[("password", "new-password")] * 2,
    ]
    assert not any(page.soup.find("script") for page in pages), "nothing stands between a manager and the field"


def test_a_secret_of_an_app_is_good_for_its_own_account_and_no_other(office):
    """Whoever can write in the database cannot let their own phone open a colleague's account."""
    dana, eve = office.hire("dana", "admin"), office.hire("eve", "responses")
    with office.app.app_context():
        rows = {name: Account.with_email(clerk.email) for name, clerk in (("dana", dana), ("eve", eve))}
        rows["dana"].tf_totp_secret = rows["eve"].tf_totp_secret
        db.session.commit()
    page = dana.give_password()
    assert "not right" in dana.send(page, "/staff/second-factor", code=eve.code).words
    assert not dana.is_in()
    assert eve.sign_in().address == "/staff/releases"


def test_keys_may_be_turned_and_app_and_recovery_codes_still_work(make_site, tmp_path, keys, clock):
    import shutil
    from datetime import date

    from screening.keyring import STAFF, activate_key, add_key

    folder = tmp_path / "turned"
    shutil.copytree(keys, folder)
    office = Office(make_site(KEYS=folder))
    clerk = office.hire_anew("dana", "admin")
    codes = shown_codes(clerk.set_up_app(clerk.choose_password(clerk.give_password())))
    for _ in range(3):
        activate_key(folder, STAFF, add_key(folder, STAFF, date(2026, 11, 23)).id)
        site = make_site(KEYS=folder)
        again = Clerk(site, clerk.email, secret=clerk.secret)
        assert again.sign_in().address == "/staff/audit"
        again.sign_out()
        again.give_password()
        assert again.send(again.get("/staff/recovery"), "/staff/recovery", code=codes.pop()).address == "/staff/audit"
        another = Office(site).hire(f"d{len(codes)}", "admin")
        assert another.sign_in().address == "/staff/audit"


def test_a_stranger_can_read_the_sign_in_page_in_both_languages(office):
    visitor = Visitor(office.site)
    assert visitor.get("/staff/sign-in?lang=es").heading == "Iniciar sesión"
    assert visitor.get("/staff/sign-in?lang=en").heading == "Sign in"
