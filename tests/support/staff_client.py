"""Staff members without a browser: they sign in with password and code, and check every page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from sqlalchemy import select

from screening import audit
from screening.audit import AuditEvent
from screening.extensions import db
from screening.staff import accounts, passwords, two_factor
from screening.staff.accounts import Actor
from screening.staff.models import Account
from tests.support.visitor import Page, Visitor

PASSWORD = "heron lantern quiet meadow"


@cache
def _hashed() -> str:
    """Return the hash of the shared password, computed once."""
    return passwords.hash_password(PASSWORD)


def totp(secret: str, at: float) -> str:
    """Return the TOTP code for a base 32 secret at a time: RFC 6238 with SHA-1, six digits, 30 seconds."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, int(at // 30).to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset : offset + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def wrong_code(secret: str, at: float) -> str:
    """Return six digits that are not valid for a secret at a time, nor one period before or after."""
    right = {totp(secret, at + shift) for shift in (-30, 0, 30)}
    return next(code for code in (f"{number:06}" for number in range(4)) if code not in right)


class StaffClient(Visitor):
    """A staff member. ``secret`` is the TOTP secret in their authenticator app."""

    def __init__(
        self, site: Flask, email: str, password: str = PASSWORD, secret: str = "", https: bool = False
    ) -> None:
        super().__init__(site, https)
        self.email, self.password, self.secret = email, password, secret
        self.clock: Any = site.extensions["staff"].extensions["clock"]

    @property
    def code(self) -> str:
        """The code that the app shows now."""
        return totp(self.secret, self.clock())

    @property
    def wrong_code(self) -> str:
        """A code that is not valid now, nor one period earlier or later."""
        return wrong_code(self.secret, self.clock())

    @property
    def cookie(self) -> str:
        """The session cookie's value, empty without one."""
        name = self.site.extensions["staff"].config["SESSION_COOKIE_NAME"]
        cookie = self.client.get_cookie(name, path="/staff")
        return cookie.value if cookie else ""

    @cookie.setter
    def cookie(self, value: str) -> None:
        name = self.site.extensions["staff"].config["SESSION_COOKIE_NAME"]
        self.client.set_cookie(name, value, path="/staff")

    def enter_password(self, password: str = "", wanted: str = "/staff/sign-in", follow: bool = True) -> Page:
        """Open a page, which redirects to the sign-in page, and submit that form."""
        page = self.get(wanted)
        return self.send(page, "/staff/sign-in", follow=follow, email=self.email, password=password or self.password)

    def sign_in(self, wanted: str = "/staff/sign-in") -> Page:
        """Sign in with password and code, 30 seconds later than the last code, since a code works once."""
        self.clock.forward(30)
        page = self.enter_password(wanted=wanted)
        return self.send(page, "/staff/second-factor", code=self.code) if self.secret else page

    def sign_out(self) -> Page:
        return self.send(self.get("/staff/you"), "/staff/sign-out")

    def is_signed_in(self) -> bool:
        """Return whether staff pages open."""
        return self.get("/staff/you", follow=False).status == 200

    def choose_password(self, page: Page, password: str = PASSWORD, **fields: str) -> Page:
        done = self.send(page, "/staff/password", **{"password": password, "again": password} | fields)
        if done.address != "/staff/password":
            self.password = password
        return done

    def set_up_app(self, page: Page) -> Page:
        """Enter the page's key in the app, and the app's code on the page."""
        self.secret = shown_key(page)
        return self.send(page, "/staff/set-up", code=self.code)


def was_refused(page: Page) -> bool:
    """Return whether a page shows a form again because it was refused."""
    return page.status == 200 and "sent" in parse_qs(urlsplit(page.response.request.url).query)


def shown_key(page: Page) -> str:
    key = page.soup.find(class_="app-key")
    assert key is not None
    return key.get_text().replace(" ", "")


def shown_codes(page: Page) -> list[str]:
    return [tag.get_text() for tag in page.soup.select(".app-codes code")]


class Team:
    """The staff accounts of a site. All accounts created here have the same password."""

    def __init__(self, site: Flask) -> None:
        self.site = site
        self.app: Flask = site.extensions["staff"]

    def add(self, name: str, *roles: str, https: bool = False) -> StaffClient:
        """Add a staff member whose account is set up: password chosen, authenticator app registered."""
        with self.app.app_context():
            account, _ = accounts.add(self._actor(), f"{name}@clinic.example.org", name.title(), roles)
            account.password, account.must_change_password = _hashed(), False
            account.tf_primary_method, second_factor = two_factor.METHOD, self.app.extensions["second_factor"]
            account.tf_totp_secret = sealed = second_factor.new_secret(account)
            db.session.commit()
            secret = second_factor.format_secret(account, sealed).replace(" ", "")
            return StaffClient(self.site, account.email, secret=secret, https=https)

    def sign_in(self, name: str, *roles: str) -> StaffClient:
        """Add and sign in a staff member whose account is set up."""
        member = self.add(name, *roles)
        member.sign_in()
        return member

    def invite(self, name: str, *roles: str) -> StaffClient:
        """Add a staff member with a temporary password, who has never signed in."""
        with self.app.app_context():
            account, password = accounts.add(self._actor(), f"{name}@clinic.example.org", name.title(), roles)
            db.session.commit()
            return StaffClient(self.site, account.email, password)

    def id_of(self, member: StaffClient) -> str:
        """Return the id of a member's account."""
        return str(self.account_field(member, "id"))

    def account_field(self, member: StaffClient, column: str) -> Any:
        """Return one column of a member's account, as stored."""
        with self.app.app_context():
            return db.session.scalar(select(getattr(Account, column)).where(Account.email == member.email))

    def events(self, action: str = "") -> list[AuditEvent]:
        """Return the audit events whose action has this prefix, oldest first."""
        with self.app.app_context():
            found = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
        return [event for event in found if re.match(action, event.action)]

    def _actor(self) -> Actor:
        return Actor(audit.COMMAND, int(self.app.extensions["clock"]()))
