"""The browser's Back stays on the site, and every page that it leads to has crisis help."""

from __future__ import annotations

import pytest
from flask import Flask, make_response, request
from playwright.sync_api import Error, Page

from tests.support.browser import VIEW
from tests.support.browser_back import go_back, served
from tests.support.remote_site import RemoteSite
from tests.support.sample_patient import PHONE
from tests.support.visitor import Visitor


def go_back_to_start(page: Page, address: str) -> list[str]:
    """Go back to the beginning of the tab's history; return the paths. Each is a page of the site with the strip."""
    seen = []
    while page.evaluate("navigation.canGoBack"):
        go_back(page)
        if not page.url.startswith(address):
            break
        assert page.locator(".app-strip a[href='tel:988']").count() == 1, page.url
        assert page.locator("form[action='/leave']").count() == 1, page.url
        seen.append(page.url.removeprefix(address))
    return seen


def fill_in(page: Page, **fields: str) -> None:
    page.locator("input[name=patient]").first.check()
    for name, value in {"name": "Demo Reader", "phone": PHONE, **fields}.items():
        page.locator(f"#{name}").fill(value)


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def visitor(request, browser_visitor):
    return browser_visitor(java_script_enabled=request.param)


@pytest.fixture
def answered_walker(live_server):
    """A visitor without a browser who has answered every question."""
    walker = Visitor(RemoteSite.at(live_server.port))
    walker.walk(sadness="3")
    return walker


def assert_back_shows(visitor, path: str, words: str = "") -> None:
    """Go back once, and check that this page of the site is shown."""
    go_back(visitor.page)
    assert visitor.path == path and visitor.page.locator(".app-strip").count() == 1
    assert words in visitor.page.locator("main").inner_text()


def test_back_through_the_walk_shows_its_pages(visitor):
    visitor.open("/check/sadness")
    visitor.press()
    assert visitor.page.locator(".nhsuk-error-summary").count() == 1
    visitor.choose("sadness", "1")
    assert_back_shows(visitor, "/check/sadness")
    assert visitor.page.locator("input:checked").get_attribute("value") == "1"
    visitor.open("/check/sleep")
    visitor.choose("sleep", "2")
    visitor.choose("hopelessness", "3")
    assert "Thank you for telling us" in visitor.page.locator("h1").inner_text()
    visitor.follow(".app-strip__text a")
    assert_back_shows(visitor, "/check/hopelessness", "Thank you for telling us")
    visitor.press()
    assert visitor.path == "/check/interest"
    assert_back_shows(visitor, "/check/hopelessness", "Thank you for telling us")
    assert_back_shows(visitor, "/check/hopelessness", "hopeless")
    visitor.page.go_forward()
    visitor.press()
    assert visitor.path == "/check/interest"


def test_back_through_the_review_shows_its_pages(visitor, answered_walker):
    visitor.resume(answered_walker)
    visitor.open("/check/review")
    visitor.press()
    assert visitor.page.locator(".nhsuk-error-summary").count() == 1
    visitor.choose("consent", "no")
    assert visitor.path == "/summary"
    assert_back_shows(visitor, "/check/review")
    visitor.open("/check/sleep?from=review")
    visitor.choose("sleep", "2")
    assert visitor.path == "/check/review"
    assert_back_shows(visitor, "/check/sleep")


def test_back_through_the_callback_form_shows_typed_text(visitor):
    visitor.open("/consultation")
    visitor.follow("#ask > button.nhsuk-button")
    assert visitor.page.locator(".nhsuk-error-summary").count() == 1
    visitor.unfold()
    fill_in(visitor.page, message="zentinelmessage")
    visitor.follow("#ask > button.nhsuk-button")
    assert visitor.path == "/consultation/review"
    for link in (".app-footer a[href='/privacy']", ".app-strip__text a", ".app-footer a[href='/about']"):
        visitor.follow(link)
        assert_back_shows(visitor, "/consultation/review", "zentinelmessage")
    visitor.follow("#change button")
    assert visitor.path == "/consultation" and visitor.page.locator("#message").input_value() == "zentinelmessage"
    visitor.follow("#ask > button.nhsuk-button")
    assert visitor.path == "/consultation/review"
    assert_back_shows(visitor, "/consultation")
    assert visitor.page.locator("#name").input_value() == "Demo Reader"
    visitor.follow("button[lang=es]")
    visitor.follow("#ask > button.nhsuk-button")
    assert visitor.page.locator("html").get_attribute("lang") == "es"
    assert_back_shows(visitor, "/consultation")
    assert len(go_back_to_start(visitor.page, visitor.address)) >= 4


def test_back_after_sending_shows_the_confirmation(visitor):
    reference = visitor.request_call()
    assert_back_shows(visitor, "/consultation/sent", reference)
    visitor.follow("main a[href='/consultation/status']")
    visitor.follow("form[action='/consultation/status/change'] button")
    assert visitor.path == "/consultation"
    assert_back_shows(visitor, "/consultation/status", reference)
    other = visitor.context.browser.new_context(**VIEW).new_page()
    other.goto(f"{visitor.address}/consultation/status")
    for typed in ("ZSD2-8JEKJ-HUP89", reference):
        other.locator("#reference").fill(typed)
        with other.expect_navigation():
            other.locator("main button").click()
    assert reference in other.locator("main").inner_text()
    go_back(other)
    assert other.locator(".app-strip").count() == 1
    other.context.close()


def test_back_to_the_beginning_finds_help_on_every_page(visitor):
    visitor.walk(hopelessness="3", pain="2")
    visitor.press()
    visitor.finish()
    visitor.follow(".app-offer a.nhsuk-button")
    visitor.follow("#ask > button.nhsuk-button")
    visitor.request_call()
    visitor.follow("main a[href='/consultation/status']")
    visitor.follow("form[action='/consultation/status/forget'] button")
    visitor.page.locator("#reference").fill("slip")
    visitor.follow("main form button")
    seen = go_back_to_start(visitor.page, visitor.address)
    assert len(seen) >= 20 and seen[-1].startswith("/?lang=en")


def test_back_after_leave_does_not_show_the_help_page(visitor):
    """The help page is the only page that a browser may store, for its own Back."""
    visitor.open("/check/sadness")
    visitor.choose("sadness", "1")
    visitor.choose("sleep", "1")
    visitor.choose("hopelessness", "3")
    visitor.leave()
    try:
        visitor.page.go_back()
    except Error as error:  # the page is deleted, and the browser does not resend the form
        assert "ERR_CACHE_MISS" in error.message
    assert visitor.page.locator("main").filter(has_text="Thank you for telling us").count() == 0


def test_page_that_answers_a_form_directly_fails_the_check(browser):
    """The control: a page that answers a form directly, without a redirect."""
    app = Flask(__name__)

    @app.route("/", methods=["GET", "POST"])
    def page():
        answer = make_response(f"<main>{request.method}<form method=post><button>Send</button></form></main>")
        answer.headers["Cache-Control"] = "no-store"
        return answer

    with served(app) as address:
        tab = browser.new_context(**VIEW).new_page()
        tab.goto(address)
        tab.locator("button").click()
        assert "POST" in tab.locator("main").inner_text()
        tab.goto(f"{address}/?elsewhere")
        with pytest.raises(AssertionError, match="ERR_CACHE_MISS"):
            go_back(tab)
        tab.context.close()
