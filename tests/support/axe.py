"""Run axe-core on a page by the rules of WCAG 2.2 level AA, and check that the page fits the screen."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
COLOR_RULES = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""The rules whose result depends on the color scheme."""

RUN = "options => axe.run(document, {...options, resultTypes: ['violations']})"


def violations(page: Page, rules: dict[str, object] = RULES) -> list[tuple[str, list[str]]]:
    """Return each violated rule, with the beginning of each element that violates it."""
    page.evaluate("window.scrollTo(0, 0)")  # the masthead could cover the elements
    page.mouse.move(0, 0)  # the pointer could hover over the link it clicked last
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(RUN, rules)["violations"]
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found]


def assert_accessible(page: Page, name: str, *views: tuple[str, int]) -> None:
    """Fail on axe violations or horizontal overflow of the current page, in each view.

    A view is a color scheme and a width; the dark views test only the color rules.
    """
    for scheme, width in views:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        found = violations(page, COLOR_RULES if scheme == "dark" and len(views) > 1 else RULES)
        assert found == [], f"{name}, {scheme}, {width}: {found}"
        assert_fits(page, name)


def assert_fits(page: Page, name: str) -> None:
    """Fail if a page scrolls horizontally."""
    wide, view = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= view, f"{name} is {wide} wide on a screen of {view}"


def assert_reflows(page: Page, name: str) -> None:
    """Fail if a page overflows horizontally at 320 px (400 % zoom, WCAG 1.4.10) or with text at 200 % (1.4.4)."""
    for width, height, text in ((320, 256, "100%"), (360, 780, "200%")):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("size => { document.documentElement.style.fontSize = size; }", text)
        assert_fits(page, f"{name} with text at {text}")
    page.evaluate("document.documentElement.style.fontSize = ''")
