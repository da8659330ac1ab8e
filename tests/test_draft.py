"""The draft cookie of a visitor."""

from __future__ import annotations

import base64
import json
import string

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from screening.crypto import DecryptionError
from screening.crypto.key_files import Key, Ring, create_ring, read_ring, write_ring
from screening.crypto.keyring import DRAFT, Keyring
from screening.draft import ABSOLUTE_SECONDS, EXTENDED_SECONDS, IDLE_SECONDS, Draft
from tests.support.absence import assert_absent
from tests.support.visitor import SIGNS, Visitor

LOST_NOTICE = "We don’t have your earlier answers anymore."


def cookie(visitor: Visitor) -> str:
    found = visitor.client.get_cookie("draft")
    assert found is not None
    return found.value


def test_get_request_sets_a_cookie_only_with_the_first_token(visitor):
    assert "Set-Cookie" in visitor.get("/check/sadness").response.headers
    for address in ("/", "/check/sadness", "/help-now", "/worried", "/about", "/privacy", "/accessibility", "/nowhere"):
        assert "Set-Cookie" not in visitor.get(address).response.headers, address


def test_pages_without_form_set_no_cookie(visitor):
    for address in ("/help-now", "/worried", "/about", "/privacy", "/accessibility", "/nowhere", "/help-now?lang=es"):
        assert "Set-Cookie" not in visitor.get(address).response.headers, address


def test_draft_cookie_is_opaque_and_of_constant_size(site):
    sizes = set()
    for answer in ("0", "declined", "3"):
        visitor = Visitor(site)
        visitor.get("/check/sadness")
        sizes.add(len(cookie(visitor)))
        visitor.walk(
            stress=("work", "money", "family", "health", "sleep", "expectations"), **dict.fromkeys(SIGNS, answer)
        )
        visitor.agree()
        sizes.add(len(cookie(visitor)))
        value = cookie(visitor)
        readable = base64.urlsafe_b64decode(value.partition(".")[2] + "===")
        assert_absent(("hopelessness", "pain_duration", "expectations"), value, readable)
    assert len(sizes) == 1
    assert sizes.pop() < 2000


def test_draft_cookie_has_httponly_samesite_and_host_prefix(site, make_site):
    header = Visitor(site).get("/").response.headers["Set-Cookie"]
    assert "draft=" in header and "HttpOnly" in header and "SameSite=Lax" in header and "Expires" not in header
    secure = Visitor(make_site(HTTPS=True), https=True).get("/").response.headers["Set-Cookie"]
    assert secure.startswith("__Host-draft=") and "Secure" in secure and "Path=/" in secure and "Domain" not in secure


def broken_cookies(valid: str) -> dict[str, str]:
    return {
        "tampered": valid[:60] + ("A" if valid[60] != "A" else "B") + valid[61:],
        "truncated": valid[:200],
        "empty": "",
        "nonsense": "%00%ff<script>",
        "no key": "deadbeef." + valid.partition(".")[2],
        "huge": valid.ljust(4000, "A"),
        "signed by others": "eyJhbnN3ZXJzIjp7fX0.Zx1.abc",
    }


@pytest.mark.parametrize("kind", list(broken_cookies("x" * 300)))
def test_invalid_draft_cookie_gives_an_empty_draft_with_notice(site, visitor, kind):
    visitor.answer("sadness", "2")
    visitor.answer("sleep", "2")
    visitor.client.set_cookie("draft", broken_cookies(cookie(visitor))[kind])
    page = visitor.get("/check/hopelessness")
    assert (page.status, page.address) == (200, "/check/sadness")
    assert LOST_NOTICE in page.words
    assert page.chosen() == []
    assert LOST_NOTICE not in visitor.answer("sadness", "1").words


def test_draft_cookie_is_refused_under_another_cookie_name(make_site):
    plain, secure = Visitor(make_site()), Visitor(make_site(HTTPS=True), https=True)
    plain.answer("sadness", "2")
    secure.client.set_cookie("__Host-draft", cookie(plain), domain="localhost", secure=True)
    page = secure.get("/check/sleep")
    assert page.address == "/check/sadness" and LOST_NOTICE in page.words


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(string.printable, max_size=4000))
def test_arbitrary_draft_cookie_never_breaks_a_page(site, value):
    client = site.test_client()
    answer = client.get("/check/sadness", headers={"Cookie": "draft=" + value.replace("\n", "").replace("\r", "")})
    assert answer.status_code == 200


def test_draft_expires_after_30_idle_minutes(visitor, clock):
    visitor.answer("sadness", "2")
    clock.forward(IDLE_SECONDS - 1)
    assert visitor.get("/check/sleep").address == "/check/sleep"
    clock.forward(1)
    page = visitor.get("/check/sleep")
    assert page.address == "/check/sadness" and LOST_NOTICE in page.words


def test_draft_expires_after_two_hours_despite_activity(visitor, clock):
    for _ in range(7):
        visitor.answer("sadness", "2")
        clock.forward(ABSOLUTE_SECONDS / 8)
    assert visitor.get("/check/sleep").address == "/check/sleep"
    visitor.answer("sadness", "2")
    clock.forward(ABSOLUTE_SECONDS / 8)
    page = visitor.get("/check/sleep")
    assert page.address == "/check/sadness" and LOST_NOTICE in page.words


def test_more_time_extends_the_draft_to_24_hours(visitor, clock):
    page = visitor.send(visitor.get("/"), "/more-time")
    assert "24 hours" in page.words
    visitor.answer("sadness", "2")
    clock.forward(EXTENDED_SECONDS - 60)
    assert visitor.get("/check/sleep").address == "/check/sleep"
    clock.forward(60)
    page = visitor.get("/check/sleep")
    assert page.address == "/check/sadness" and LOST_NOTICE in page.words


def test_thirty_more_minutes_reach_past_the_absolute_limit(visitor, clock):
    for _ in range(5):
        visitor.answer("sadness", "2")
        clock.forward(ABSOLUTE_SECONDS / 5 - 60)
    page = visitor.get("/check/sleep")
    assert page.soup.body is not None and int(page.soup.body["data-clears-in"]) < IDLE_SECONDS
    more = {"csrf_token": page.token, "time": "30-minutes"}
    page = visitor.post("/more-time", more)
    assert page.address == "/check/sleep" and "30 more minutes" in page.words
    assert page.soup.body is not None and page.soup.body["data-clears-in"] == str(IDLE_SECONDS)
    clock.forward(IDLE_SECONDS - 1)
    assert visitor.get("/check/sadness").chosen() == ["2"]
    clock.forward(1)
    assert LOST_NOTICE in visitor.get("/check/sleep").words


@given(began=st.integers(0, 200_000), seen=st.integers(0, 90_000), waited=st.integers(0, 90_000), longer=st.booleans())
def test_renewed_draft_never_loses_time(began, seen, waited, longer):
    draft = Draft({"began": began, "seen": began + seen, "longer": longer})
    now = began + seen + waited
    left = draft.seconds_left(now)
    assume(left > 0)
    draft.renew(now)
    draft["seen"] = now
    assert draft.seconds_left(now) >= max(left, IDLE_SECONDS)


def test_page_states_seconds_until_the_draft_expires(visitor, clock):
    assert "data-clears-in" not in visitor.get("/").text
    visitor.answer("sadness", "2")
    clock.forward(100)
    page = visitor.get("/check/sleep")
    assert page.soup.body is not None and page.soup.body["data-clears-in"] == str(IDLE_SECONDS - 100)
    page = visitor.send(page, "/more-time")
    assert "24 hours" in page.words and page.address == "/check/sleep"
    assert page.soup.body is not None and page.soup.body["data-clears-in"] == str(EXTENDED_SECONDS)


def test_key_rotation_preserves_draft_answers_across_nodes(make_site, tmp_path, key_day):
    folder = tmp_path / "keys"
    for purpose in ("draft", "forms"):
        create_ring(folder, purpose, key_day)
    node_one, node_two = (make_site(KEYS_DIR=folder, SERVE=("visitor",)) for _ in range(2))
    visitor = Visitor(node_one)
    visitor.answer("sadness", "2")
    old, fresh = read_ring(folder, "draft"), Key.fresh(key_day)
    write_ring(folder, "draft", Ring((*old.keys, fresh), fresh.id))
    visitor.site, restarted = make_site(KEYS_DIR=folder, SERVE=("visitor",)), visitor.client
    visitor.client = visitor.site.test_client()
    visitor.client.set_cookie("draft", restarted.get_cookie("draft").value)
    assert visitor.get("/check/sleep").address == "/check/sleep"
    visitor.answer("sleep", "1")
    other = node_two.test_client()
    other.set_cookie("draft", cookie(visitor))
    assert other.get("/check/hopelessness").status_code == 200


def test_draft_drops_answers_unknown_to_the_questionnaire(site, keys, clock):
    values = {"began": int(clock()), "seen": int(clock()), "response": "0" * 32}
    answers = {"sadness": "2", "sleep": "9", "gone": "1", "stress": ["work", 5], "hopelessness": ["1"]}
    sealed = Keyring(keys, (DRAFT,)).encrypt(DRAFT, json.dumps(values | {"answers": answers}).encode(), b"draft")
    visitor = Visitor(site)
    visitor.client.set_cookie("draft", sealed)
    assert visitor.get("/check/pain").address == "/check/sleep"
    assert visitor.get("/check/sadness").chosen() == ["2"]


def test_empty_ciphertext_raises_a_decryption_error(keys):
    with pytest.raises(DecryptionError):
        Keyring(keys, (DRAFT,)).decrypt(DRAFT, "", b"")


def test_expired_draft_without_answers_shows_no_notice(visitor, clock):
    visitor.get("/")
    clock.forward(IDLE_SECONDS + 1)
    assert LOST_NOTICE not in visitor.get("/check/sadness").words


def test_renewed_more_time_lasts_24_hours_after_start_again(visitor, clock):
    visitor.send(visitor.get("/"), "/more-time")
    visitor.answer("sadness", "2")
    clock.forward(EXTENDED_SECONDS - 400)
    page = visitor.send(visitor.get("/check/sleep"), "/more-time")
    assert page.soup.body is not None and page.soup.body["data-clears-in"] == str(EXTENDED_SECONDS)
    visitor.walk()
    visitor.send(visitor.disagree(), "/start-again")
    visitor.answer("sadness", "1")
    clock.forward(EXTENDED_SECONDS - 60)
    assert visitor.get("/check/sadness").chosen() == ["1"]


def test_expired_review_form_shows_the_lost_answers_notice(visitor, clock):
    page = visitor.walk()
    clock.forward(IDLE_SECONDS + 1)
    page = visitor.send(page, "/check/review", consent="no")
    assert page.address == "/check/sadness" and LOST_NOTICE in page.words


def test_fullest_draft_has_the_size_of_an_empty_one(visitor, request_call):
    visitor.get("/check/sadness")
    empty = len(visitor.client.get_cookie("draft").value)
    visitor.walk(stress=("work", "money", "family", "health", "sleep", "expectations", "running_late"), pain="3")
    visitor.agree()
    request_call(visitor, say="🙂" * 80)
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/forget")
    request_call(visitor, say="🙂" * 80)
    visitor.send(visitor.get("/check/stress"), "/check/stress", stress=["none", "work", "money", "family"])
    assert visitor.get("/check/stress").title.startswith("Error: ")
    assert len(visitor.client.get_cookie("draft").value) == empty
