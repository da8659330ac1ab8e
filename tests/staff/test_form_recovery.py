"""A form sent with an expired session is restored after sign-in, to the same account only."""

from __future__ import annotations

import base64
import secrets
import zlib

import pytest

from screening.staff import form_recovery
from tests.support.absence import assert_absent
from tests.support.sample_patient import FORM, SECRETS

IDLE = 15 * 60
NOTICE = "You were signed out before this was saved. Your words are here"
NEW = "/staff/callbacks/new"


def words(member):
    """Return the cookie that stores what was typed."""
    cookie = member.client.get_cookie("staff-form", path="/staff")
    return cookie.value if cookie else ""


def send_expired(member, clock, address=NEW, **fields):
    """Fill in a form, and send it after the session has expired; return the sign-in page."""
    page = member.get(address)
    clock.forward(IDLE)
    return member.fill(page, address, **(fields or FORM))


def sign_in_again(member, page, clock):
    """Sign in on the page that the redirect leads to."""
    clock.forward(30)
    page = member.send(page, "/staff/sign-in", email=member.email, password=member.password)
    return member.send(page, "/staff/second-factor", code=member.code)


def test_unsaved_form_is_restored_once_after_sign_in(team, ann, clock):
    page = send_expired(ann, clock)
    assert page.address == "/staff/sign-in"
    assert_absent(SECRETS, page.text)
    page = sign_in_again(ann, page, clock)
    assert page.address == NEW and NOTICE in page.words
    assert page.typed(NEW)["message"] == [FORM["message"]] and page.typed(NEW)["name"] == [FORM["name"]]
    assert not words(ann)
    reloaded = ann.get(f"{NEW}?{page.response.request.query_string.decode()}")
    assert NOTICE in reloaded.words and reloaded.typed(NEW)["message"] == [FORM["message"]]
    again = ann.get(NEW)
    assert NOTICE not in again.words and again.typed(NEW)["name"] == [""]
    assert "The request is entered" in ann.fill(page, NEW).words


def test_unsaved_note_is_restored_to_its_own_field(team, ann, clock):
    ann.fill(ann.get(NEW), NEW, **FORM)
    page = ann.get(ann.get("/staff/callbacks").main.select_one(".app-worklist__name a")["href"])
    own = page.address
    clock.forward(IDLE)
    page = ann.fill(page, f"{own}/call", outcome="spoke", note="zentinelnotetext said")
    page = sign_in_again(ann, page, clock)
    assert page.address == own and NOTICE in page.words
    assert page.typed(f"{own}/call")["note"] == ["zentinelnotetext said"] and page.typed(f"{own}/note")["note"] == [""]
    assert "Closed" in ann.fill(page, f"{own}/call", outcome="spoke").words


def test_unsaved_form_is_hidden_from_another_account(team, ann, clock):
    ben = team.add("ben", "callbacks")
    ben.client = ann.client
    page = sign_in_again(ben, send_expired(ann, clock), clock)
    assert page.address == NEW and NOTICE not in page.words
    assert_absent(SECRETS, page.text)


@pytest.mark.each_database
def test_unsaved_form_is_restored_after_session_row_deletion(team, ann, clock):
    page = ann.get(NEW)
    clock.forward(IDLE)
    team.add("ben", "callbacks").sign_in()
    assert NOTICE in sign_in_again(ann, ann.fill(page, NEW, **FORM), clock).words


def test_unsaved_form_expires_after_fifteen_minutes(team, ann, clock):
    page = send_expired(ann, clock)
    saved_cookie = words(ann)
    clock.forward(IDLE)
    ann.client.set_cookie("staff-form", saved_cookie, path="/staff")
    assert NOTICE not in sign_in_again(ann, page, clock).words


def test_recovery_cookie_is_encrypted_and_scoped_to_staff(team, ann, clock):
    page = ann.get(NEW)
    clock.forward(IDLE)
    answer = ann.fill(page, NEW, follow=False, **FORM).response
    (cookie,) = (line for line in answer.headers.getlist("Set-Cookie") if line.startswith("staff-form="))
    for attribute in ("HttpOnly", "Path=/staff", "SameSite=Lax", f"Max-Age={form_recovery.RECOVERY_SECONDS}"):
        assert attribute in cookie, attribute
    sealed = words(ann)
    raw = base64.urlsafe_b64decode(sealed.partition(".")[2] + "==")
    assert_absent((*SECRETS, team.id_of(ann)), sealed, raw, answer.headers["Location"])
    with pytest.raises(zlib.error):
        zlib.decompress(raw)


def test_form_without_valid_session_mark_is_not_stored(team, ann, clock):
    """Another site, or a cookie of another session, cannot place a form on an account's pages."""
    page = ann.get(NEW)
    ann.client.set_cookie("staff-account", "x.y", path="/staff")
    clock.forward(IDLE)
    ann.fill(page, NEW, **FORM)
    assert not words(ann)


def test_cross_site_form_is_not_stored(team, ann, clock):
    clock.forward(IDLE)
    ann.client.post(NEW, data=FORM, headers={"Origin": "https://evil.example"})
    assert not words(ann)
    ann.client.post(NEW, data=FORM, headers={"Origin": ann.base})
    assert words(ann), "the control: the same form of the site's own is stored"


def test_passwords_and_codes_are_never_stored(team, ann, clock):
    page = ann.get("/staff/password")
    clock.forward(IDLE)
    typed = dict.fromkeys(("current", "password", "again"), "zentinelpassword")
    page = ann.fill(page, "/staff/password", **typed)
    assert page.address == "/staff/sign-in" and not words(ann)
    sign_in_again(ann, page, clock)
    send_expired(ann, clock)
    assert words(ann), "the control: a form without a password is stored"
    assert not {form for form in team.app.extensions["recoverable_forms"] if form.startswith(("sign_in.", "accounts."))}


def test_oversized_form_is_reported_and_not_stored(team, ann, clock):
    page = send_expired(ann, clock, **{**FORM, "message": secrets.token_hex(4000)})
    assert "too long to keep" in page.words and not words(ann)


def test_message_of_maximum_length_is_restored(team, ann, clock):
    page = send_expired(ann, clock, **{**FORM, "message": "".join(chr(0x4E00 + n * 7) for n in range(500))})
    assert NOTICE in sign_in_again(ann, page, clock).words
