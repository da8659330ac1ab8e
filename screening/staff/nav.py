"""The list of pages at the top: each wing adds its own, and an account sees those it may open."""

import logging
from dataclasses import dataclass

from flask import Flask, current_app, request, url_for
from flask_babel.speaklater import LazyString

from screening.staff.current_account import account_or_none
from screening.staff.models import Account

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A page of the list. ``place`` orders the list, least first."""

    place: int
    endpoint: str
    label: LazyString
    roles: frozenset[str]

    @property
    def href(self) -> str:
        """Where it leads."""
        return url_for(self.endpoint)

    @property
    def here(self) -> bool:
        """Whether the page shown is this one, or belongs to it."""
        return request.blueprint == self.endpoint.rpartition(".")[0]


def add(app: Flask, endpoint: str, label: LazyString, *roles: str, place: int = 50) -> None:
    """List a page for accounts that have one of ``roles``. The first in its list is where an account lands."""
    app.extensions.setdefault("staff_nav", []).append(Entry(place, endpoint, label, frozenset(roles)))


def entries_for(account: Account) -> list[Entry]:
    """The pages an account may open from the list."""
    entries = current_app.extensions.get("staff_nav", [])
    return sorted((e for e in entries if e.roles & account.role_names), key=lambda entry: entry.place)


class NavContext:
    """Who is signed in, for the frame of a page. Nothing here raises: an error page is in the same frame."""

    def __init__(self) -> None:
        self.name = ""
        self.nav: list[Entry] = []
        try:
            account = account_or_none()
            if account is not None:
                self.nav, self.name = entries_for(account), account.name
        except Exception as error:  # without database or session the page is just nobody's
            log.error("the frame knows nobody: %s", type(error).__name__)


def init_app(app: Flask) -> None:
    """Give every template of the application its ``staff``."""
    app.context_processor(lambda: {"staff": NavContext()})
