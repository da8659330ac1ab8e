"""Guessing is slow: after five wrong tries in a row an account waits, a minute at first and an hour at most.

The count is in the account's row, so it outlives a restart and holds for all processes. A try is
counted before it is looked at, in one statement: guesses sent all at once are not all looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, or_, update

from screening.extensions import db
from screening.staff.models import Account

FREE = 5
"""So many wrong tries in a row bring the first wait."""

WAITS = (60, 120, 240, 480, 960, 1920, 3600)
"""Seconds after the fifth wrong try, the sixth and so on; the last one stays."""


@dataclass(frozen=True)
class Try:
    """One try that may be looked at. ``locked_until`` is when the next may be made should it fail, 0 for at once."""

    locked_until: int


def take(account: Account, now: int) -> Try | None:
    """Count a try as a wrong one for now; None when the account has to wait.

    A wait longer than there is was begun before the clock was put back, and is none.
    Not committed: until then nobody else can have a try at this account, on either database.
    """
    wrong = Account.failures
    waits = [(wrong == FREE - 1 + extra, now + wait) for extra, wait in enumerate(WAITS)]
    row = db.session.execute(
        update(Account)
        .where(Account.id == account.id, or_(Account.locked_until <= now, Account.locked_until > now + WAITS[-1]))
        .values(failures=wrong + 1, locked_until=case((wrong < FREE - 1, 0), *waits, else_=now + WAITS[-1]))
        .returning(Account.locked_until)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return None if row is None else Try(row.locked_until)


def give_back(account: Account, taken: Try) -> None:
    """Take one try off the count: it was right. Other tries stay counted, so do waits they brought."""
    until = case((Account.locked_until == taken.locked_until, 0), else_=Account.locked_until)
    db.session.execute(
        update(Account)
        .where(Account.id == account.id)
        .values(failures=Account.failures - 1, locked_until=until)
        .execution_options(synchronize_session=False)
    )


def clear(account: Account) -> None:
    """Forget all wrong tries."""
    db.session.execute(
        update(Account)
        .where(Account.id == account.id)
        .values(failures=0, locked_until=0)
        .execution_options(synchronize_session=False)
    )
