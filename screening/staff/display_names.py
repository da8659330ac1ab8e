"""Display names of accounts, actors and audit actions on staff pages."""

import re
from collections.abc import Collection, Mapping

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

from screening.audit import COMMAND, UNKNOWN_ACTOR, VISITOR
from screening.staff.accounts import list_accounts
from screening.staff.roles import ADMIN, NAMES

ACTION_LABELS: dict[str, LazyString] = {
    "account.added": lazy_gettext("Account added"),
    "account.disabled": lazy_gettext("Account disabled"),
    "account.corrected": lazy_gettext("Name or email corrected"),
    "account.unlocked": lazy_gettext("Wait lifted"),
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

DETAIL_LABELS: dict[str, LazyString] = {
    "after": lazy_gettext("After"),
    "before": lazy_gettext("Before"),
    "confirmed": lazy_gettext("Confirmed, rows that are the only match"),
    "expert determination": lazy_gettext("Expert determination"),
    "file": lazy_gettext("File"),
    "found": lazy_gettext("Requests"),
    "ladders": lazy_gettext("Hierarchies"),
    "mails": lazy_gettext("Mails"),
    "most alone": lazy_gettext("Limit of rows that are the only match"),
    "outcome": lazy_gettext("Outcome"),
    "page": lazy_gettext("Page"),
    "reason": lazy_gettext("Reason"),
    "roles": lazy_gettext("Roles"),
    "rows": lazy_gettext("Rows"),
    "tab": lazy_gettext("Tab"),
    "to": lazy_gettext("Handed to"),
}
"""Labels of the details of audit events. A detail without one is shown by its code."""

DETAIL_VALUES: dict[str, dict[str, LazyString]] = dict.fromkeys(("roles", "before", "after"), NAMES)
"""By detail, the texts of its codes. Packages add theirs."""

SHORT_ID = 8
"""Letters shown of an id of 32, which the page of the audit links in full."""


def shorten_id(text: str) -> str:
    """Return a random id shortened; any other text unchanged."""
    return f"{text[:SHORT_ID]}…" if re.fullmatch(r"[0-9a-f]{32}", text) else text


def detail_text(detail: Mapping[str, str], accounts: Mapping[str, str]) -> str:
    """Return the details of an audit event in words: names of accounts, texts of codes, shortened ids."""
    parts = ((DETAIL_LABELS.get(name, name), _in_words(name, value, accounts)) for name, value in detail.items())
    return "; ".join(f"{label}: {text}" for label, text in parts)


def _in_words(name: str, value: str, accounts: Mapping[str, str]) -> str:
    texts = DETAIL_VALUES.get(name, {})
    words = [str(texts.get(part) or accounts.get(part) or shorten_id(part)) for part in value.split(" ")]
    return (", " if name in ("roles", "before", "after", "found") else " ").join(words)


OTHER_ACTORS: dict[str, LazyString] = {
    VISITOR: lazy_gettext("A patient"),
    UNKNOWN_ACTOR: lazy_gettext("Not known"),
    COMMAND: lazy_gettext("A command on the server"),
}
"""Names of actors that are not accounts."""


def whom_to_ask(roles: Collection[str]) -> tuple[list[str], list[str]]:
    """Return the names of these roles, and those of the active administrators, for the page of a refusal."""
    named = [str(name) for role, name in NAMES.items() if role in roles]
    return named, list(active_names(ADMIN).values()) if named else []


def account_names() -> dict[str, str]:
    """Return the name of every account by its id."""
    return {account.id: account.name for account in list_accounts()}


def active_names(role: str) -> dict[str, str]:
    """Return the names of the active accounts that have a role, by id."""
    return {account.id: account.name for account in list_accounts() if account.active and role in account.role_names}
