"""Every page and every error state, by axe and by measurement: contrast, names, target sizes; reflow and zoom."""

from __future__ import annotations

import pytest

from tests.support.axe import assert_accessible, assert_reflows, violations
from tests.support.clock import process_time
from tests.support.live_server import LiveServer
from tests.support.staff_client import totp


def visitor_pages(visitor, lang: str):
    """Walk through all pages and states; yield a name while each is shown."""
    for address in ("/", "/help-now", "/worried", "/about", "/privacy", "/accessibility", "/nowhere"):
        visitor.open(f"{address}?lang={lang}")
        yield address
    visitor.open("/summary")
    yield "notice"
    visitor.open("/check/sadness")
    visitor.press()
    yield "mistake"
    for sign in ("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain"):
        visitor.open(f"/check/{sign}")
        visitor.page.locator("main input").nth(3).check()
        yield sign
        visitor.press()
        if sign == "hopelessness":
            yield "help"
            visitor.press()
    for question in ("pain_duration", "pain_average"):
        visitor.page.locator("main input").nth(2).check()
        yield question
        visitor.press()
    visitor.press()
    yield "stress, mistake"
    visitor.choose("stress", "work", "expectations")
    yield "review"
    visitor.press()
    yield "review, mistake"
    visitor.choose("consent", "yes")
    yield "age"
    visitor.choose("age", "declined")
    visitor.page.locator("details summary").click()
    yield "summary"
    page = visitor.open("/consultation")
    yield "consultation, folded"
    visitor.unfold()
    page.locator("#phone").fill("3035550144")
    page.locator("#email").fill("demo@example.org")
    yield "consultation"
    page.locator("#minor").check()
    yield "consultation, under 18"
    visitor.follow("#ask > button.nhsuk-button")
    yield "consultation, mistakes"
    visitor.request_call(email="")
    yield "sent"
    page = visitor.open("/consultation/status")
    page.locator("details summary").click()
    yield "status"
    visitor.follow("form[action='/consultation/status/forget'] button")
    yield "reference"
    visitor.press()
    yield "reference, mistake"


@pytest.mark.parametrize("lang", ["en", "es"])
def test_visitor_pages_pass_axe_and_reflow(browser_visitor, lang):
    visitor = browser_visitor()
    views = {"en": (("light", 360), ("dark", 360), ("light", 1280)), "es": (("light", 360),)}[lang]
    seen = 0
    for name in visitor_pages(visitor, lang):
        assert_reflows(visitor.page, name)
        assert_accessible(visitor.page, name, *reversed(views))
        seen += 1
    assert seen >= 28


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The address of the demo's server, and the credentials of its accounts."""
    with LiveServer(tmp_path_factory.mktemp("demo")) as running:
        logins = [line.split("\t") for line in running.flask("demo").splitlines()]
        yield running.address, {email.partition("@")[0]: (email, *rest) for email, *rest in logins}


@pytest.fixture(scope="module")
def release_manager(browser, demo):
    """The storage state of a browser signed in as release manager; shared, since a code works once."""
    return sign_in(browser, demo, "numbers", "**/staff/releases")


@pytest.fixture(scope="module")
def callback_staff(browser, demo):
    """The storage state of a browser signed in as call-back staff."""
    return sign_in(browser, demo, "desk", "**/staff/callbacks/today")


def sign_in(browser, demo, name, landing_page):
    address, logins = demo
    email, password, secret = logins[name]
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{address}/staff/sign-in")
    page.fill("#email", email)
    page.fill("#password", password)
    page.locator("main button").first.click()
    page.fill("#code", totp(secret.replace(" ", ""), process_time()))
    with page.expect_navigation(url=landing_page):
        page.locator("main button").first.click()
    state = context.storage_state()
    context.close()
    return address, state


SIDEWAYS = """[...document.querySelectorAll("main table")].map((table) => table.parentElement)
    .filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.className)"""
"""Script: the boxes of the tables that scroll sideways."""


def release_pages(visitor, lang: str):
    """Walk through the release pages; creates no release."""
    visitor.open(f"/staff/releases?lang={lang}")
    yield "releases"
    visitor.follow("main form[method=post] button")
    yield "releases, mistake"
    visitor.open("/staff/releases/1")
    yield "release"
    visitor.follow("form[action$=check] button")
    yield "release, checked"
    visitor.open("/staff/trends")
    yield "trends"


@pytest.mark.parametrize(("view", "lang"), [(("light", 360), "en"), (("dark", 1280), "es")])
def test_release_pages_have_no_axe_violations_or_overflow(browser_visitor, release_manager, view, lang):
    address, state = release_manager
    visitor = browser_visitor(address, storage_state=state)
    for name in release_pages(visitor, lang):
        assert_accessible(visitor.page, name, view)
        assert visitor.page.evaluate(SIDEWAYS) == [], name


@pytest.fixture(scope="module")
def admin(browser, demo):
    return sign_in(browser, demo, "admin", "**/staff/callbacks/today")


@pytest.mark.parametrize(("view", "lang"), [(("light", 360), "en"), (("dark", 1280), "es")])
def test_status_and_account_pages_have_no_axe_violations(browser_visitor, admin, view, lang):
    address, state = admin
    visitor = browser_visitor(address, storage_state=state)
    for path, part in (
        ("/staff/system", "table"),
        ("/staff/you", "h1"),
        ("/staff/clinic", "#crisis"),
        ("/staff/figures", "#ended"),
        ("/staff/audit", "table"),
    ):
        visitor.open(f"{path}?lang={lang}")
        assert visitor.page.locator(part).count() == 1
        assert_accessible(visitor.page, path, view)


def callback_pages(visitor, lang: str):
    """Walk through the call-back pages, and record a call."""
    visitor.open(f"/staff/callbacks/today?lang={lang}")
    yield "today"
    visitor.follow("form.app-next button")
    yield "request"
    visitor.open("/staff/callbacks")
    yield "queue"
    visitor.follow(".app-worklist__name a >> nth=0")
    visitor.follow("main button[value=no_answer]")
    assert visitor.page.evaluate("document.activeElement.id") == "notice"
    yield "called"
    visitor.open("/staff/callbacks/print")
    yield "call list"


@pytest.mark.parametrize(("view", "lang"), [(("light", 360), "en"), (("dark", 1280), "es")])
def test_callback_pages_have_no_axe_violations_or_overflow(browser_visitor, callback_staff, view, lang):
    address, state = callback_staff
    visitor = browser_visitor(address, storage_state=state)
    for name in callback_pages(visitor, lang):
        assert_accessible(visitor.page, name, view)


def box(page, selector):
    found = page.locator(selector).bounding_box()
    assert found is not None, f"{selector} is not shown"
    return found


@pytest.mark.parametrize("width", [360, 1280, 1920])
def test_head_of_the_desk_is_as_wide_as_its_pages(browser_visitor, callback_staff, width):
    address, state = callback_staff
    visitor = browser_visitor(address, storage_state=state, viewport={"width": width, "height": 900})
    for path in ("today", "", "print", "../figures", "../clinic"):
        page = visitor.open(f"/staff/callbacks/{path}".rstrip("/"))
        edges = [
            (found["x"], found["width"])
            for found in (box(page, part) for part in (".app-staffhead__row", ".app-staffbar__row", "main"))
        ]
        assert len(set(edges)) == 1 and edges[0][1] <= 1440, path


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("path", ["/staff/callbacks/today", "/staff/callbacks"])
def test_next_request_leads_the_desk_on_a_phone(browser_visitor, callback_staff, lang, path):
    address, state = callback_staff
    visitor = browser_visitor(address, storage_state=state)
    page = visitor.open(f"{path}?lang={lang}")
    following, main = box(page, ".app-next button"), box(page, "main")
    assert (following["x"], following["width"]) == (main["x"], main["width"])
    assert "app-next" in page.evaluate("document.querySelector('main a, main button').parentElement.className")
    others = [found["height"] for found in (link.bounding_box() for link in page.locator(".app-top a").all())]
    assert max(others) <= following["height"]


def test_thumb_bar_keeps_words_and_call_within_reach(browser_visitor, callback_staff):
    address, state = callback_staff
    visitor = browser_visitor(address, storage_state=state)
    page = visitor.open("/staff/callbacks")
    visitor.follow(".app-worklist__name a >> nth=1")
    page.locator("#who").scroll_into_view_if_needed()
    bar = box(page, ".app-thumb")
    assert bar["y"] + bar["height"] == page.viewport_size["height"]
    assert page.locator(".app-thumb b").inner_text() == page.locator(".app-who__say b").inner_text()
    for link in page.locator(".app-thumb a").all():
        assert link.bounding_box()["height"] >= 48
    page.locator(".app-thumb a[href='#rec']").click()
    assert page.locator("#rec").bounding_box()["y"] < bar["y"]
    page.set_viewport_size({"width": 1280, "height": 900})
    assert not page.locator(".app-thumb").is_visible()
    page.emulate_media(media="print")
    assert not page.locator(".app-who__say").is_visible(), "the words are never on paper"


@pytest.mark.parametrize("lang", ["en", "es"])
def test_twelve_whole_rows_of_the_queue_fit_a_desktop_screen(browser_visitor, callback_staff, lang):
    address, state = callback_staff
    visitor = browser_visitor(address, storage_state=state, viewport={"width": 1280, "height": 900})
    page = visitor.open(f"/staff/callbacks?lang={lang}")
    rows = [row.bounding_box() for row in page.locator(".app-worklist tbody tr").all()]
    assert len([row for row in rows if row["y"] + row["height"] <= 900]) >= 12
    assert {row["height"] for row in rows} == {48}


CUT_TAGS = """() => [...document.querySelectorAll("main .app-tag--stop, main .app-tag--help")].filter((tag) =>
    tag.getBoundingClientRect().right > tag.parentElement.getBoundingClientRect().right).map((tag) => tag.innerText)"""
"""Return the tags about voicemail and interpreters that their column does not show whole."""


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_voicemail_and_interpreter_tags_are_never_cut(browser_visitor, callback_staff, lang, width):
    address, state = callback_staff
    visitor = browser_visitor(address, storage_state=state, viewport={"width": width, "height": 900})
    for path in ("/staff/callbacks", "/staff/callbacks/today", "/staff/callbacks/print"):
        page = visitor.open(f"{path}?lang={lang}")
        assert page.locator(".app-tag--help").count() and page.locator(".app-tag--stop").count()
        assert page.evaluate(CUT_TAGS) == [], path


def test_axe_reports_a_removed_label(browser_visitor):
    """The control: a removed label is reported."""
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    visitor.page.evaluate("document.querySelector('main label').remove()")
    assert violations(visitor.page) != []


def test_touch_targets_have_the_minimum_height(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    for row in visitor.page.locator(".nhsuk-radios__item, main button").all():
        box = row.bounding_box()
        assert box is not None and box["height"] >= 54, row.inner_text()
    for too_small in visitor.page.locator(".app-pill, .app-leave button").all():
        box = too_small.bounding_box()
        assert box is not None and box["height"] >= 44


def test_continue_button_is_visible_on_a_phone_screen(browser_visitor):
    visitor = browser_visitor(viewport={"width": 360, "height": 800})
    visitor.open("/check/sadness")
    box = visitor.page.locator("main button").bounding_box()
    assert box is not None and box["y"] + box["height"] <= 800
