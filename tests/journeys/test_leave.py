"""Leaving the site, and the warning before a draft expires."""

from __future__ import annotations

import pytest

from tests.support.remote_site import RemoteSite
from tests.support.visitor import Visitor

WEATHER = "https://www.weather.gov/"

COVERED = """(parts) => [...document.querySelectorAll(parts)].filter((part) => {
    part.scrollIntoView({block: "center"});
    const box = part.getBoundingClientRect();
    const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return !part.contains(top);
}).map((part) => part.outerHTML)"""
"""Return the elements that lie below others when one looks at them."""


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


@pytest.mark.parametrize("keys", [("Alt", "Shift"), ("Control", "Shift"), ("Meta", "Shift"), ("Shift", "Alt")])
def test_shift_with_another_modifier_does_not_leave_the_site(browser_visitor, keys):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    for _ in range(4):
        visitor.page.keyboard.press("+".join(keys))
    assert_still_there(visitor)


def test_shift_with_clicks_between_does_not_leave_the_site(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    for number in range(4):
        visitor.page.keyboard.press("Shift")
        visitor.page.locator("main input[type=radio]").nth(number).click()
    for number in range(4):
        visitor.page.keyboard.down("Shift")
        visitor.page.locator("main input[type=radio]").nth(number).click()
        visitor.page.keyboard.up("Shift")
    assert_still_there(visitor)


def test_shift_in_a_text_field_does_not_leave_the_site(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/consultation")
    for field in ("#name", "#message"):
        visitor.page.locator(field).focus()
        for _ in range(4):
            visitor.page.keyboard.press("Shift")
    assert visitor.path == "/consultation" and visitor.page.locator("main").is_visible()


def test_shift_while_composing_does_not_leave_the_site(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    for _ in range(4):
        visitor.page.evaluate(
            """() => ["keydown", "keyup"].forEach((type) => document.body.dispatchEvent(
                new KeyboardEvent(type, {key: "Shift", isComposing: true, bubbles: true})))"""
        )
    assert_still_there(visitor)


def assert_still_there(visitor):
    """Fail if the page was left: the script submits a form, and three more presses of Shift still work."""
    assert visitor.path == "/check/sadness" and visitor.page.locator("main").is_visible()
    for _ in range(3):
        visitor.page.keyboard.press("Shift")
    visitor.page.wait_for_url(WEATHER)


def answered_and_waiting(visitor, minutes: str):
    """Answer a question, and let time pass until the page's clock says so; return the time-out band."""
    visitor.page.clock.install()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    visitor.page.clock.fast_forward(minutes)
    return visitor.page.locator("#app-more > div")


def test_time_out_band_appears_five_minutes_before_the_end(browser_visitor):
    visitor = browser_visitor()
    band = answered_and_waiting(visitor, "24:00")
    assert not band.is_visible()
    visitor.page.clock.fast_forward("01:30")
    assert band.is_visible()
    alert = band.get_by_role("alert")
    assert "about 5 minutes" in alert.inner_text()
    assert visitor.page.evaluate("document.activeElement === document.body"), "it takes no focus"
    first = band.get_by_role("button").first
    assert first.inner_text() == "30 minutes"
    assert visitor.page.locator(f"#{first.get_attribute('aria-describedby')}").inner_text() == alert.inner_text()
    free = ".app-pill, .app-leave button, .app-more button, main .nhsuk-radios__item, main button"
    assert visitor.page.evaluate(COVERED, free) == []


@pytest.mark.parametrize("dismiss", ["Escape", "Not now"])
def test_time_out_band_stays_away_once_dismissed(browser_visitor, dismiss):
    visitor = browser_visitor()
    band = answered_and_waiting(visitor, "25:30")
    assert band.is_visible()
    if dismiss == "Escape":
        visitor.page.keyboard.press("Escape")
    else:
        band.get_by_text(dismiss).click()
    assert not band.is_visible()
    visitor.page.clock.fast_forward("01:00")
    assert not band.is_visible()


@pytest.mark.parametrize(("choice", "quiet"), [("30 minutes", "24:00"), ("24 hours", "23:54:00")])
def test_time_out_band_keeps_the_answers_for_the_chosen_time(browser_visitor, choice, quiet):
    visitor = browser_visitor()
    band = answered_and_waiting(visitor, "25:30")
    before = visitor.context.cookies()
    with visitor.page.expect_response("**/more-time") as answered:
        band.get_by_role("button", name=choice).click()
    assert answered.value.status == 303
    band.wait_for(state="hidden")
    assert visitor.context.cookies() != before and visitor.path == "/check/sleep"
    visitor.page.clock.fast_forward(quiet)
    assert not band.is_visible()
    visitor.page.clock.fast_forward("02:00")
    assert band.is_visible()


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize(("width", "height"), [(360, 640), (360, 780), (1280, 780)])
def test_time_out_band_covers_no_answer_button_or_help(browser_visitor, lang, width, height):
    visitor = browser_visitor(viewport={"width": width, "height": height})
    visitor.open(f"/?lang={lang}")
    box = answered_and_waiting(visitor, "25:30").bounding_box()
    for part in visitor.page.locator("main .nhsuk-radios__item, main button, .app-pill, .app-leave button").all():
        other = part.bounding_box()
        assert other["y"] >= box["y"] + box["height"] or other["y"] + other["height"] <= box["y"]


@pytest.mark.parametrize("lang", ["en", "es"])
def test_time_out_band_is_readable_at_400_percent(browser_visitor, lang):
    visitor = browser_visitor(viewport={"width": 320, "height": 256})
    visitor.open(f"/?lang={lang}")
    band = answered_and_waiting(visitor, "25:30")
    assert band.is_visible() and visitor.page.evaluate(COVERED, ".app-more p, .app-more button") == []
    page_bar = visitor.page.locator(".app-bar").bounding_box()
    box = band.bounding_box()
    assert box["y"] + box["height"] <= page_bar["y"], "it stands in the page"


def test_page_shows_no_answer_after_the_device_slept(browser_visitor):
    """While a device sleeps, its timers stand still; the clock does not."""
    visitor = browser_visitor()
    visitor.page.clock.install()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    visitor.open("/check/sadness")
    visitor.page.clock.pause_at(visitor.page.evaluate("Date.now() / 1000 + 1"))
    visitor.page.clock.set_system_time(visitor.page.evaluate("Date.now() / 1000 + 31 * 60"))
    assert visitor.page.locator("main").is_visible()
    woken = "() => { document.dispatchEvent(new Event('visibilitychange')); return document.documentElement.hidden; }"
    with visitor.page.expect_navigation():
        hidden = visitor.page.evaluate(woken)
    assert hidden, "hidden at once, before the next page comes"


def test_page_reloads_without_query_when_the_draft_expires(browser_visitor):
    visitor = browser_visitor()
    visitor.page.clock.install()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    visitor.open("/check/sadness?from=review")
    with visitor.page.expect_navigation():
        visitor.page.clock.fast_forward("30:05")
    assert visitor.path == "/check/sadness" and "from=" not in visitor.page.url
