"""The staff application under ``/staff``. Default deny: every view declares who may open it."""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, abort, current_app, request
from flask_babel import format_date, lazy_gettext
from flask_security import Security, SQLAlchemyUserDatastore
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.wrappers import Response as AnyResponse

from screening.clinic import Clinic
from screening.crypto.keyring import STAFF, Keyring
from screening.database.conflicts import is_conflict
from screening.durations import MINUTE_SECONDS, format_duration
from screening.extensions import csrf, db
from screening.staff import (
    access,
    account_views,
    audit_views,
    authentication_views,
    display_names,
    form_recovery,
    nav,
    passwords,
    sent_forms,
    sessions,
    two_factor,
)
from screening.staff.models import Account, Role
from screening.staff.roles import ADMIN, MEANINGS, NAMES
from screening.web import origin, rate_limits

MOUNT = "/staff"


def init_app(app: Flask, settings: dict[str, Any], keyring: Keyring) -> None:
    """Add sessions, access checks, sign-in and pages to the staff application. Raises SettingsError."""
    clinic: Clinic = app.extensions["clinic"]
    clock = app.extensions["clock"]
    app.config.update(
        SECRET_KEY=secrets.token_hex(32),  # random at each start: required by extensions, but we sign nothing with it
        SESSION_COOKIE_NAME="__Secure-staff" if settings["HTTPS"] else "staff",
        SESSION_COOKIE_PATH=MOUNT,
        SESSION_PROTECTION=None,  # it would store a hash of address and browser in our sessions
        WTF_CSRF_SECRET_KEY=keyring.derive_rotating(STAFF, "form tokens"),
        WTF_CSRF_TIME_LIMIT=None,  # the session has its own limits, and the token lives in it
        WTF_CSRF_SSL_STRICT=False,  # it refuses requests without Referer; ``origin`` checks instead
        WTF_I18N_ENABLED=False,
    )
    app.session_interface = sessions.StaffSessions(keyring, clock, settings["STAFF_IDLE_MINUTES"] * MINUTE_SECONDS)
    app.jinja_env.globals["idle_time"] = lambda: format_duration(settings["STAFF_IDLE_MINUTES"] * MINUTE_SECONDS)
    sent_forms.init_app(app)
    form_recovery.init_app(app)
    access.init_app(app)
    origin.init_app(app)
    csrf.init_app(app)
    app.register_error_handler(CSRFError, _send_back_without_token)
    app.register_error_handler(StaleDataError, _send_back_conflict)
    app.register_error_handler(IntegrityError, _send_back_conflict)
    _refuse_nulls(app)
    rate_limits.init_app(app, settings["RATE_LIMIT_FORMS"], settings["RATE_LIMIT_STORAGE_URL"], purpose=STAFF)
    _use_security(app, keyring, clinic.name)
    app.jinja_env.globals.update(role_meanings=MEANINGS, role_names=NAMES, refused_for=_refused_for)
    app.add_template_filter(lambda role: NAMES.get(role, role), "role_name")
    app.add_template_filter(partial(day, zone=clinic.time_zone), "day")
    nav.init_app(app)
    nav.add(app, "audit.show", lazy_gettext("Audit"), ADMIN, place=80)
    nav.add(app, "accounts.index", lazy_gettext("Accounts"), ADMIN, place=90)
    for blueprint in (authentication_views.authentication_views, account_views.account_views, audit_views.audit_views):
        app.register_blueprint(blueprint)


def _refused_for() -> tuple[list[str], list[str]]:
    """Return the roles that the current page needs, and whom to ask; both empty if it was not refused for a role."""
    return display_names.whom_to_ask(access.missing_roles(request.endpoint))


def _send_back_without_token(error: CSRFError) -> AnyResponse:
    """Show the form again with a new token: the session was renewed, or had expired, since the page was opened."""
    wanted = access.safe_next_url(request.form.get("next", ""))
    return sent_forms.send_back(reason=sent_forms.STALE_FORM, next=wanted)


def _send_back_conflict(error: Exception) -> AnyResponse:
    """Show the form again: what it changes was changed or added by a concurrent request. Nothing was saved."""
    if not is_conflict(error):
        error_page: Callable[[Exception], AnyResponse] = current_app.extensions["error_page"]
        return error_page(error)
    db.session.rollback()
    return sent_forms.send_back(reason=sent_forms.CONFLICT)


def _refuse_nulls(app: Flask) -> None:
    """Answer 400 to a null character in any value: no one types it, and PostgreSQL accepts it in no text."""

    @app.before_request
    def refuse_nulls() -> None:
        sent = (*request.values.items(multi=True), *(request.view_args or {}).items())
        if any("\0" in str(part) for pair in sent for part in pair):
            abort(400)


def day(at: int, zone: ZoneInfo) -> str:
    """Return the formatted date of a time (seconds since 1970, UTC) in a time zone."""
    return str(format_date(datetime.fromtimestamp(at, zone), rebase=False))


def _use_security(app: Flask, keyring: Keyring, issuer: str) -> None:
    """Set up Flask-Security without its views: password hashing, codes, recovery codes, current user.

    Its authentication tokens in URLs and headers, and its remember-me cookie, are disabled.
    """
    app.config.update(
        SECURITY_PASSWORD_HASH=passwords.SCHEME,
        SECURITY_PASSWORD_SCHEMES=[passwords.SCHEME],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_PASSWORD_SINGLE_HASH=[passwords.SCHEME],
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS=passwords.COSTS,
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=[two_factor.METHOD],
        SECURITY_TOTP_SECRETS={"see": "Codes"},  # required, but unused: ``Codes`` leaves the encryption to us
        SECURITY_TOTP_ISSUER=issuer,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_N=two_factor.RECOVERY_CODES,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS=two_factor.recovery_keys(keyring),
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_FRESHNESS=timedelta(seconds=access.RECENT_SECONDS),
        SECURITY_JOIN_USER_ROLES=False,  # the model loads them in a separate query
        SECURITY_CLI_USERS_NAME=False,
        SECURITY_CLI_ROLES_NAME=False,
    )

    def codes(secrets: object, issuer: str) -> two_factor.Codes:
        return two_factor.Codes(app.extensions["clock"], issuer)

    datastore = SQLAlchemyUserDatastore(db, Account, Role)
    security = Security(app, datastore, register_blueprint=False, totp_cls=codes)  # type: ignore[arg-type]
    security.login_manager.request_loader(lambda request: None)
    security.login_manager.user_loader(Account.in_session)
    app.extensions["second_factor"] = two_factor.SecondFactor(keyring, security)
