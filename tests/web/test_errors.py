"""Error pages: one layout for every error."""

from __future__ import annotations

import logging

import pytest
from bs4 import BeautifulSoup, Tag
from flask import abort
from werkzeug.test import Client

from screening.app import static_error_page
from tests.support.absence import assert_absent
from tests.support.visitor import Page, Visitor, check_page


@pytest.mark.parametrize("code", [400, 403, 404, 405, 413, 418, 429, 500, 502, 503])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_error_page_has_status_language_and_home_link(make_site, code, lang):
    site = make_site()
    site.add_url_rule("/fail", "fail", lambda: abort(code))
    page = Visitor(site).get(f"/fail?lang={lang}")
    assert page.status == code
    assert page.soup.html["lang"] == lang  # type: ignore[index]
    assert page.main.find("a", href="/") and "!" not in page.words


def test_crash_page_and_log_omit_the_exception_message(make_site, caplog):
    site = make_site()

    def crash():
        raise ValueError("zentinelanswer said: nearly every day")

    site.add_url_rule("/check/zentineladdress", "crash", crash)
    with caplog.at_level(logging.DEBUG):
        page = Visitor(site).get("/check/zentineladdress?lang=en")
    assert page.status == 500 and "Sorry" in page.heading
    assert "ValueError" not in page.soup.get_text(" ") and "ValueError < crash" in caplog.text
    assert_absent(("zentinelanswer", "nearly every day"), page.text, caplog.text)
    assert_absent(("zentineladdress",), caplog.text)


def test_method_not_allowed_lists_the_allowed_methods(visitor):
    page = visitor.get("/leave")
    assert page.status == 405 and "POST" in page.response.headers["Allow"]


def test_form_rate_limit_returns_429_with_retry_after(make_site):
    visitor = Visitor(make_site(RATE_LIMIT_FORMS="3 per minute"))
    page = visitor.get("/check/sadness")
    pages = [visitor.send(page, "/check/sadness", sadness="1") for _ in range(4)]
    assert [p.status for p in pages] == [200, 200, 200, 429]
    assert pages[-1].response.headers["Retry-After"] == "60"
    assert visitor.get("/check/sleep").status == 200, "GET is never limited, and the draft is intact"


@pytest.mark.parametrize(("lang", "again"), [("en", "Try again"), ("es", "Intentar de nuevo")])
def test_question_over_the_rate_limit_offers_to_try_again(make_site, lang, again):
    visitor = Visitor(make_site(RATE_LIMIT_FORMS="2 per minute"))
    visitor.get(f"/?lang={lang}")
    visitor.answer("sadness", "1")
    visitor.answer("sleep", "1")
    page = visitor.send(visitor.get("/check/sleep?from=review"), "/check/sleep", sleep="3")
    assert page.status == 429 and page.main.find("a", href="/")
    assert ("was not saved" if lang == "en" else "no se guardó") in page.words
    link = page.main.find("a", string=again)
    assert link is not None and page.soup.find("a", href="tel:988")
    question = visitor.get(str(link["href"]))
    assert question.address == "/check/sleep" and question.chosen() == ["1"], "the answer before"
    back = question.soup.select_one("a.nhsuk-back-link")
    assert back is not None and back["href"] == "/check/review", "the change still returns to the review"


@pytest.mark.parametrize("address", ["/more-time", "/start-again", "//evil.example/check", "/check/sadness/"])
def test_rate_limit_page_offers_no_address_that_cannot_be_opened(make_site, address):
    visitor = Visitor(make_site(RATE_LIMIT_FORMS="1 per hour"))
    visitor.post("/more-time", {})
    page = visitor.post(address, {}, follow=False)
    assert page.status == 429
    assert [link["href"] for link in page.main.find_all("a")] == ["/"]


def test_form_rate_limit_counts_each_address_separately(make_site):
    site = make_site(RATE_LIMIT_FORMS="1 per minute")
    for address, expected in (("192.0.2.1", 400), ("192.0.2.2", 400), ("192.0.2.1", 429)):
        response = site.test_client().post("/more-time", environ_base={"REMOTE_ADDR": address})
        assert response.status_code == expected


def test_oversized_form_returns_413_with_crisis_help(visitor):
    page = visitor.post("/check/sadness", {"sadness": "x" * 70_000})
    assert page.status == 413
    page = visitor.post("/check/hopelessness", {"hopelessness": "3", "rest": "x" * 70_000})
    assert page.status == 413
    check_page(page)


def test_unknown_host_name_returns_a_400_error_page(make_site, own_clinic):
    site = make_site(ALLOWED_HOSTS=("clinic.example",), HTTPS=True, CLINIC_FILE=own_clinic)
    client = site.test_client()
    assert client.get("/", base_url="http://clinic.example").status_code == 200
    refused = client.get("/", base_url="http://zentinelhost.example")
    assert refused.status_code == 400
    assert_absent(("zentinelhost",), refused.text)
    check_page(Page(refused))


def test_staff_pages_redirect_to_sign_in_without_a_session(visitor):
    for address in ("/staff/", "/staff/callbacks", "/staff/nothing"):
        page = visitor.get(address)
        assert page.address == "/staff/sign-in" and "Staff" in page.title


def test_process_serves_only_the_configured_applications(make_site):
    assert make_site(SERVE=("visitor",)).test_client().get("/staff/").status_code == 404
    staff_only = make_site(SERVE=("staff",)).test_client()
    assert staff_only.get("/").status_code == 404
    assert staff_only.get("/check/sadness").status_code == 404
    assert staff_only.get("/staff/sign-in").status_code == 200


@pytest.mark.parametrize("page_of", ["last resort", "busy"])
def test_static_page_offers_to_leave_in_both_languages(make_site, page_of):
    site = make_site()
    page = static_error_page(site)
    if page_of == "busy":
        page = Client(site.extensions["refusals"]).get("/check/sadness").get_data(as_text=True)
    form = BeautifulSoup(page, "html.parser").find("form", method="post", action="/leave")
    assert isinstance(form, Tag) and form.input is None, "it needs no token"
    assert "Leave this page" in form.get_text() and form.find(lang="es") is not None
