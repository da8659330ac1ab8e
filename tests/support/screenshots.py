"""Take the README's screenshots: ``make screenshots``."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from screening.config import ROOT
from tests.support.browser import ARGUMENTS, CHROMIUM, BrowserVisitor
from tests.support.live_server import LiveServer

PICTURES = ROOT / "docs" / "screenshots"
PHONE = {"width": 360, "height": 780}
DESK = {"width": 1280, "height": 900}


def main() -> None:
    """Walk the site on a phone in light and dark mode, and on a desktop."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, LiveServer(Path(folder)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name, size, scheme in (("phone", PHONE, "light"), ("night", PHONE, "dark"), ("desk", DESK, "light")):
            visitor = BrowserVisitor(browser.new_context(viewport=size, color_scheme=scheme), server.address)
            visitor.open("/?lang=en").screenshot(path=PICTURES / f"start-{name}.png")
            visitor.open("/check/sadness")
            visitor.choose("sadness", "2")
            visitor.page.locator("input[value='2']").check()
            visitor.page.screenshot(path=PICTURES / f"question-{name}.png")
            visitor.walk(sadness="2", sleep="3", interest="1", appetite="declined", pain="3")
            visitor.finish(agree=False)
            visitor.page.screenshot(path=PICTURES / f"summary-{name}.png", full_page=name == "desk")
            visitor.open("/help-now").screenshot(path=PICTURES / f"help-{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
