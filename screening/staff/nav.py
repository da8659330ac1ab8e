"""The navigation of the staff pages: each package adds entries, and an account sees those it may open."""

import logging
from dataclasses import dataclass

from flask import Flask, current_app, request, url_for
from flask_babel.speaklater import LazyString

from screening.staff.current_account import account_or_none
from screening.staff.models import Account

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """An entry of the navigation. ``place``: its position, in ascending order; ``landing``: as page after sign-in."""

    place: int
    endpoint: str
    label: LazyString
    roles: frozenset[str]
    landing: int

    @property
    def href(self) -> str:
        """The URL of the page."""
        return url_for(self.endpoint)

    @property
    def here(self) -> bool:
        """Whether the current page belongs to the entry's blueprint."""
        return request.blueprint == self.endpoint.rpartition(".")[0]


def add(app: Flask, endpoint: str, label: LazyString, *roles: str, place: int = 50, landing: int | None = None) -> None:
    """Add an entry for accounts that have one of ``roles``; ``landing`` is by default ``place``."""
    entry = Entry(place, endpoint, label, frozenset(roles), place if landing is None else landing)
    app.extensions.setdefault("staff_nav", []).append(entry)


def landing_page(account: Account) -> str | None:
    """Return the endpoint of an account's page after sign-in; None if it may open none of the navigation."""
    first = min(entries_for(account), key=lambda entry: entry.landing, default=None)
    return first.endpoint if first else None


def entries_for(account: Account) -> list[Entry]:
    """Return the entries that an account may open, in order."""
    entries = current_app.extensions.get("staff_nav", [])
    return sorted((e for e in entries if e.roles & account.role_names), key=lambda entry: entry.place)


class NavContext:
    """Name, roles and navigation of the account, for the page frame. Never raises: error pages have the same frame."""

    def __init__(self) -> None:
        self.name = ""
        self.roles: frozenset[str] = frozenset()
        self.nav: list[Entry] = []
        try:
            account = account_or_none()
            if account is not None:
                self.nav, self.name, self.roles = entries_for(account), account.name, account.role_names
        except Exception as error:  # without database or session the frame shows no account
            log.error("the account cannot be read for the page frame: %s", type(error).__name__)


def init_app(app: Flask) -> None:
    """Add the variable ``staff`` to every template of the application."""
    app.context_processor(lambda: {"staff": NavContext()})
