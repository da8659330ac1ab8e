"""What an account may do: a few roles, and the two that nobody holds together."""

from collections.abc import Collection

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
"""Every role, in the order it is shown, with what it lets somebody do."""

SEPARATED = (ROWS, CALLBACKS)
"""Who knows a patient by name must not see single answers in full detail (see the migration's index)."""

PROBLEMS: dict[str, LazyString] = {
    "unknown_role": lazy_gettext("There is no such role."),
    "separated": lazy_gettext(
        "“Rows” and “Call-backs” cannot go to one person: who talks with patients must not see single rows."
    ),
}
"""Why roles cannot be given, by code."""


def role_problem(names: Collection[str]) -> LazyString | None:
    """Why an account cannot have these roles together; None when it can."""
    if not set(names) <= set(MEANINGS):
        return PROBLEMS["unknown_role"]
    if set(SEPARATED) <= set(names):
        return PROBLEMS["separated"]
    return None
