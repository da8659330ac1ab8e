"""The roles of accounts, and the two that no account may have together."""

from collections.abc import Callable, Collection

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString

CALLBACKS = "callbacks"
RESPONSES = "responses"
ROWS = "rows"
ADMIN = "admin"

MEANINGS: dict[str, LazyString] = {
    CALLBACKS: lazy_gettext("Call-backs: reads requests for a call, and answers them"),
    RESPONSES: lazy_gettext("Responses: sees the trends, and makes releases of the anonymous answers"),
    ROWS: lazy_gettext("Rows: makes releases in full detail"),
    ADMIN: lazy_gettext("Admin: looks after accounts, and reads the audit page"),
}
"""Every role, in the order of the form, with its description."""

NAMES: dict[str, LazyString] = {
    CALLBACKS: lazy_gettext("Call-backs"),
    RESPONSES: lazy_gettext("Responses"),
    ROWS: lazy_gettext("Rows"),
    ADMIN: lazy_gettext("Admin"),
}
"""The name of every role."""

SEPARATED = (ROWS, CALLBACKS)
"""Roles that no account may have together (``models.Role`` has an index for it): an account that sees patients' names
must not see single responses in full detail."""

AFTER_LOSS: dict[str, Callable[[str, int], object]] = {}
"""By role, what follows when an account may no longer use it: called with the actor and the time, before the commit."""

PROBLEMS: dict[str, LazyString] = {
    "unknown_role": lazy_gettext("There is no such role."),
    "separated": lazy_gettext(
        "“Rows” and “Call-backs” cannot go to one person: who talks with patients must not see single rows."
    ),
}
"""Why roles are refused, by code."""


def role_problem(names: Collection[str]) -> LazyString | None:
    """Return why an account cannot have these roles together; None if it can."""
    if not set(names) <= set(MEANINGS):
        return PROBLEMS["unknown_role"]
    if set(SEPARATED) <= set(names):
        return PROBLEMS["separated"]
    return None
