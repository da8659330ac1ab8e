"""What a screen reader says on a page: @guidepup/virtual-screen-reader, run in Chromium, and its reviewed recordings.

It reads from the first phrase to the last, as a person who presses "next" would hear it. Written down are the
address, the title, the language and what has the focus when the page is open, and then one phrase a line, except:

* what stands between a phrase and its "end of" is indented below it, or follows a colon;
* the language of a phrase stands before it in brackets, where it differs from the text around it;
* phrases that no screen reader says are left out ("paragraph"), and those that none says twice: the text of a link or
  heading after its name, the label of a box or a circle behind it, and the parts of a picture.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from playwright.sync_api import BrowserContext, Request, Route

from screening.config import ROOT
from tests.support.visitor import Page

LIBRARY = Path(__file__).parent / "virtual_screen_reader" / "index.browser.js"
ADDRESS = "/virtual-screen-reader.js"
ORIGIN = "http://localhost"
SILENT = {"document", "paragraph", "form", "time", "strong", "emphasis", "code"}
"""Roles that no screen reader says; what is within is said without them. A form with a name has another phrase."""
ONE_LINE = {"status", "listitem", "term", "definition", "cell", "columnheader", "rowheader"}
CHOICES = {"radio", "checkbox"}
PICTURES = {"img", "image"}
_POSITION = re.compile(r"(?:level \d+, )?position (\d+), set size (\d+)")
RANDOM = {
    "(reference)": r"\b[2-9A-Z]{4}-[2-9A-Z]{5}-[2-9A-Z]{5}\b",
    "(key)": r"\b(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}\b",
    "(recovery code)": r"(?<=: )\w{4}-\w{4}-\w{4}$",
    "(digest)": r"\b[0-9a-f]{12,64}\b",
    "(folder)": re.escape(str(ROOT)),
}
"""What differs from run to run, with its stand-in."""

READ = """async address => {
  const { virtual } = await import(address);
  const focus = document.activeElement, page = document.documentElement.lang, spoken = [];
  // What browsers do, and the library does not: they hide what a closed <details> holds, announce its <summary> as a
  // button, and tell no screen reader the values that a form sends.
  for (const part of document.querySelectorAll("details:not([open]) > :not(summary)")) part.hidden = true;
  for (const summary of document.querySelectorAll("details > summary")) {
    summary.parentElement.role = "none";
    summary.role = "button";
    summary.ariaExpanded = summary.parentElement.open;
  }
  for (const part of document.querySelectorAll("button[value], option[value]")) part.removeAttribute("value");
  await virtual.start({ container: document.body });
  for (;;) {
    const node = virtual.activeNode, element = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    const phrase = await virtual.lastSpokenPhrase(), lang = element.closest("[lang]").lang;
    spoken.push({ phrase, lang, focused: focus !== document.body && focus.contains(node) });
    if (phrase === "end of document") break;
    await virtual.next();
  }
  await virtual.stop();
  return { title: document.title, lang: page, spoken };
}"""

LISTEN = """async address => {
  const { virtual } = await import(address);
  await virtual.start({ container: document.body });
  await virtual.clearSpokenPhraseLog();
  window.heard = async () => { const spoken = await virtual.spokenPhraseLog(); await virtual.stop(); return spoken; };
}"""

TO_REVIEW = "Run make spoken, and read the difference as somebody would hear it, before you commit it."


class ScreenReader:
    """Reads pages that a client without a browser fetched. Their files come from the site, in this process."""

    def __init__(self, context: BrowserContext, site: Flask) -> None:
        self.window = context.new_page()
        self._shown, self._files = "", site.test_client(use_cookies=False)
        self.window.route("**/*", self._respond)

    def _respond(self, route: Route, request: Request) -> None:
        if request.resource_type == "document":
            return route.fulfill(body=self._shown, content_type="text/html; charset=utf-8")
        path = urlsplit(request.url).path
        if path == ADDRESS:
            return route.fulfill(path=LIBRARY, content_type="text/javascript")
        response = self._files.get(path)
        return route.fulfill(status=response.status_code, body=response.data, content_type=response.mimetype)

    def open(self, html: str, address: str = "/") -> None:
        """Show a page in the browser, with its styles and scripts."""
        self._shown = html
        self.window.goto(ORIGIN + address)

    def read(self, page: Page | str) -> list[str]:
        """Open a page, or HTML without an address, and return the lines of its recording."""
        if isinstance(page, str):
            self.open(page)
            return self.read_out()
        self.open(page.text, page.address)
        return [f"address: {without_random(page.address)}", *self.read_out()]

    def read_out(self, *heard: str) -> list[str]:
        """Return the lines of the page that is open, after what was heard by itself."""
        said = self.window.evaluate(READ, ADDRESS)
        phrases = [(Phrase(" ".join(each["phrase"].split()), each["lang"]), each["focused"]) for each in said["spoken"]]
        focus = next((f"focus: {phrase.text}" for phrase, focused in phrases if focused), "focus: none")
        head = [f"title: {said['title']}", f"language: {said['lang']}", focus, *(f"heard: {each}" for each in heard)]
        return [without_random(line) for line in (*head, "", *outline((phrase for phrase, _ in phrases), said["lang"]))]

    def read_after(self, page: Page, seconds: int) -> list[str]:
        """Open a page, leave it alone for some time, and return its lines, with what was said in that time."""
        self.window.clock.install()
        self.open(page.text, page.address)
        self.window.evaluate(LISTEN, ADDRESS)
        self.window.clock.run_for(seconds * 1000)
        return self.read_out(*self.window.evaluate("heard()"))


@dataclass
class Phrase:
    """A spoken phrase, and the phrases between it and its "end of"."""

    text: str
    lang: str = ""
    within: list[Phrase] = field(default_factory=list)
    ended: bool = False

    @property
    def role(self) -> str:
        return self.text.partition(",")[0]

    @property
    def endings(self) -> tuple[str, str]:
        """What is said at its end, with a role and without one."""
        return f"end of {self.text}", f"end, {self.text}"

    def lines(self, lang: str) -> list[str]:
        """Return it and what is within as indented lines; ``lang`` is the language around it."""
        first = "row" if self.role == "row" else _POSITION.sub(r"\1 of \2", self.text)
        first = first if self.lang == lang else f"({self.lang}) {first}"
        if self.role in PICTURES or self.is_named(self.content):
            return [first]
        below = lines_of(self.within, self.lang)
        if self.role in ONE_LINE and len(below) == 1:
            return [f"{first}: {below[0]}"]
        return [first, *(f"  {line}" for line in below)]

    @property
    def content(self) -> str:
        """The text within, if nothing else is."""
        only_text = not any(each.ended or each.lang != self.lang for each in self.within)
        return " ".join(each.text for each in self.within) if only_text else ""

    def is_named(self, name: str) -> bool:
        """Return whether a text is the name that is said with the role."""
        return bool(name) and f"{self.text}, ".partition(", ")[2].startswith(f"{name}, ")


def outline(spoken: Iterable[Phrase], lang: str = "") -> list[str]:
    """Return phrases as lines, indented in place of their "end of". A legend has no role: "end, " and its text."""
    level: list[Phrase] = []
    for phrase in spoken:
        ends = [at for at, begun in enumerate(level) if not begun.ended and phrase.text in begun.endings]
        if ends:
            begun, within = level[ends[-1]], level[ends[-1] + 1 :]
            begun.within = within
            if begun.text in SILENT or (phrase.text != begun.endings[0] and begun.content != begun.text):
                level[ends[-1] :] = within
            else:
                begun.ended = phrase.text == begun.endings[0]
                begun.within = within if begun.ended else []
                del level[ends[-1] + 1 :]
        else:
            level.append(phrase)
    return lines_of(level, lang)


def lines_of(phrases: list[Phrase], lang: str) -> list[str]:
    """Return the lines of phrases that follow one another."""
    lines: list[str] = []
    before = Phrase("")
    for phrase in phrases:
        if phrase.ended or not (before.role in CHOICES and before.is_named(phrase.text)):
            lines += phrase.lines(lang)
        before = phrase
    return lines


def without_random(line: str) -> str:
    """Return a line with stand-ins for what differs from run to run."""
    for stand_in, pattern in RANDOM.items():
        line = re.sub(pattern, stand_in, line)
    return line


class Recordings:
    """What is said on the pages of a walk, one file a page, and the reviewed files to compare it with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages: dict[str, str] = {}
        self._around: dict[tuple[str, ...], str] = {}

    def add(self, name: str, lines: list[str]) -> None:
        """Add a page. What stands before and after main is written for the first page where it is said."""
        assert name not in self.pages, f"{name} is recorded twice"
        body = lines.index("") + 1
        start = next((at for at in range(body, len(lines)) if lines[at].startswith("main")), body)
        end = next((at for at in range(start + 1, len(lines)) if not lines[at].startswith("  ")), len(lines))
        before, after = self._once(name, "before main", lines[body:start]), self._once(name, "after", lines[end:])
        self.pages[name] = "\n".join([*lines[:body], *before, *lines[start:end], *after]) + "\n"

    def _once(self, name: str, what: str, lines: list[str]) -> list[str]:
        first = self._around.setdefault((what, *lines), name)
        return lines if first == name or not lines else [f"({what}: as in {first}.txt)"]

    def check(self) -> None:
        """Compare with the reviewed files, or write them if the variable ``SPOKEN`` is "record"."""
        if os.environ.get("SPOKEN") == "record":
            self.folder.mkdir(parents=True, exist_ok=True)
            for file in self.folder.glob("*.txt"):
                file.unlink()
            for name, text in self.pages.items():
                (self.folder / f"{name}.txt").write_text(text, encoding="utf-8")
        reviewed = {file.stem: file.read_text(encoding="utf-8") for file in self.folder.glob("*.txt")}
        different = "".join(_difference(name, reviewed, self.pages) for name in sorted({*reviewed, *self.pages}))
        assert not different, f"{self.folder.name}: what is said has changed. {TO_REVIEW}\n{different}"


def _difference(name: str, reviewed: dict[str, str], spoken: dict[str, str]) -> str:
    before, after = (pages.get(name, "").splitlines(keepends=True) for pages in (reviewed, spoken))
    return "".join(difflib.unified_diff(before, after, f"{name}, reviewed", f"{name}, now", n=2))
