"""Display names of accounts, actors and audit actions on staff pages."""

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from screening.audit import COMMAND, UNKNOWN_ACTOR, VISITOR
from screening.staff.accounts import list_accounts

ACTION_LABELS: dict[str, LazyString] = {
    "account.added": lazy_gettext("Account added"),
    "account.disabled": lazy_gettext("Account disabled"),
    "account.enabled": lazy_gettext("Account enabled"),
    "account.locked": lazy_gettext("Account has to wait"),
    "account.password_changed": lazy_gettext("Password changed"),
    "account.recovery_codes_made": lazy_gettext("New recovery codes made"),
    "account.reset": lazy_gettext("Account reset"),
    "account.roles": lazy_gettext("Roles changed"),
    "account.second_factor_set": lazy_gettext("App for codes set up"),
    "account.sign_in_refused": lazy_gettext("Wrong password or code"),
    "account.signed_in": lazy_gettext("Signed in"),
    "account.signed_out": lazy_gettext("Signed out"),
    "demo.filled": lazy_gettext("Database filled with made-up data"),
    "mail.retried": lazy_gettext("Mail tried again"),
    "page.refused": lazy_gettext("Page refused: not among the account’s roles"),
}
"""Labels of audit actions. An action without one is shown by its code."""

OTHER_ACTORS: dict[str, LazyString] = {
    VISITOR: lazy_gettext("A patient"),
    UNKNOWN_ACTOR: lazy_gettext("Not known"),
    COMMAND: lazy_gettext("A command on the server"),
}
"""Names of actors that are not accounts."""


def account_names() -> dict[str, str]:
    """Return the name of every account by its id."""
    return {account.id: account.name for account in list_accounts()}


def active_names(role: str) -> dict[str, str]:
    """Return the names of the active accounts that have a role, by id."""
    return {account.id: account.name for account in list_accounts() if account.active and role in account.role_names}
