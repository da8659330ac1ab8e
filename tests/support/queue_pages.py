"""Read and use the queue and the page of a request as a staff member."""

from __future__ import annotations

from typing import Any

from tests.support.sample_patient import NAME
from tests.support.staff_client import StaffClient
from tests.support.visitor import Page


def names_in(page: Page) -> list[str]:
    """Return the names of the requests that a queue lists."""
    return [link.get_text() for link in page.main.select(".app-worklist__name a")]


def open_request(member: StaffClient, name: str = NAME, tab: str = "waiting") -> Page:
    """Open the request of this name from a tab of the queue."""
    page = member.get(f"/staff/callbacks?tab={tab}")
    link = next(link for link in page.main.select(".app-worklist__name a") if link.get_text() == name)
    return member.get(str(link["href"]))


def press(member: StaffClient, page: Page, action: str, **fields: Any) -> Page:
    """Press a button on a request's page."""
    return member.fill(page, f"{page.address}/{action}", **fields)
