"""axe-core on a page, by the rules of WCAG 2.2 at level AA."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds: a rule, and the beginning of each element that breaks it."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [(rule["id"], [node["html"][:120] for node in rule["nodes"]]) for rule in found]


def assert_accessible(page: Page, name: str) -> None:
    """Fail with what axe finds on the page that is shown."""
    found = violations(page)
    assert found == [], f"{name}: {found}"
