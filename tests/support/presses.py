"""A staff member who counts presses: a link, a button, a check box or a fold is one, a choice from a list is two."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from bs4 import Tag

from tests.support.staff_client import StaffClient


class Presses:
    """Uses the pages as they are shown: what is not there cannot be pressed. Typing is not counted."""

    def __init__(self, member: StaffClient, address: str) -> None:
        self.member, self.page, self.count = member, member.get(address), 0
        self._entered: dict[str, str] = {}

    def follow(self, text: str) -> None:
        """Press a link."""
        self._open(str(self._one("a", text)["href"]))

    def unfold(self, text: str) -> None:
        """Open a folded part."""
        self._one("summary", text)
        self.count += 1

    def enter(self, name: str, value: str) -> None:
        """Type a text or a time into a field."""
        assert self.page.soup.find(["input", "textarea"], attrs={"name": name}), name
        self._entered[name] = value

    def pick(self, name: str, text: str) -> None:
        """Choose from a list: open it, pick."""
        options = self.page.soup.select(f"select[name={name}] option")
        self._entered[name] = next(str(option["value"]) for option in options if option.get_text() == text)
        self.count += 2

    def press(self, text: str) -> None:
        """Press a button, which sends its form with all that was entered and picked."""
        button = self._one("button", text)
        form = button.find_parent("form")
        assert isinstance(form, Tag)
        action = str(form["action"])
        fields = {**self.page.typed(urlsplit(action).path), **self._entered}
        if button.get("name"):
            fields[str(button["name"])] = str(button["value"])
        if form.get("method") == "get":
            self._open(f"{action}?{urlencode(fields, doseq=True)}")
            return
        self.page, self._entered = self.member.post(action, fields, referer=self.page.address), {}
        self.count += 1

    def _open(self, address: str) -> None:
        self.page, self._entered = self.member.get(address), {}
        self.count += 1

    def _one(self, kind: str, text: str) -> Tag:
        found = list(_starting(self.page.soup.find_all(kind), text))
        assert len(found) == 1, f"{len(found)} of {kind} “{text}” on {self.page.address}: {self.page.words}"
        return found[0]


def _starting(tags: Iterable[Tag], text: str) -> Iterable[Tag]:
    """Yield the elements whose text, or its part in bold, is this one."""
    for tag in tags:
        bold = tag.find("b")
        if text in (" ".join(tag.get_text(" ").split()), bold and bold.get_text()):
            yield tag
