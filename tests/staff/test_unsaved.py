"""What is typed when a session ends is given back to who typed it, and to nobody else."""

from __future__ import annotations

import base64
import zlib

import pytest

from screening.staff import unsaved
from tests.callback.conftest import ROSA
from tests.staff.clerk import Office

IDLE = 15 * 60
NOTICE = "You were signed out before this was saved. Your words are here"
NEW = "/staff/callbacks/new"


@pytest.fixture
def office(make_site, database_url):
    return Office(make_site(DATABASE_URL=database_url))


@pytest.fixture
def ann(office):
    clerk = office.hire("ann", "callbacks")
    clerk.sign_in()
    return clerk


def words(clerk):
    """The cookie that keeps what was typed."""
    cookie = clerk.client.get_cookie("staff-words", path="/staff")
    return cookie.value if cookie else ""


def too_late(clerk, clock, address=NEW, **fields):
    """Fill a form in, and send it when the session has ended; gives the sign-in page."""
    page = clerk.get(address)
    clock.forward(IDLE)
    return clerk.fill(page, address, **(fields or ROSA))


def sign_in_on(clerk, page, clock):
    """Sign in on the page that came in between."""
    clock.forward(30)
    page = clerk.send(page, "/staff/sign-in", email=clerk.email, password=clerk.password)
    return clerk.send(page, "/staff/second-factor", code=clerk.code)


def test_the_form_is_filled_again_and_then_forgotten(office, ann, clock):
    page = too_late(ann, clock)
    assert page.address == "/staff/sign-in" and "zentinel" not in page.text.lower()
    page = sign_in_on(ann, page, clock)
    assert page.address == NEW and NOTICE in page.words
    assert page.typed(NEW)["message"] == [ROSA["message"]] and page.typed(NEW)["name"] == [ROSA["name"]]
    assert not words(ann)
    again = ann.get(NEW)
    assert NOTICE not in again.words and again.typed(NEW)["name"] == [""]
    assert "The request is entered" in ann.fill(page, NEW).words


def test_a_note_on_a_request_comes_back_to_its_own_box(office, ann, clock):
    ann.fill(ann.get(NEW), NEW, **ROSA)
    page = ann.get(ann.get("/staff/callbacks").main.select_one(".app-queue__name a")["href"])
    own = page.address
    clock.forward(IDLE)
    page = ann.fill(page, f"{own}/call", outcome="spoke", note="zentinote said")
    page = sign_in_on(ann, page, clock)
    assert page.address == own and NOTICE in page.words
    assert page.typed(f"{own}/call")["note"] == ["zentinote said"] and page.typed(f"{own}/note")["note"] == [""]
    assert "Reached" in ann.fill(page, f"{own}/call", outcome="spoke").words


def test_a_colleague_who_signs_in_on_the_same_browser_gets_nothing(office, ann, clock):
    ben = office.hire("ben", "callbacks")
    ben.client = ann.client
    page = sign_in_on(ben, too_late(ann, clock), clock)
    assert page.address == NEW and NOTICE not in page.words and "zentinel" not in page.text.lower()


def test_it_is_known_whose_it_was_though_the_row_is_gone(office, ann, clock):
    page = ann.get(NEW)
    clock.forward(IDLE)
    office.hire("ben", "callbacks").sign_in()
    assert NOTICE in sign_in_on(ann, ann.fill(page, NEW, **ROSA), clock).words


def test_after_15_minutes_it_is_gone(office, ann, clock):
    page = too_late(ann, clock)
    kept = words(ann)
    clock.forward(IDLE)
    ann.client.set_cookie("staff-words", kept, path="/staff")
    assert NOTICE not in sign_in_on(ann, page, clock).words


def test_the_cookie_says_nothing_and_goes_to_the_staff_side_only(office, ann, clock):
    page = ann.get(NEW)
    clock.forward(IDLE)
    answer = ann.fill(page, NEW, follow=False, **ROSA).response
    (cookie,) = (line for line in answer.headers.getlist("Set-Cookie") if line.startswith("staff-words="))
    for attribute in ("HttpOnly", "Path=/staff", "SameSite=Lax", f"Max-Age={unsaved.KEPT}"):
        assert attribute in cookie, attribute
    sealed = words(ann)
    raw = base64.urlsafe_b64decode(sealed.partition(".")[2] + "==")
    assert b"entinel" not in raw and office.id_of(ann).encode() not in raw
    with pytest.raises(zlib.error):
        zlib.decompress(raw)
    assert "zentinel" not in answer.headers["Location"].lower()


def test_without_the_mark_of_the_session_nothing_is_kept(office, ann, clock):
    """Another site, or a cookie of another session, cannot lay words before anybody."""
    page = ann.get(NEW)
    ann.client.set_cookie("staff-whose", "x.y", path="/staff")
    clock.forward(IDLE)
    ann.fill(page, NEW, **ROSA)
    assert not words(ann)


def test_from_another_site_nothing_is_kept(office, ann, clock):
    clock.forward(IDLE)
    ann.client.post(NEW, data=ROSA, headers={"Origin": "https://evil.example"})
    assert not words(ann)


def test_passwords_and_codes_are_never_kept(office, ann, clock):
    page = ann.get("/staff/password")
    clock.forward(IDLE)
    ann.fill(page, "/staff/password", current="zentinel secret", password="zentinel secret", again="zentinel secret")
    assert not words(ann)
    assert not {form for form in office.app.extensions["unsaved_forms"] if form.startswith(("sign_in.", "accounts."))}


def test_what_does_not_fit_a_cookie_is_said(office, ann, clock):
    import secrets

    page = too_late(ann, clock, **{**ROSA, "message": secrets.token_hex(4000)})
    assert "too long to keep" in page.words and not words(ann)


def test_a_message_as_long_as_the_form_takes_fits(office, ann, clock):
    page = too_late(ann, clock, **{**ROSA, "message": "".join(chr(0x4E00 + n * 7) for n in range(500))})
    assert NOTICE in sign_in_on(ann, page, clock).words
