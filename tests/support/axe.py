"""axe-core on a page by the rules of WCAG 2.2 at level AA, and whether the page fits its screen."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
COLOR_RULES = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""The only ones of these that a color scheme can break."""

RUN = "options => axe.run(document, {...options, resultTypes: ['violations']})"


def violations(page: Page, rules: dict[str, object] = RULES) -> list[tuple[str, list[str]]]:
    """What axe finds: a rule, and the beginning of each element that breaks it."""
    page.evaluate("window.scrollTo(0, 0)")  # else the masthead may lie over what is measured
    page.mouse.move(0, 0)  # else it may hover over a link where it last clicked
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(RUN, rules)["violations"]
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found]


def assert_accessible(page: Page, name: str, *views: tuple[str, int]) -> None:
    """Fail with what axe finds on the page that is shown, or when it runs off the side, in each view.

    A view is a color scheme and a width; in the dark only the rules about color are tried again.
    """
    for scheme, width in views:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 800})
        found = violations(page, COLOR_RULES if scheme == "dark" and len(views) > 1 else RULES)
        assert found == [], f"{name}, {scheme}, {width}: {found}"
        assert_fits(page, name)


def assert_fits(page: Page, name: str) -> None:
    """Fail when a page must be scrolled sideways."""
    wide, view = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= view, f"{name} is {wide} wide on a screen of {view}"


def assert_reflows(page: Page, name: str) -> None:
    """Fail when a page runs off the side at 320 px (400 % zoom, WCAG 1.4.10) or with text at 200 % (1.4.4)."""
    for width, height, text in ((320, 256, "100%"), (360, 780, "200%")):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("size => { document.documentElement.style.fontSize = size; }", text)
        assert_fits(page, f"{name} with text at {text}")
    page.evaluate("document.documentElement.style.fontSize = ''")
