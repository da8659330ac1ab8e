"""Default deny: a view declares who may open it, for example with ``@require_role(CALLBACKS)``; others are closed."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from flask import Flask, abort, current_app, redirect, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from screening import audit, current
from screening.extensions import db
from screening.staff import form_recovery, sessions
from screening.staff.current_account import account_or_none, current_account
from screening.staff.models import Account

log = logging.getLogger(__name__)

RECENT_SECONDS = 5 * 60
"""Seconds a second factor counts as just shown."""

SIGN_IN = "authentication.sign_in"
SECOND_FACTOR, PASSWORD, SET_UP = "authentication.second_factor", "authentication.password", "authentication.set_up"
"""The steps that may stand between a password and the pages, by the endpoint that asks for each."""

_OWN_PATH = re.compile(r"/[\w~.+-]+(?:/[\w~.+-]+)*/?(?:\?[\w~.+=&-]*)?", re.ASCII)
MAX_PATH = 500

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Requirement:
    """Who may open a view: ``strangers``, or those with any of ``roles`` (None: whoever is signed in).

    ``step`` lets in who has that step before them; ``fresh`` asks for a second factor just shown.
    """

    strangers: bool = False
    roles: frozenset[str] | None = None
    step: str | None = None
    fresh: bool = False


def require_role(*roles: str) -> Callable[[View], View]:
    """Open a view to accounts that have one of these roles."""
    return _declare(Requirement(roles=frozenset(roles)))


def require_login(view: View) -> View:
    """Open a view to everyone who is signed in."""
    return _declare(Requirement())(view)


def recently_authenticated(view: View) -> View:
    """Open a view to who has shown a second factor in the last minutes."""
    return _declare(Requirement(fresh=True))(view)


def allow_during_step(step: str, fresh: bool = False) -> Callable[[View], View]:
    """Open a view to who has this step before them, and to everyone who is signed in."""
    return _declare(Requirement(step=step, fresh=fresh))


def public(view: View) -> View:
    """Open a view to everybody."""
    return _declare(Requirement(strangers=True))(view)


def _declare(requirement: Requirement) -> Callable[[View], View]:
    def declared(view: View) -> View:
        view.requirement = requirement  # type: ignore[attr-defined]
        return view

    return declared


def requirement_of(app: Flask, endpoint: str | None) -> Requirement | None:
    """What the view of an endpoint declares."""
    return getattr(app.view_functions.get(endpoint or ""), "requirement", None)


def pending_account() -> Account | None:
    """The account that is signed in, or whose password was accepted and who has steps before them."""
    signed_in_as = account_or_none()
    if signed_in_as is not None:
        return signed_in_as
    pending = sessions.current_session().get("pending")
    return Account.in_session(pending) if pending else None


def next_step(account: Account) -> str | None:
    """What the account still has to do before its pages open: the endpoint of the step."""
    if account.tf_totp_secret and account_or_none() is None:
        return SECOND_FACTOR
    if account.must_change_password:
        return PASSWORD
    if current.settings()["STAFF_SECOND_FACTOR"] and not account.tf_totp_secret:
        return SET_UP
    return None


def is_recent(account: Account) -> bool:
    """Whether a second factor was shown just now; an account without one has none to show."""
    shown = sessions.current_session().get("shown", 0)
    return not account.tf_totp_secret or current.now() < shown + RECENT_SECONDS


def refuse() -> NoReturn:
    """Let whoever is signed in not have what they ask for, and note that they asked. Ends the request with 403."""
    try:
        db.session.rollback()
        now: float = current.now()
        db.session.add(audit.event("page.refused", now, current_account().id, page=str(request.endpoint)))
        db.session.commit()
    except SQLAlchemyError as error:
        log.error("a refusal cannot be noted: %s", type(error).__name__)
    abort(403)


def safe_next_url(text: str) -> str | None:
    """A path of these pages, as it was asked for; None for anything that might lead elsewhere."""
    root = request.script_root
    path = text.removeprefix(root)
    if len(text) > MAX_PATH or not text.startswith(root) or not _OWN_PATH.fullmatch(path):
        return None
    return text if ".." not in text else None


def init_app(app: Flask) -> None:
    """Ask every request, before anything else looks at it."""

    @app.before_request
    def check() -> Response | None:
        requirement = requirement_of(current_app, request.endpoint)
        if sessions.current_session().unknown:
            abort(503)
        if requirement is not None and requirement.strangers:
            return None
        account = pending_account()
        if account is None:
            return _sign_in_again()
        step = next_step(account)
        if step is not None:
            return None if requirement is not None and requirement.step == step else _to(step)
        if request.endpoint is None:
            return None  # no such page, which whoever is signed in may know
        if requirement is None or (requirement.roles is not None and not requirement.roles & account.role_names):
            refuse()
        return _to(SECOND_FACTOR) if requirement.fresh and not is_recent(account) else None


def _sign_in_again() -> Response:
    """To the sign-in; with what a form brought too late, if there is any."""
    page, too_long = form_recovery.save_form()
    if page is None:
        return _to(SIGN_IN)
    return redirect(
        url_for(SIGN_IN, next=safe_next_url(request.script_root + page), lost="1" if too_long else None), 303
    )


def _to(endpoint: str) -> Response:
    """Send somebody to a page, and let it know what they asked for."""
    shows = request.url_rule is None or "GET" in (request.url_rule.methods or ())
    wanted = safe_next_url(request.script_root + request.full_path.rstrip("?")) if shows else None
    return redirect(url_for(endpoint, next=wanted), 303)
