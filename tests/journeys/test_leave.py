"""Leaving the site, and the warning before a draft expires."""

from __future__ import annotations

import pytest

from tests.support.remote_site import RemoteSite
from tests.support.visitor import Visitor

WEATHER = "https://www.weather.gov/"


def answered_walker(live_server):
    """A visitor without a browser who has answered every question."""
    walker = Visitor(RemoteSite.at(live_server.port))
    walker.walk(sadness="3")
    return walker


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_back_after_leave_shows_no_answer(browser_visitor, live_server, scripts):
    visitor = browser_visitor(java_script_enabled=scripts)
    visitor.resume(answered_walker(live_server))
    visitor.open("/check/sadness")
    visitor.leave()
    visitor.page.go_back()
    assert visitor.page.locator("input:checked").count() == 0
    assert visitor.open("/check/review").url.startswith(visitor.address + "/check/sadness")


def test_back_without_leave_restores_the_answer(browser_visitor, live_server):
    """The control: without Leave, Back does show the answer."""
    visitor = browser_visitor()
    visitor.resume(answered_walker(live_server))
    visitor.open("/check/sadness")
    visitor.page.goto(WEATHER)
    visitor.page.go_back()
    assert visitor.page.locator("input:checked").get_attribute("value") == "3"


def test_pressing_shift_three_times_leaves_the_site(browser_visitor, live_server):
    visitor = browser_visitor()
    visitor.resume(answered_walker(live_server))
    visitor.open("/check/sadness")
    for _ in range(3):
        visitor.page.keyboard.press("Shift")
    visitor.page.wait_for_url(WEATHER)
    assert visitor.open("/check/review").url.startswith(visitor.address + "/check/sadness")


def test_shift_between_other_keys_does_not_leave_the_site(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    for key in ("Shift", "a", "Shift", "b", "Shift"):
        visitor.page.keyboard.press(key)
    assert visitor.path == "/check/sadness" and visitor.page.locator("main").is_visible()


def test_timeout_dialog_warns_and_more_time_extends_the_draft(browser_visitor):
    visitor = browser_visitor()
    visitor.page.clock.install()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    dialog = visitor.page.locator("#app-timeout")
    visitor.page.clock.fast_forward("24:00")
    assert not dialog.is_visible()
    visitor.page.clock.fast_forward("01:30")
    assert dialog.is_visible() and "about 5 minutes" in dialog.inner_text()
    for free in (".app-strip .app-pill", ".app-leave button"):
        visitor.page.locator(free).first.click(trial=True)
    dialog.get_by_text("Not now").click()
    assert not dialog.is_visible()
    visitor.page.evaluate("document.querySelector('#app-timeout').show()")
    before = visitor.context.cookies()
    with visitor.page.expect_response("**/more-time") as answered:
        dialog.locator("form[method=post] button").click()
    assert answered.value.status == 303
    dialog.wait_for(state="hidden")
    assert visitor.context.cookies() != before and visitor.path == "/check/sleep"
    visitor.page.clock.fast_forward("23:50:00")
    assert not dialog.is_visible()
    visitor.page.clock.fast_forward("06:00")
    assert dialog.is_visible()


def test_page_reloads_without_query_when_the_draft_expires(browser_visitor):
    visitor = browser_visitor()
    visitor.page.clock.install()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    visitor.open("/check/sadness?from=review")
    with visitor.page.expect_navigation():
        visitor.page.clock.fast_forward("30:05")
    assert visitor.path == "/check/sadness" and "from=" not in visitor.page.url
