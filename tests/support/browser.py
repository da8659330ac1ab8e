"""A visitor in a real browser."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, Request

from tests.support.processes import TEST_TIMEOUT
from tests.support.sample_patient import PHONE
from tests.support.visitor import Visitor

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    *("--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]
MAX_ATTEMPTS = 60
NEUTRAL = "https://www.weather.gov/"
VIEW = {"viewport": {"width": 360, "height": 780}, "locale": "en-US", "ignore_https_errors": True}
"""Options of a browser context: a phone."""


class BrowserVisitor:
    """A visitor in a browser; records requests to any host but the site."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context = context
        context.set_default_timeout(TEST_TIMEOUT * 1000)
        self.address = address
        self.page: Page = context.new_page()
        self.asked: list[str] = []
        context.on("request", self._note)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.address).partition("?")[0]

    def choose(self, question: str, *values: str) -> None:
        """Select a choice by its visible row, and press Continue."""
        for value in values:
            self.page.locator(f'input[name="{question}"][value="{value}"]').check()
        self.press()

    def press(self) -> None:
        """Press the button that submits the current question or page."""
        self.follow("main form[method=post] >> nth=-1 >> button")

    def follow(self, selector: str) -> None:
        """Click an element that leads to another page, and wait until that page is loaded."""
        with self.page.expect_navigation():
            self.page.locator(selector).click()

    def walk(self, lang: str = "en", **answers: str) -> None:
        """Walk from the start page to the review."""
        self.open(f"/?lang={lang}")
        self.follow("main a.nhsuk-button")
        for sign in ("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain"):
            assert self.path == f"/check/{sign}"
            self.choose(sign, answers.get(sign, "0"))
            if sign == "hopelessness" and answers.get(sign) == "3":
                assert self.path == "/check/hopelessness"
                self.press()
        if answers.get("pain", "0") in ("1", "2", "3"):
            self.choose("pain_duration", "over_a_year")
            self.choose("pain_average", "6")
        self.choose("stress", "work", "money")
        assert self.path == "/check/review"

    def resume(self, walker: Visitor) -> None:
        """Continue the walk of a visitor without a browser: take over the cookies."""
        cookies = [walker.client.get_cookie(name) for name in ("draft", "lang")]
        self.context.add_cookies(
            [{"name": c.key, "value": c.value, "url": self.address} for c in cookies if c is not None]
        )

    def finish(self, agree: bool = True) -> None:
        """Continue from the review to the summary."""
        self.choose("consent", "yes" if agree else "no")
        if agree:
            self.choose("age", "45_to_54")
        assert self.path == "/summary"

    def request_call(self, **fields: str) -> str:
        """Fill in and send the consultation form; return the reference."""
        page = self.open("/consultation")
        self.unfold()
        for name, value in {"name": "Demo Reader", "phone": PHONE, **fields}.items():
            page.locator(f"#{name}").fill(value)
        page.locator("input[name=patient]").first.check()
        page.locator("#minor").uncheck()
        self.follow("#ask > button.nhsuk-button")
        for _ in range(MAX_ATTEMPTS):  # a form that is sent within 3 seconds is shown again
            if self.path == "/consultation/sent" and page.locator(".app-ref").count():
                break
            page.wait_for_timeout(500)  # wait until the minimum time on the form has passed
            self.follow(".app-panel--consent button")
        else:
            raise AssertionError(page.locator("main").inner_text())
        return page.locator(".app-ref dd").inner_text()

    def unfold(self) -> None:
        """Open every folded part of the page."""
        folded = self.page.locator("main details:not([open]) > summary")
        while folded.count():
            folded.first.click()

    def _note(self, request: Request) -> None:
        self.asked.append(request.url)

    def leave(self) -> None:
        """Press "Leave this page", and wait for the neutral site."""
        self.follow(".app-leave button")
        assert self.page.url == NEUTRAL and self.page.title() == "Weather"

    def elsewhere(self) -> list[str]:
        """Return the URLs that were requested from other hosts."""
        return [url for url in self.asked if not url.startswith(self.address) and not url.startswith(NEUTRAL)]
