"""Errors of a transaction that lost against a concurrent one."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

POSTGRESQL_CODES = ("23505", "23503")
"""``unique_violation`` and ``foreign_key_violation``."""

SQLITE_CODES = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_FOREIGNKEY")


def is_conflict(error: Exception) -> bool:
    """Return whether a row was changed, deleted, or added under the same key since it was read."""
    if not isinstance(error, IntegrityError):
        return isinstance(error, StaleDataError)
    codes = getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorname", None)
    return codes[0] in POSTGRESQL_CODES or codes[1] in SQLITE_CODES
