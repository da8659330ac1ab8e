"""The walk in a real browser: with and without scripts, in both languages, by keyboard alone."""

from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_walk_completes_with_and_without_scripts(browser_visitor, lang, scripts):
    visitor = browser_visitor(java_script_enabled=scripts)
    visitor.walk(lang, sadness="2", hopelessness="3", pain="3", appetite="declined")
    visitor.finish()
    words = visitor.page.locator("main").inner_text()
    assert ("3 of 7" if lang == "en" else "3 de 7") in words
    assert visitor.page.locator("html").get_attribute("lang") == lang
    assert visitor.page.locator(".app-care").count() == 1
    visitor.follow('form[action="/start-again"] button')
    assert visitor.path == "/"
    visitor.open("/summary")
    assert visitor.path == "/check/sadness"


def test_walk_completes_by_keyboard_alone(browser_visitor):
    visitor = browser_visitor()
    page = visitor.open("/?lang=en")

    def tab_to(selector: str, limit: int = 40) -> None:
        for _ in range(limit):
            page.keyboard.press("Tab")
            if page.locator(":focus").count() and page.locator(":focus").evaluate("(e, s) => e.matches(s)", selector):
                seen = page.locator(":focus").bounding_box()
                assert seen is not None and 0 <= seen["y"] < 780, "the focus is visible"
                return
        pytest.fail(f"Tab never reaches {selector}")

    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to main content"
    page.keyboard.press("Enter")
    tab_to("main a.nhsuk-button")
    page.keyboard.press("Enter")
    for sign in ("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain"):
        page.wait_for_url(f"**/check/{sign}")
        tab_to(f"input[name={sign}]")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Space")
        tab_to("main button")
        page.keyboard.press("Enter")
    page.wait_for_url("**/check/stress")
    tab_to("input[value=money]")
    page.keyboard.press("Space")
    tab_to("main button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/check/review")
    tab_to("input[name=consent]")
    page.keyboard.press("ArrowDown")
    tab_to("main button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/summary")
    assert "0 of 7" in page.locator("main").inner_text()


def test_form_error_moves_focus_to_the_error_summary(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    visitor.press()
    assert visitor.page.title().startswith("Error: ")
    assert visitor.page.locator(".nhsuk-error-summary").evaluate("e => e === document.activeElement")
    visitor.page.locator(".nhsuk-error-summary a").click()
    assert visitor.page.locator(":focus").get_attribute("id") == "sadness"


def test_none_of_these_unticks_the_other_choices(browser_visitor):
    visitor = browser_visitor()
    visitor.walk()
    page = visitor.open("/check/stress")
    assert page.locator("input:checked").count() == 2
    page.locator("input[value=none]").check()
    assert [box.get_attribute("value") for box in page.locator("input:checked").all()] == ["none"]
    page.locator("input[value=family]").check()
    assert [box.get_attribute("value") for box in page.locator("input:checked").all()] == ["family"]


def test_browser_back_button_shows_the_stored_answer(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    visitor.choose("sleep", "1")
    visitor.page.go_back()
    assert visitor.path == "/check/sleep" and visitor.page.locator("input:checked").get_attribute("value") == "1"


def test_answers_from_two_tabs_are_both_stored(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    other = visitor.context.new_page()
    other.goto(visitor.address + "/check/sadness")
    other.locator("input[value='3']").check()
    visitor.choose("sleep", "1")
    other.locator("main form button").click()
    visitor.open("/check/hopelessness")
    assert visitor.path == "/check/hopelessness"
    assert visitor.open("/check/sadness").locator("input:checked").get_attribute("value") == "3"
    assert visitor.open("/check/sleep").locator("input:checked").get_attribute("value") == "1"


def test_printed_summary_fits_two_pages_with_help_and_date(browser_visitor):
    visitor = browser_visitor(viewport={"width": 1280, "height": 900})
    visitor.walk(sadness="2", hopelessness="3", pain="3")
    visitor.finish()
    page = visitor.page
    assert page.locator("[data-print]").is_visible()
    page.emulate_media(media="print")
    for hidden in (".app-leave", ".app-bar", ".app-finish", ".app-footer__nav"):
        assert not page.locator(hidden).is_visible(), hidden
    for visible in (".app-strip", ".app-freq", ".app-printfoot", ".app-footer__help"):
        assert page.locator(visible).is_visible(), visible
    assert re.search(r"\w+ \d+, 20\d\d", page.locator(".app-printfoot").inner_text())
    paper = page.pdf(format="Letter", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page[^s]", paper)) <= 2
