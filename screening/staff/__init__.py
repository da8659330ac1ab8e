"""Staff: everything under ``/staff``, closed to everyone unless a page is opened on purpose.

Accounts, sign-in, sessions, roles and the audit page. Other wings put their pages here with
``guard.needs``, list them with ``nav.add`` and tell what their events mean in ``audit_page.WORDS``.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Flask, abort, current_app, request
from flask_babel import format_date, lazy_gettext
from flask_security import Security, SQLAlchemyUserDatastore

from screening.clinic import Clinic
from screening.config import SettingsError
from screening.extensions import csrf, db
from screening.keyring import STAFF, Keyring
from screening.staff import (
    account_views,
    audit_page,
    guard,
    mail_page,
    nav,
    passwords,
    second_factor,
    sessions,
    sign_in,
    unsaved,
)
from screening.staff.models import Account, Role
from screening.staff.roles import ADMIN, CALLBACKS, MEANINGS
from screening.web import limits, origin

MOUNT = "/staff"


def init_app(app: Flask, settings: dict[str, Any], keyring: Keyring) -> None:
    """Bind sessions, guard, sign-in and pages to the staff application. Raises SettingsError."""
    clinic: Clinic = app.extensions["clinic"]
    if not settings["STAFF_SECOND_FACTOR"] and not clinic.demo:
        raise SettingsError("SCREENING_STAFF_SECOND_FACTOR may be false only while the demo clinic is shown")
    clock = app.extensions["clock"]
    app.config.update(
        SECRET_KEY=secrets.token_hex(32),  # nothing it signs is ever given out, so nothing signed is ever good
        SESSION_COOKIE_NAME="__Secure-staff" if settings["SECURE"] else "staff",
        SESSION_COOKIE_PATH=MOUNT,
        SESSION_PROTECTION=None,  # sessions are ours; it would note a hash of address and browser
        WTF_CSRF_SECRET_KEY=keyring.derive_rotating(STAFF, "form tokens"),
        WTF_CSRF_TIME_LIMIT=None,  # the session has its own limits, and the token lives in it
        WTF_CSRF_SSL_STRICT=False,  # it refuses browsers that hide the Referer; ``origin`` does not
        WTF_I18N_ENABLED=False,
    )
    app.session_interface = sessions.StaffSessions(keyring, clock)
    unsaved.init_app(app)
    guard.init_app(app)
    origin.init_app(app)
    csrf.init_app(app)
    _refuse_nulls(app)
    limits.init_app(app, settings["LIMIT"], settings["LIMIT_STORAGE"], purpose=STAFF)
    _use_security(app, keyring, clinic.name)
    app.jinja_env.globals["role_meanings"] = MEANINGS
    app.add_template_filter(day)
    nav.init_app(app)
    if settings["MAIL_HOST"]:
        nav.add(app, "mail.show", lazy_gettext("Mail"), CALLBACKS, ADMIN, place=70)
    nav.add(app, "audit.show", lazy_gettext("Audit"), ADMIN, place=80)
    nav.add(app, "accounts.everyone", lazy_gettext("Accounts"), ADMIN, place=90)
    for blueprint in (sign_in.sign_in, account_views.views, audit_page.audit_page, mail_page.mail_page):
        app.register_blueprint(blueprint)


def _refuse_nulls(app: Flask) -> None:
    """A null character is in nothing that people type, and PostgreSQL takes it in no text."""

    @app.before_request
    def refuse_nulls() -> None:
        sent = (*request.values.items(multi=True), *(request.view_args or {}).items())
        if any("\0" in str(part) for pair in sent for part in pair):
            abort(400)


def day(at: int) -> str:
    """The day of a time (seconds since 1970, UTC) at the clinic, as a page shows it."""
    clinic: Clinic = current_app.extensions["clinic"]
    return str(format_date(datetime.fromtimestamp(at, clinic.time_zone), rebase=False))


def _use_security(app: Flask, keyring: Keyring, issuer: str) -> None:
    """Flask-Security without its pages: hashing, codes, recovery codes, and who is signed in.

    Its tokens in addresses and headers are switched off, as is its cookie that remembers.
    """
    app.config.update(
        SECURITY_PASSWORD_HASH=passwords.SCHEME,
        SECURITY_PASSWORD_SCHEMES=[passwords.SCHEME],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_PASSWORD_SINGLE_HASH=[passwords.SCHEME],
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS=passwords.COSTS,
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=[second_factor.METHOD],
        SECURITY_TOTP_SECRETS={"see": "Codes"},  # wanted, and not used: we seal what it would encrypt
        SECURITY_TOTP_ISSUER=issuer,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_N=second_factor.RECOVERY_CODES,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS=second_factor.recovery_keys(keyring),
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_FRESHNESS=timedelta(seconds=guard.FRESH),
        SECURITY_JOIN_USER_ROLES=False,  # they come by a query of their own
        SECURITY_CLI_USERS_NAME=False,
        SECURITY_CLI_ROLES_NAME=False,
    )

    def codes(secrets: object, issuer: str) -> second_factor.Codes:
        return second_factor.Codes(app.extensions["clock"], issuer)

    datastore = SQLAlchemyUserDatastore(db, Account, Role)
    security = Security(app, datastore, register_blueprint=False, totp_cls=codes)  # type: ignore[arg-type]
    security.login_manager.request_loader(lambda request: None)
    security.login_manager.user_loader(Account.in_session)
