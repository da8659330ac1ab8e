"""The call-back form's cookie: set by every post, deleted with the draft, and not required to send a request."""

from __future__ import annotations

import pytest

from screening.draft import FORM_SECONDS
from tests.support.absence import assert_absent
from tests.support.sample_patient import FORM, NAME, SECRETS, reference_on
from tests.support.visitor import Visitor

COOKIE, PATH = "consultation", "/consultation"


def form_cookie(visitor: Visitor, name: str = COOKIE) -> str | None:
    cookie = visitor.client.get_cookie(name, path=PATH)
    return cookie.value if cookie else None


def review(visitor: Visitor, **fields):
    return visitor.fill(visitor.get("/consultation"), "/consultation/review", **{**FORM, **fields})


def without_cookies(site) -> Visitor:
    visitor = Visitor(site)
    visitor.client = site.test_client(use_cookies=False)
    return visitor


@pytest.mark.parametrize("https", [True, False])
def test_form_cookie_is_opaque_and_bound_to_its_path(make_site, https):
    visitor = Visitor(make_site(HTTPS=https), https=https)
    page = visitor.get("/consultation")
    page = visitor.fill(page, "/consultation/review", follow=False, **FORM)
    [line] = [value for value in page.response.headers.getlist("Set-Cookie") if COOKIE in value.partition("=")[0]]
    assert line.startswith("__Secure-consultation=" if https else "consultation=")
    parts = set(line.split("; ")[1:])
    assert {"HttpOnly", "Path=/consultation", "SameSite=Lax", f"Max-Age={FORM_SECONDS}"} <= parts
    assert ("Secure" in parts) == https
    assert_absent(SECRETS, line)


def test_any_page_of_the_form_can_be_fetched_again(visitor):
    review(visitor, email="rosa@")
    for _ in range(2):
        page = visitor.get("/consultation")
        assert page.title.startswith("Error: ") and page.typed("/consultation/review")["email"] == ["rosa@"]
    visitor.fill(page, "/consultation/review", email=FORM["email"])
    for _ in range(2):
        page = visitor.get("/consultation/review")
        assert page.title.startswith("Check your request") and FORM["message"].split()[0] in page.words
    assert not visitor.get("/consultation").title.startswith("Error: ")


def test_get_requests_change_no_cookie(visitor):
    review(visitor)
    before = form_cookie(visitor), visitor.client.get_cookie("draft").value
    for address in ("/consultation", "/consultation/review", "/consultation/status", "/check/sadness", "/"):
        visitor.get(address)
    assert (form_cookie(visitor), visitor.client.get_cookie("draft").value) == before


@pytest.mark.parametrize("letters", ["測", "🙂"], ids=["Chinese", "emoji"])
def test_longest_form_survives_a_fresh_get(visitor, letters):
    long = {name: "".join(chr(ord(letters) + n % 40) for n in range(80)) for name in ("name", "say", "assistance")}
    message = "".join(chr(ord(letters) + n * 7 % 40) for n in range(500))
    visitor.walk(stress=("work", "money", "family", "health", "sleep", "expectations", "running_late"), pain="3")
    visitor.disagree()
    longest_email = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 50}.example"
    review(visitor, **long, message=message, email=longest_email, days=["0", "1", "2"], share="yes")
    typed = visitor.get("/consultation").typed("/consultation/review")
    assert {name: typed[name] for name in long} == {name: [text] for name, text in long.items()}
    assert typed["message"] == [message] and typed["share"] == ["yes"]


def test_form_too_long_for_a_cookie_is_shown_directly(visitor, site):
    page = visitor.get("/consultation")
    message = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(4000))
    fields = {**page.typed("/consultation/review"), **FORM, "message": message}
    response = visitor.client.post("/consultation/review", data=fields, base_url=visitor.base)
    assert response.status_code == 422 and message in response.text
    assert "500 characters at most, and now there are 4000" in response.text


@pytest.mark.parametrize("how", ["leave", "start again", "send"])
def test_form_cookie_ends_with_leave_start_again_and_sending(visitor, clock, how):
    page = review(visitor)
    assert form_cookie(visitor)
    if how == "leave":
        visitor.post("/leave", {}, follow=False)
    elif how == "start again":
        visitor.walk()
        visitor.send(visitor.disagree(), "/start-again")
    else:
        clock.forward(10)
        visitor.fill(page, "/consultation/sent")
    assert form_cookie(visitor) is None
    assert visitor.get("/consultation").typed("/consultation/review")["name"] == [""]


def test_form_cookie_ends_with_an_expired_draft(visitor, clock):
    review(visitor)
    clock.forward(FORM_SECONDS + 1)
    visitor.get("/")  # a page with a form: it begins another draft
    assert form_cookie(visitor) is None


def test_form_cookie_of_another_draft_shows_nothing(visitor, site):
    review(visitor)
    other = Visitor(site)
    other.get("/consultation")
    other.client.set_cookie(COOKIE, form_cookie(visitor), path=PATH)
    assert_absent(SECRETS, other.get("/consultation").text)


def test_request_can_be_sent_with_cookies_off(site, clock, stored):
    visitor = without_cookies(site)
    page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **{**FORM, "phone": "", "email": ""})
    for expected in ("Please give a phone number or an email address", "Cookies are off", "(303) 555-0100"):
        assert expected in page.words
    page = visitor.fill(page, "/consultation/review", phone=FORM["phone"])
    assert page.title.startswith("Error: Check your request") and NAME in page.words and "Cookies are off" in page.words
    page = visitor.fill(page, "/consultation")
    page = visitor.fill(page, "/consultation/review")
    clock.forward(10)
    sent = visitor.fill(page, "/consultation/sent")
    assert reference_on(sent)
    again = visitor.fill(page, "/consultation/sent")
    assert "We have this request already" in again.words, "a retry stores no second request, and shows no reference"
    [(_request, details)] = stored(site)
    assert details.name == NAME


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ],
    ids=str,
)
def test_form_without_cookie_and_proof_of_origin_is_refused(site, clock, stored, headers):
    visitor = without_cookies(site)
    page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **FORM)
    clock.forward(10)
    fields = page.typed("/consultation/sent")
    response = visitor.client.post("/consultation/sent", data=fields, base_url=visitor.base, headers=headers)
    assert response.status_code == 400 and stored(site) == []
    response = visitor.client.post(
        "/consultation/sent", data=fields, base_url=visitor.base, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert response.status_code == 200 and len(stored(site)) == 1


def test_lookup_with_cookies_off_shows_reason_and_phone_number(site, request_call):
    reference = reference_on(request_call(Visitor(site)))
    visitor = without_cookies(site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
    assert page.status == 400 and "Cookies are off" in page.words and "(303) 555-0100" in page.words


@pytest.mark.parametrize("lost", ["after half an hour", "by a damaged cookie"])
def test_form_that_was_not_sent_is_never_confirmed(visitor, clock, request_call, lost):
    """An earlier request is in the draft, and its change expires before it is sent."""
    visitor.send(visitor.get("/"), "/more-time")
    request_call(visitor)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    visitor.fill(page, "/consultation/review", **{**FORM, "name": "Another Name"})
    if lost == "after half an hour":
        clock.forward(FORM_SECONDS + 60)
    else:
        visitor.client.set_cookie(COOKIE, "damaged", path=PATH)
    page = visitor.get("/consultation/review")
    assert page.address == "/consultation" and "was not sent yet" in page.words
    page = visitor.fill(page, "/consultation/review", **FORM)
    clock.forward(10)
    visitor.fill(page, "/consultation/sent")
    assert visitor.get("/consultation/review").address == "/consultation/sent"


def test_form_survives_a_node_whose_clock_is_behind(visitor, clock):
    page = review(visitor)
    clock.forward(-30)
    assert visitor.get("/consultation/review").title == page.title


def test_lookup_of_a_reference_leaves_the_form_in_hand(site, visitor, request_call):
    reference = reference_on(request_call(Visitor(site)))
    review(visitor)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
    assert reference_on(page) == reference
    assert visitor.get("/consultation").typed("/consultation/review")["name"] == [NAME]


def test_form_survives_keys_that_fail_for_a_moment(visitor, site, monkeypatch):
    review(visitor)
    with monkeypatch.context() as patch:
        patch.setattr(type(site.extensions["keyring"]), "decrypt", broken)
        for address in ("/about", "/consultation"):
            assert visitor.client.get(address, base_url=visitor.base).status_code == 200
    cookie = form_cookie(visitor)
    assert cookie


def broken(*arguments):
    raise OSError("no such file")


def test_form_too_long_for_a_cookie_deletes_the_earlier_version(visitor):
    review(visitor)
    fields = visitor.get("/consultation").typed("/consultation/review")
    message = "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(4000))
    visitor.client.post("/consultation/review", data={**fields, "message": message}, base_url=visitor.base)
    assert visitor.get("/consultation/review").address == "/consultation"


@pytest.mark.parametrize("address", ["/brand.css", "/help-now", "/healthz", "/.well-known/security.txt"])
def test_pages_without_cookie_delete_none_either(visitor, clock, address):
    review(visitor)
    clock.forward(FORM_SECONDS + 1)
    assert "Set-Cookie" not in visitor.client.get(address, base_url=visitor.base).headers


def test_language_lasts_with_cookies_off(site):
    visitor = without_cookies(site)
    page = visitor.fill(visitor.get("/consultation?lang=es"), "/consultation/review", **FORM)
    assert page.soup.html["lang"] == "es"
    assert visitor.fill(page, "/consultation").soup.html["lang"] == "es"
