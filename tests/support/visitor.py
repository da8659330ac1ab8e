"""A visitor without a browser: follows links, submits forms, and checks every page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag
from flask import Flask
from werkzeug.test import TestResponse

SIGNS = ("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain")

REVEALING = re.compile(
    r"\bsad|anxi|hopeless|depress|mood|suicid|lifeline|tristeza|ansiedad|esperanza|depresi|ánimo|\b988\b", re.IGNORECASE
)
"""Words that no title may contain, because titles show in tabs and in the history."""


class Page:
    """One response of the site."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self.status = response.status_code
        self.address = response.request.path
        self.text = response.get_data(as_text=True)

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The page parsed as a tree, on first use: parsing takes longer than the site's response."""
        return BeautifulSoup(self.text, "html.parser")

    @property
    def title(self) -> str:
        return self.soup.title.get_text() if self.soup.title else ""

    @property
    def main(self) -> Tag:
        main = self.soup.find("main")
        assert isinstance(main, Tag)
        return main

    @property
    def words(self) -> str:
        """The text of main, with single spaces and none before a full stop or comma."""
        return re.sub(r" ([.,:;])(?= |$)", r"\1", " ".join(self.main.get_text(" ").split()))

    @property
    def heading(self) -> str:
        return " ".join(self.main.find("h1").get_text(" ").split())  # type: ignore[union-attr]

    @property
    def leads_to(self) -> str:
        """The target of a redirect, without the query."""
        return urlsplit(self.response.headers["Location"]).path

    @property
    def token(self) -> str:
        field = self.soup.find("input", attrs={"name": "csrf_token"})
        return str(field["value"]) if isinstance(field, Tag) else ""

    def form(self, action: str) -> Tag:
        """Return the form that posts to an address, ignoring its query."""
        forms = [form for form in self.soup.find_all("form") if urlsplit(str(form.get("action"))).path == action]
        assert len(forms) == 1, f"{len(forms)} forms go to {action}"
        return forms[0]

    def typed(self, action: str) -> dict[str, list[str]]:
        """Return what a browser would send of an unchanged form: hidden, typed, checked and selected values."""
        typed: dict[str, list[str]] = {}
        for field in self.form(action).find_all(["input", "textarea", "select"]):
            if field.name == "select":
                value = next((str(o["value"]) for o in field.find_all("option", selected=True)), None)
                value = str(field.find("option")["value"]) if value is None else value
            elif field.name == "textarea":
                value = field.get_text().removeprefix("\n")
            elif field.get("type") in ("radio", "checkbox") and not field.has_attr("checked"):
                continue
            else:
                value = str(field.get("value", ""))
            typed.setdefault(str(field["name"]), []).append(value)
        return typed

    def chosen(self) -> list[str]:
        """Return the values of the checked choices."""
        return [str(field["value"]) for field in self.soup.find_all("input", checked=True)]


class Visitor:
    """Uses the site as a browser does: stores cookies, sends hidden fields, follows redirects."""

    def __init__(self, site: Flask, https: bool = False) -> None:
        self.site = site
        self.client = site.test_client()
        self.base = "https://localhost" if https else "http://localhost"

    def get(self, address: str, follow: bool = True, **options: Any) -> Page:
        response = self.client.get(address, base_url=self.base, follow_redirects=follow, **options)
        return self._checked(Page(response))

    def send(self, page: Page, action: str, follow: bool = True, **fields: Any) -> Page:
        """Submit a page's form, with its hidden fields and these."""
        form = page.form(action)
        hidden = {str(field["name"]): str(field["value"]) for field in form.find_all("input", type="hidden")}
        return self.post(str(form["action"]), {**hidden, **fields}, follow=follow, referer=page.address)

    def post(
        self, address: str, fields: Mapping[str, Any], follow: bool = True, referer: str = "/", **options: Any
    ) -> Page:
        headers = {"Referer": self.base + referer, "Origin": self.base}
        response = self.client.post(
            address, data=fields, base_url=self.base, headers=headers, follow_redirects=follow, **options
        )
        first = response.history[0] if response.history else response
        assert self.answered_by_redirect(first), (
            f"{address}: a form is answered without a redirect, so Back cannot reload the page"
        )
        return self._checked(Page(response))

    def answered_by_redirect(self, response: TestResponse) -> bool:
        """Return whether a form was answered by a redirect, or may be answered directly."""
        without_cookie = "Cookie" not in response.request.headers
        direct = response.status_code in (403, 404, 405, 413, 429) or response.status_code >= 500
        return response.status_code == 303 or direct or "after_help" in response.text or without_cookie

    def fill(self, page: Page, action: str, follow: bool = True, **fields: Any) -> Page:
        """Change these fields of a page's form, leave the others unchanged, and submit it."""
        return self.post(
            str(page.form(action)["action"]), {**page.typed(action), **fields}, follow=follow, referer=page.address
        )

    def answer(self, question: str, value: Any, follow: bool = True) -> Page:
        """Open a question, choose, and press Continue; continue past the help page if it is shown."""
        page = self.send(self.get(f"/check/{question}"), f"/check/{question}", follow=False, **{question: value})
        if page.status == 200 and "after_help" in page.text:
            page = self.send(page, f"/check/{question}", follow=False)
        return self.get(page.response.headers["Location"]) if follow and page.status == 303 else page

    def walk(self, stress: Any = ("work",), **answers: Any) -> Page:
        """Answer everything up to the review; unnamed questions get "not at all"."""
        page = self.get("/")
        for sign in SIGNS:
            page = self.answer(sign, answers.get(sign, "0"))
        if page.address == "/check/pain_duration":
            self.answer("pain_duration", answers.get("pain_duration", "over_a_year"))
            self.answer("pain_average", answers.get("pain_average", "6"))
        return self.answer("stress", list(stress))

    def agree(self, age: str = "45_to_54") -> Page:
        """Agree to storing the response on the review page, and choose an age; return the summary."""
        page = self.send(self.get("/check/review"), "/check/review", consent="yes")
        return self.send(page, "/check/age", age=age) if page.address == "/check/age" else page

    def disagree(self) -> Page:
        """Decline storing the response on the review page; return the summary."""
        return self.send(self.get("/check/review"), "/check/review", consent="no")

    def _checked(self, page: Page) -> Page:
        if page.response.mimetype == "text/html" and not 300 <= page.status < 400:
            staff = page.address.startswith("/staff")
            content = staff, _TOKEN.sub("", page.text)
            if content not in _CHECKED:
                check_page(page, staff)
                _CHECKED.add(content)
        return page


_TOKEN = re.compile(r'(?<=name="csrf_token" value=")[^"]*')
_CHECKED: set[tuple[bool, str]] = set()
"""Pages that passed the checks, without their tokens: most tests show the same pages, and checking is slow."""


def check_page(page: Page, staff: bool = False) -> None:
    """Check the invariants of every page; fail with the one that is violated."""
    soup = page.soup
    assert soup.html is not None
    assert soup.html.get("lang") in ("en", "es")
    assert len(soup.find_all("h1")) == 1, "one h1"
    assert len(soup.find_all("main")) == 1, "one main"
    assert "m.." not in soup.get_text(), "a sentence that ends in “p. m.” has one period"
    assert soup.title is not None and not REVEALING.search(page.title), f"title reveals an answer: {page.title}"
    ids = [str(tag["id"]) for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids)), f"duplicate ids: {sorted(i for i in ids if ids.count(i) > 1)}"
    for attribute in ("aria-describedby", "aria-labelledby"):
        for tag in soup.find_all(attrs={attribute: True}):
            assert set(str(tag[attribute]).split()) <= set(ids), f"{attribute} has no target: {tag[attribute]}"
    _check_fields(soup, ids)
    _check_nothing_inline(soup)
    for link in soup.find_all("a", href=re.compile("^#")):
        assert str(link["href"])[1:] in ids, f"link without target: {link['href']}"
    if not staff:
        _check_crisis_strip(soup)
        assert soup.find("form", action="/leave"), "no leave button"


def _check_fields(soup: BeautifulSoup, ids: list[str]) -> None:
    for field in soup.find_all(["input", "select", "textarea"]):
        if field.get("type") != "hidden":
            assert soup.find("label", attrs={"for": field["id"]}), f"no label: {field['id']}"
    for error in soup.find_all(class_="nhsuk-error-message"):
        described = soup.find(attrs={"aria-describedby": re.compile(rf"(^| ){error['id']}( |$)")})
        assert described is not None, "no field refers to the error"
        assert soup.title is not None and soup.title.get_text().startswith("Error: ")
        summary = soup.find(class_="nhsuk-error-summary")
        main = soup.find("main")
        assert isinstance(main, Tag)
        blocks = [
            child for child in main.children if isinstance(child, Tag) and "app-care" not in child.get("class", [])
        ]
        assert blocks[0] is summary, "the error summary comes first"


def _check_nothing_inline(soup: BeautifulSoup) -> None:
    assert not soup.find("style") and not soup.find(attrs={"style": True}), "no inline style"
    for tag in soup.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on")], "no inline handlers"
    for script in soup.find_all("script"):
        assert script.get("src") and not script.get_text(), "no inline script"
    for tag in soup.find_all(src=True) + soup.find_all("link", href=True):
        address = str(tag.get("src") or tag.get("href"))
        assert address.startswith("/") and not address.startswith("//"), f"from another host: {address}"


def _check_crisis_strip(soup: BeautifulSoup) -> None:
    strip = soup.find("section", class_="app-strip")
    assert isinstance(strip, Tag), "the crisis strip"
    links = [str(link["href"]) for link in strip.find_all("a")]
    assert "/help-now" in links and "tel:988" in links
    assert any(link.startswith("sms:988") for link in links)
    assert "911" in soup.find("footer").get_text()  # type: ignore[union-attr]
