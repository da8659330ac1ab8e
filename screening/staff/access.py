"""Default deny: a view declares who may open it, for example by ``@require_role(CALLBACKS)``; others answer 403."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
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
"""Seconds for which a second factor counts as recent."""

SIGN_IN = "authentication.sign_in"
SECOND_FACTOR, PASSWORD, SET_UP = "authentication.second_factor", "authentication.password", "authentication.set_up"
"""Steps of the sign-in after the password, by the endpoint that asks for each."""

_OWN_PATH = re.compile(r"/[\w~.+-]+(?:/[\w~.+-]+)*/?(?:\?[\w~.+=&-]*)?", re.ASCII)
MAX_PATH = 500

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Requirement:
    """Who may open a view: everyone (``public``), or accounts with any of ``roles`` (None: all accounts).

    ``step``: also accounts whose next sign-in step this is. ``fresh``: only with a recent second factor.
    """

    public: bool = False
    roles: frozenset[str] | None = None
    step: str | None = None
    fresh: bool = False


def require_role(*roles: str) -> Callable[[View], View]:
    """Open a view to accounts that have one of these roles."""
    return _declare(Requirement(roles=frozenset(roles)))


def require_login(view: View) -> View:
    """Open a view to every account that is signed in."""
    return _declare(Requirement())(view)


def recently_authenticated(view: View) -> View:
    """Open a view to accounts with a second factor of the last ``RECENT_SECONDS``; others are asked for one."""
    return _declare(Requirement(fresh=True))(view)


def allow_during_step(step: str, fresh: bool = False) -> Callable[[View], View]:
    """Open a view to accounts whose next sign-in step this is, and to all that are signed in."""
    return _declare(Requirement(step=step, fresh=fresh))


def not_by_person(view: View) -> View:
    """Let a view's requests, which a script makes, not count as activity: the session's idle time goes on."""

    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> Any:
        sessions.current_session().untouched = True
        return view(*args, **kwargs)

    return answer  # type: ignore[return-value]


def public(view: View) -> View:
    """Open a view without a sign-in."""
    return _declare(Requirement(public=True))(view)


def _declare(requirement: Requirement) -> Callable[[View], View]:
    def declared(view: View) -> View:
        view.requirement = requirement  # type: ignore[attr-defined]
        return view

    return declared


def requirement_of(app: Flask, endpoint: str | None) -> Requirement | None:
    """Return the requirement that the view of an endpoint declares, if any."""
    return getattr(app.view_functions.get(endpoint or ""), "requirement", None)


def pending_account() -> Account | None:
    """Return the account that is signed in, or whose password was accepted while further steps are missing."""
    signed_in_as = account_or_none()
    if signed_in_as is not None:
        return signed_in_as
    pending = sessions.current_session().get("pending")
    return Account.in_session(pending) if pending else None


def next_step(account: Account) -> str | None:
    """Return the endpoint of the account's next sign-in step; None if all are done."""
    if account.tf_totp_secret and account_or_none() is None:
        return SECOND_FACTOR
    if account.must_change_password:
        return PASSWORD
    if current.settings()["STAFF_SECOND_FACTOR"] and not account.tf_totp_secret:
        return SET_UP
    return None


def is_recent(account: Account) -> bool:
    """Return whether the account's second factor is recent; true for an account without one."""
    shown = sessions.current_session().get("shown", 0)
    return not account.tf_totp_secret or current.now() < shown + RECENT_SECONDS


def refuse() -> NoReturn:
    """Record a ``page.refused`` audit event, and end the request with 403."""
    try:
        db.session.rollback()
        now: float = current.now()
        db.session.add(audit.event("page.refused", now, current_account().id, page=str(request.endpoint)))
        db.session.commit()
    except SQLAlchemyError as error:
        log.error("the audit event of a refused page cannot be stored: %s", type(error).__name__)
    abort(403)


def missing_roles(endpoint: str | None) -> frozenset[str]:
    """Return the roles of which an account needs one for an endpoint, if the current account has none of them."""
    requirement, account = requirement_of(current_app, endpoint), account_or_none()
    roles = requirement.roles if requirement is not None else None
    return roles if roles and account is not None and not roles & account.role_names else frozenset()


def safe_next_url(text: str) -> str | None:
    """Return a URL path of the staff application unchanged; None for any other text (no open redirects)."""
    root = request.script_root
    path = text.removeprefix(root)
    if len(text) > MAX_PATH or not text.startswith(root) or not _OWN_PATH.fullmatch(path):
        return None
    return text if ".." not in text else None


def init_app(app: Flask) -> None:
    """Check every request's access, before the other checks of the application."""

    @app.before_request
    def check() -> Response | None:
        requirement = requirement_of(current_app, request.endpoint)
        if sessions.current_session().unknown:
            abort(503)
        if requirement is not None and requirement.public:
            return None
        account = pending_account()
        if account is None:
            return _redirect_to_sign_in()
        step = next_step(account)
        if step is not None:
            return None if requirement is not None and requirement.step == step else _redirect_to(step)
        if request.endpoint is None:
            return None  # answered with 404, to signed-in accounts only
        if requirement is None or (requirement.roles is not None and not requirement.roles & account.role_names):
            refuse()
        return _redirect_to(SECOND_FACTOR) if requirement.fresh and not is_recent(account) else None


def _redirect_to_sign_in() -> Response:
    """Redirect to the sign-in. A form that was sent after the session ended is saved for after it."""
    page, too_long = form_recovery.save_form()
    if page is None:
        return _redirect_to(SIGN_IN)
    return redirect(
        url_for(SIGN_IN, next=safe_next_url(request.script_root + page), lost="1" if too_long else None), 303
    )


def _redirect_to(endpoint: str) -> Response:
    """Redirect to an endpoint, with the current page, if it answers a GET, as ``next``."""
    answers_get = request.url_rule is None or "GET" in (request.url_rule.methods or ())
    next_url = safe_next_url(request.script_root + request.full_path.rstrip("?")) if answers_get else None
    return redirect(url_for(endpoint, next=next_url), 303)
