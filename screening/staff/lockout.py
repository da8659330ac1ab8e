"""Lockout: after five failed attempts in a row an account is locked, for a minute at first and an hour at most.

An attempt is counted before it is checked, in one statement, so that parallel guesses cannot exceed the limit.
"""

from dataclasses import dataclass

from sqlalchemy import case, or_, update

from screening.extensions import db
from screening.staff.models import Account

FREE_ATTEMPTS = 5
"""Failed attempts in a row that lead to the first lockout."""

LOCKOUT_SECONDS = (60, 120, 240, 480, 960, 1920, 3600)
"""Duration of the lockout after the fifth failure, the sixth and so on; the last applies to all further ones."""


@dataclass(frozen=True)
class Attempt:
    """A counted attempt that may be checked. ``locked_until``: when the next is possible if this fails; 0: at once."""

    locked_until: int


def begin_attempt(account: Account, now: int) -> Attempt | None:
    """Count an attempt as failed until ``refund_attempt``; return None if the account is locked.

    A lockout that ends later than the longest one can is ignored: the clock was set back. The caller commits; until
    then the row is locked, on both databases, and no other attempt on this account can begin.
    """
    wrong = Account.failures
    waits = [(wrong == FREE_ATTEMPTS - 1 + extra, now + wait) for extra, wait in enumerate(LOCKOUT_SECONDS)]
    row = db.session.execute(
        update(Account)
        .where(
            Account.id == account.id, or_(Account.locked_until <= now, Account.locked_until > now + LOCKOUT_SECONDS[-1])
        )
        .values(
            failures=wrong + 1,
            locked_until=case((wrong < FREE_ATTEMPTS - 1, 0), *waits, else_=now + LOCKOUT_SECONDS[-1]),
        )
        .returning(Account.locked_until)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return None if row is None else Attempt(row.locked_until)


def refund_attempt(account: Account, attempt: Attempt) -> None:
    """Remove a successful attempt from the count, never below zero: the count may have been reset meanwhile.

    Other attempts stay counted, and so do their lockouts.
    """
    left = case((Account.failures > 0, Account.failures - 1), else_=0)
    until = case((Account.locked_until == attempt.locked_until, 0), else_=Account.locked_until)
    db.session.execute(
        update(Account)
        .where(Account.id == account.id)
        .values(failures=left, locked_until=until)
        .execution_options(synchronize_session=False)
    )


def reset_attempts(account: Account) -> None:
    """Delete all failed attempts, and the lockout."""
    db.session.execute(
        update(Account)
        .where(Account.id == account.id)
        .values(failures=0, locked_until=0)
        .execution_options(synchronize_session=False)
    )
