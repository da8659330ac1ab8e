"""The one line that a failed command prints: what is wrong, and what to do. Never a traceback, value or password."""

import errno
import os
import sqlite3
import sys
from types import TracebackType

import click
import psycopg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from screening.config import SettingsError
from screening.questionnaires.table_reader import DefinitionError
from screening.web.errors import is_unavailable, origin_of

EXPECTED = (SettingsError, DefinitionError)
"""Errors whose message is the line."""

OTHER_USER = "run the command as the user of the site, and see that it may write there"
FULL = "make room on its disk"
STEPS = {
    errno.EACCES: OTHER_USER,
    errno.EPERM: OTHER_USER,
    errno.EROFS: "make its disk writable",
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.ENOENT: "see that the folder exists",
}
"""By error number of the operating system: what to do."""

OUTDATED = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn)
STATE = "see that it runs, that its disk has room, that this user may write to it, and SCREENING_DATABASE_URL"


def line_of(error: Exception) -> str:
    """Return the line of an error; of one that nobody expects its type and place, to be reported."""
    if isinstance(error, EXPECTED):
        return str(error)
    if isinstance(error, SQLAlchemyError) and (found := _database_line(error)):
        return found
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}: {STEPS.get(error.errno or 0, 'flask doctor may know more')}"
    return f"The command failed by a mistake in the site; please report this line: {origin_of(error)}"


def fail(line: str) -> None:
    """Print the line to stderr and exit with 1. Output that cannot be written, as on a full disk, is dropped."""
    try:
        sys.stdout.flush()
    except OSError:  # Python would try again at its end, and print that it failed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    click.echo(line, err=True)
    sys.exit(1)


def excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print in one line what no command caught, as ``sys.excepthook``: errors of ``flask db`` and of Flask itself."""
    if isinstance(error, Exception):
        click.echo(line_of(error), err=True)
    else:
        sys.__excepthook__(kind, error, trace)


def _database_line(error: SQLAlchemyError) -> str | None:
    """Return the line of a database that is outdated or unavailable; None for other errors, such as a bad value."""
    original = error.orig if isinstance(error, DBAPIError) else None
    reason = str(original or type(error).__name__).partition("\n")[0]
    if isinstance(original, OUTDATED) or (isinstance(original, sqlite3.OperationalError) and "no such" in reason):
        return "The database is not as this version of the site needs it: run flask db upgrade"
    return f"The database cannot be used ({reason}): {STATE}" if is_unavailable(error) else None
