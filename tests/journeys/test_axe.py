"""Every page and every mistake, by axe and by ruler: contrast, names, sizes; reflow and zoom."""

from __future__ import annotations

import pytest

from tests.support.axe import assert_accessible, violations
from tests.support.clock import process_time
from tests.support.live_server import LiveServer
from tests.support.staff_client import totp


def every_page(visitor, lang: str):
    """Walks through all pages and states; gives a name for each while it is shown."""
    for address in ("/", "/help-now", "/about", "/privacy", "/accessibility", "/nowhere"):
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
    visitor.choose("copy", "yes")
    yield "age"
    visitor.choose("age", "declined")
    visitor.page.locator("details summary").click()
    yield "summary"
    page = visitor.open("/consultation")
    page.locator("details summary").click()
    page.locator("#minor").check()
    yield "consultation"
    visitor.follow("#ask > button.nhsuk-button")
    yield "consultation, mistakes"
    visitor.ask_for_a_call()
    yield "sent"
    page = visitor.open("/consultation/status")
    page.locator("details summary").click()
    yield "status"
    visitor.follow("form[action='/consultation/status/forget'] button")
    yield "reference"
    visitor.press()
    yield "reference, mistake"


@pytest.mark.parametrize(
    ("lang", "width", "scheme"),
    [("en", 360, "light"), ("en", 360, "dark"), ("en", 1280, "light"), ("es", 360, "light")],
)
def test_visitor_pages_have_no_axe_violations(browser_visitor, lang, width, scheme):
    visitor = browser_visitor(color_scheme=scheme, viewport={"width": width, "height": 800})
    seen = 0
    for name in every_page(visitor, lang):
        visitor.page.evaluate("window.scrollTo(0, 0)")  # else the masthead may lie over what is measured
        visitor.page.mouse.move(0, 0)  # else it may hover over a link where it last clicked
        assert_accessible(visitor.page, f"{name}")
        seen += 1
    assert seen >= 28


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's server, and what its accounts sign in with."""
    with LiveServer(tmp_path_factory.mktemp("demo")) as running:
        logins = [line.split("\t") for line in running.flask("demo").splitlines()]
        yield running.address, {email.partition("@")[0]: (email, *rest) for email, *rest in logins}


@pytest.fixture(scope="module")
def signed_in(browser, demo):
    """What a browser keeps of who looks after the numbers and has signed in: once, since a code works once."""
    return as_one_of_the_team(browser, demo, "numbers", "**/staff/releases")


@pytest.fixture(scope="module")
def at_the_desk(browser, demo):
    """The same of who calls back."""
    return as_one_of_the_team(browser, demo, "desk", "**/staff/callbacks/today")


def as_one_of_the_team(browser, demo, name, lands):
    address, logins = demo
    email, password, secret = logins[name]
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{address}/staff/sign-in")
    page.fill("#email", email)
    page.fill("#password", password)
    page.locator("main button").first.click()
    page.fill("#code", totp(secret.replace(" ", ""), process_time()))
    with page.expect_navigation(url=lands):
        page.locator("main button").first.click()
    state = context.storage_state()
    context.close()
    return address, state


def every_page_on_releases(visitor, lang: str):
    """Walks through the pages; makes no release."""
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


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_release_pages_have_no_axe_violations_or_overflow(browser_visitor, signed_in, width, scheme):
    address, state = signed_in
    lang = {360: "en", 1280: "es"}[width]
    visitor = browser_visitor(
        address, color_scheme=scheme, viewport={"width": width, "height": 800}, storage_state=state
    )
    for name in every_page_on_releases(visitor, lang):
        assert_accessible(visitor.page, f"{name}")
        wide = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide"


@pytest.fixture(scope="module")
def admin(browser, demo):
    return as_one_of_the_team(browser, demo, "admin", "**/staff/callbacks/today")


@pytest.mark.parametrize(("width", "scheme", "lang"), [(360, "light", "en"), (1280, "dark", "es")])
def test_status_and_account_pages_have_no_axe_violations(browser_visitor, admin, width, scheme, lang):
    address, state = admin
    visitor = browser_visitor(
        address, color_scheme=scheme, viewport={"width": width, "height": 800}, storage_state=state
    )
    for path in ("/staff/clinic", "/staff/you"):
        visitor.open(f"{path}?lang={lang}")
        assert visitor.page.locator("table" if path == "/staff/clinic" else "aside a").count() == 1
        assert_accessible(visitor.page, f"{path}")
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


def every_page_of_a_day(visitor, lang: str):
    """Walks through the pages of the front desk, and notes a call."""
    visitor.open(f"/staff/callbacks/today?lang={lang}")
    yield "today"
    visitor.follow("a[accesskey=n]")
    yield "request"
    visitor.open("/staff/callbacks?whose=me")
    visitor.follow(".app-queue__name a >> nth=0")
    visitor.follow("main button[name=outcome] >> nth=1")
    assert visitor.page.evaluate("document.activeElement.id") == "notice"
    yield "called"
    visitor.open("/staff/callbacks/print")
    yield "call list"


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1280, "dark")])
def test_callback_pages_have_no_axe_violations_or_overflow(browser_visitor, at_the_desk, width, scheme):
    address, state = at_the_desk
    lang = {360: "en", 1280: "es"}[width]
    visitor = browser_visitor(
        address, color_scheme=scheme, viewport={"width": width, "height": 800}, storage_state=state
    )
    for name in every_page_of_a_day(visitor, lang):
        assert_accessible(visitor.page, f"{name}")
        wide = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide"


def test_axe_reports_a_removed_label(browser_visitor):
    """The control: a label taken away is found."""
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    visitor.page.evaluate("document.querySelector('main label').remove()")
    assert violations(visitor.page) != []


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize(
    ("width", "height", "text"), [(320, 256, "100%"), (360, 780, "200%")], ids=["400 %", "text 200 %"]
)
def test_visitor_pages_do_not_overflow_when_enlarged(browser_visitor, lang, width, height, text):
    visitor = browser_visitor(viewport={"width": width, "height": height})
    for name in every_page(visitor, lang):
        visitor.page.evaluate("size => { document.documentElement.style.fontSize = size; }", text)
        wide = visitor.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide"


def test_touch_targets_have_the_minimum_height(browser_visitor):
    visitor = browser_visitor()
    visitor.open("/check/sadness")
    for row in visitor.page.locator(".nhsuk-radios__item, main button").all():
        box = row.bounding_box()
        assert box is not None and box["height"] >= 54, row.inner_text()
    for small in visitor.page.locator(".app-pill, .app-leave button").all():
        box = small.bounding_box()
        assert box is not None and box["height"] >= 44


def test_continue_button_is_visible_on_a_phone_screen(browser_visitor):
    visitor = browser_visitor(viewport={"width": 360, "height": 800})
    visitor.open("/check/sadness")
    box = visitor.page.locator("main button").bounding_box()
    assert box is not None and box["y"] + box["height"] <= 800
