"""After five wrong attempts in a row an account is locked, for a minute at first and an hour at most.

An attempt is counted before it is checked, in one statement, so parallel guesses are not all checked.
"""

from dataclasses import dataclass

from sqlalchemy import case, or_, update

from screening.extensions import db
from screening.staff.models import Account

FREE_ATTEMPTS = 5
"""So many wrong tries in a row bring the first wait."""

LOCKOUT_SECONDS = (60, 120, 240, 480, 960, 1920, 3600)
"""Seconds after the fifth wrong try, the sixth and so on; the last one stays."""


@dataclass(frozen=True)
class Attempt:
    """One try that may be looked at. ``locked_until`` is when the next may be made should it fail, 0 for at once."""

    locked_until: int


def begin_attempt(account: Account, now: int) -> Attempt | None:
    """Count a try as a wrong one for now; None when the account has to wait.

    A wait longer than there is was begun before the clock was put back, and is none.
    Not committed: until then nobody else can have a try at this account, on either database.
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


def refund_attempt(account: Account, taken: Attempt) -> None:
    """Take one try off the count: it was right. Other tries stay counted, so do waits they brought."""
    until = case((Account.locked_until == taken.locked_until, 0), else_=Account.locked_until)
    db.session.execute(
        update(Account)
        .where(Account.id == account.id)
        .values(failures=Account.failures - 1, locked_until=until)
        .execution_options(synchronize_session=False)
    )


def reset_attempts(account: Account) -> None:
    """Forget all wrong tries."""
    db.session.execute(
        update(Account)
        .where(Account.id == account.id)
        .values(failures=0, locked_until=0)
        .execution_options(synchronize_session=False)
    )
