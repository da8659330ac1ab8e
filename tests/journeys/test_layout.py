"""What is seen, measured in a browser: large text, small screens, long names; targets, summary and print."""

from __future__ import annotations

import re

import pytest

from screening.clinic import DEMO
from tests.support.axe import assert_fits
from tests.support.live_server import LiveServer
from tests.support.remote_site import RemoteSite
from tests.support.visitor import SIGNS, Visitor

LONG_NAME = "Front Range Interventional Spine, Pain and Rehabilitation Physicians of Northern Exampletown"

LANGUAGES = ("en", "es")

PAGES = ("/", "/check/sadness", "/check/pain_average", "/check/review", "/summary", "/summary/doctor", "/help-now")

COVERED = """() => {
    const here = document.activeElement, box = here.getBoundingClientRect();
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
    if (right <= left || bottom <= top) return `${here.outerHTML.slice(0, 80)} is off the screen`;
    const points = [top + 2, (top + bottom) / 2, bottom - 2].map((y) => document.elementFromPoint((left + right) / 2, y));
    const seen = points.every((point) => point && (here.contains(point) || here.closest("p, div").contains(point)));
    return seen ? "" : `${here.outerHTML.slice(0, 80)} is covered`;
}"""
"""Return what is wrong with the focused element: off the screen, or below another one."""

SMALL_TARGETS = """() => {
    const targets = [...document.querySelectorAll("a[href], button, summary, label, select")];
    const text = (part) => part.innerText.replace(/[\\s·|,.;:]/g, "");
    const running = (target) => {
        const block = target.closest("p, li, dd, dt, td, th, figcaption") ?? target;
        if (target.tagName !== "A" || block === target) return false;
        const linked = [...block.querySelectorAll("a")].map(text).join("");
        return text(block).length > linked.length;
    };
    return targets.filter((target) => {
        const box = (target.tagName === "LABEL" ? target.parentElement : target).getBoundingClientRect();
        return box.width && !target.classList.contains("nhsuk-skip-link") && !running(target)
            && (box.height < 44 || box.width < 44);
    }).map((target) => `${target.innerText} ${JSON.stringify(target.getBoundingClientRect())}`);
}"""
"""Return the links, buttons and choices outside of running text that are lower or narrower than 44 px."""

OVERLAPS = """() => {
    const UNSEEN = ".nhsuk-skip-link, .nhsuk-radios, .nhsuk-checkboxes, .nhsuk-u-visually-hidden";
    const boxes = [...document.querySelectorAll("a[href], button, summary, h1, h2, h3, label, p, figure")]
        .filter((part) => part.getClientRects().length && !part.closest(UNSEEN))
        .map((part) => [part, part.getBoundingClientRect()]);
    const found = [];
    for (const [one, a] of boxes) for (const [two, b] of boxes) {
        if (one === two || one.contains(two) || two.contains(one)) continue;
        const inline = [one, two].some((part) => getComputedStyle(part).display === "inline");
        if (inline) continue;
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1 && high > 1) found.push(`${one.innerText.slice(0, 30)} | ${two.innerText.slice(0, 30)}`);
    }
    return found;
}"""
"""Return the pairs of texts, links and buttons that lie over each other."""


@pytest.fixture(scope="module")
def long_name_site(tmp_path_factory):
    """A server of a clinic with a long name."""
    folder = tmp_path_factory.mktemp("long-name")
    clinic = folder / "clinic.toml"
    clinic.write_text(
        DEMO.read_text(encoding="utf-8").replace("Demo Spine and Pain Clinic", LONG_NAME), encoding="utf-8"
    )
    with LiveServer(folder, SCREENING_CLINIC_FILE=str(clinic)) as running:
        yield running


def finished_walker(port: int, lang: str = "en", stress=("work",), age: str = "", **answers: str) -> Visitor:
    """A visitor without a browser who has finished the walk."""
    walker = Visitor(RemoteSite.at(port))
    walker.get(f"/?lang={lang}")
    walker.walk(stress=stress, **answers)
    if age:
        walker.agree(age)
    else:
        walker.disagree()
    return walker


def tab_through(page, limit: int = 120) -> list[str]:
    """Press Tab until the focus has been everywhere; return what is wrong with each focused element."""
    problems = []
    page.evaluate("scrollTo(0, 0)")
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            return problems
        problem = page.evaluate(COVERED)
        if problem:
            problems.append(problem)
    pytest.fail("Tab never comes to the end of the page")


def enlarge(page, percent: int) -> None:
    page.evaluate("size => { document.documentElement.style.fontSize = size; }", f"{percent}%")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_skip_link_is_visible_when_it_has_the_focus(browser_visitor, lang, width):
    page = browser_visitor(viewport={"width": width, "height": 780}).open(f"/?lang={lang}")
    page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("href") == "#maincontent"
    assert page.evaluate(COVERED) == ""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_focus_is_never_covered_with_large_text_and_names(browser_visitor, long_name_site, lang):
    visitor = browser_visitor(long_name_site.address)
    visitor.resume(finished_walker(long_name_site.port, lang, hopelessness="1", pain="2"))
    for address in PAGES:
        for size in (100, 200):
            page = visitor.open(address)
            enlarge(page, size)
            assert_fits(page, address)
            assert page.evaluate(OVERLAPS) == [], (address, size)
            assert tab_through(page) == [], (address, size)
    assert visitor.path == PAGES[-1]


def test_focus_is_never_covered_by_the_time_out_band(browser_visitor):
    visitor = browser_visitor()
    visitor.page.clock.install()
    visitor.open("/check/sadness")
    visitor.choose("sadness", "2")
    visitor.page.clock.fast_forward("26:00")
    assert visitor.page.locator("#app-more > div").is_visible()
    visitor.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    for _ in range(30):
        visitor.page.keyboard.press("Shift+Tab")
        assert visitor.page.evaluate(COVERED) == "" or visitor.page.evaluate("document.activeElement === document.body")


def test_covering_element_is_reported(browser_visitor):
    """The control: a head that covers what has the focus is reported."""
    page = browser_visitor().open("/about")
    page.evaluate("document.querySelector('.app-masthead').style.cssText = 'position: fixed; height: 95%; width: 100%'")
    assert tab_through(page) != []


@pytest.mark.parametrize(
    ("height", "size", "position"), [(780, 100, "sticky"), (780, 200, "relative"), (256, 100, "relative")]
)
def test_head_sticks_only_where_it_takes_a_fifth_or_less(browser_visitor, long_name_site, height, size, position):
    page = browser_visitor(long_name_site.address, viewport={"width": 360, "height": height}).open("/about")
    enlarge(page, size)
    head = page.locator(".app-masthead")
    page.wait_for_function(
        "p => getComputedStyle(document.querySelector('.app-masthead')).position === p", arg=position
    )
    low = head.evaluate("head => head.offsetHeight <= innerHeight / 5")
    assert low or position == "relative"


def test_head_without_script_heeds_the_size_of_the_text(browser_visitor):
    visitor = browser_visitor(java_script_enabled=False)
    devtools = visitor.context.new_cdp_session(visitor.page)
    position = "getComputedStyle(document.querySelector('.app-masthead')).position"
    visitor.open("/about")
    assert visitor.page.evaluate(position) == "sticky"
    devtools.send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    visitor.open("/about")
    assert visitor.page.evaluate(position) == "relative"
    assert_fits(visitor.page, "/about")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_targets_outside_of_text_are_44_pixels(browser_visitor, live_server, lang, width):
    visitor = browser_visitor(viewport={"width": width, "height": 780})
    visitor.resume(finished_walker(live_server.port, lang, hopelessness="3", pain="2"))
    for address in (*PAGES, "/about", "/privacy", "/accessibility", "/nowhere"):
        page = visitor.open(address)
        assert page.evaluate(SMALL_TARGETS) == [], address
        assert page.locator("a, button").count() > 5
    page.locator(".app-bar__lang").evaluate("link => { link.style.minHeight = 0; }")
    assert page.evaluate(SMALL_TARGETS) != [], "the control: a low link is reported"


@pytest.mark.parametrize("width", [641, 700, 768, 1280])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_summary_facts_stand_beside_a_chart_that_fills_its_card(browser_visitor, live_server, lang, width):
    visitor = browser_visitor(viewport={"width": width, "height": 900})
    visitor.resume(finished_walker(live_server.port, lang, sadness="2", pain="3", sleep="declined"))
    page = visitor.open("/summary")
    facts, card, chart = (
        page.locator(part).bounding_box() for part in (".app-told__facts", ".app-told .app-figure", ".app-freq")
    )
    assert facts["x"] + facts["width"] < card["x"] and abs(facts["y"] - card["y"]) < 10
    assert card["width"] - chart["width"] <= 52, "the card is as wide as what it holds"
    assert chart["width"] >= 300 and facts["width"] >= 200


ALL_STRESS = ("work", "money", "family", "health", "sleep", "expectations", "running_late")
EXTREMES = {
    "every sign": {"stress": ALL_STRESS, "age": "under_18"} | dict.fromkeys(SIGNS, "3"),
    "most declined": {"stress": ALL_STRESS, "age": "under_18", "sadness": "1", "pain": "3"}
    | dict.fromkeys(("sleep", "hopelessness", "interest", "appetite", "motivation"), "declined"),
    "nothing": {"stress": ("none",)},
}


def printed_pages(page) -> int:
    paper = page.pdf(format="Letter", prefer_css_page_size=True)
    return len(re.findall(rb"/Type\s*/Page[^s]", paper))


@pytest.mark.parametrize("case", EXTREMES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_summary_prints_on_two_pages_without_splitting_sections(browser_visitor, long_name_site, lang, case):
    visitor = browser_visitor(long_name_site.address, viewport={"width": 700, "height": 960})
    visitor.resume(finished_walker(long_name_site.port, lang, **EXTREMES[case]))
    page = visitor.open("/summary")
    assert printed_pages(page) == 2
    page.emulate_media(media="print")
    sections = page.locator(".app-section, .app-care, .app-offer, .app-footer").all()
    assert len(sections) >= 6
    for section in sections:
        assert section.evaluate("part => getComputedStyle(part).breakInside") == "avoid"
        assert section.bounding_box()["height"] < 900, "it fits on one page"


@pytest.mark.parametrize("case", EXTREMES)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_doctors_page_prints_on_one_page_with_help_and_room(browser_visitor, long_name_site, lang, case):
    visitor = browser_visitor(long_name_site.address, viewport={"width": 700, "height": 960})
    visitor.resume(finished_walker(long_name_site.port, lang, **EXTREMES[case]))
    visitor.open("/summary")
    visitor.follow("main a[href='/summary/doctor']")
    assert visitor.page.locator("[data-print]").is_visible()
    assert printed_pages(visitor.page) == 1
    visitor.page.emulate_media(media="print")
    for printed in (".app-strip", ".app-footer__help", ".app-freq", ".app-rules >> nth=0", ".app-blank"):
        assert visitor.page.locator(printed).is_visible(), printed
    assert not visitor.page.locator("[data-print]").is_visible()
    assert visitor.page.locator(".app-rules i").count() >= 10


@pytest.mark.parametrize("lang", LANGUAGES)
def test_pain_scale_ends_are_seen_and_heard(browser_visitor, live_server, lang):
    visitor = browser_visitor()
    visitor.resume(finished_walker(live_server.port, lang, pain="2"))
    page = visitor.open("/check/pain_average")
    ends = {"en": ("0, no pain", "10, worst pain"), "es": ("0, nada de dolor", "10, el peor dolor")}[lang]
    for end, code in zip(ends, ("0", "10"), strict=True):
        heard = page.get_by_role("radio", name=end, exact=True)
        assert heard.get_attribute("value") == code
        seen = page.locator(".app-scale__end", has_text=end).bounding_box()
        number = heard.bounding_box()
        assert (
            seen is not None
            and min(abs(seen["y"] + seen["height"] - number["y"]), abs(number["y"] + number["height"] - seen["y"])) < 12
        )
    assert page.get_by_role("radio", name="5", exact=True).count() == 1
