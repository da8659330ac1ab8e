"""Who somebody says they are, proved by password, code or recovery code; each try counted and noted."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from screening import audit
from screening.extensions import db
from screening.staff import passwords, second_factor, throttle
from screening.staff.models import Account


class Outcome(Enum):
    """What became of a try: ``WAIT`` is one that was not even looked at."""

    RIGHT = "right"
    WRONG = "wrong"
    WAIT = "wait"


CodeProof = Callable[[Account, str, int], Outcome]
"""How a code is proved: account, code, and the time in seconds since 1970, UTC."""


def by_email(email: str, password: str, now: int) -> Account | None:
    """The account that e-mail and password belong to.

    None for a wrong password as for an account that waits, is disabled or does not exist, after
    about the same time.
    """
    account = Account.with_email(email)
    if account is None or not account.active:
        passwords.check_nobodys(_checkable(password))
        return None
    return account if by_password(account, password, now) is Outcome.RIGHT else None


def by_password(account: Account, password: str, now: int) -> Outcome:
    """Whether a password is the account's. Committed before the slow part, which must not hold the database."""
    taken = throttle.take(account, now)
    db.session.commit()
    if taken is None:
        passwords.check_nobodys(_checkable(password))
        return Outcome.WAIT
    if not account.verify_and_update_password(_checkable(password)):
        _note(account, taken, now)
        db.session.commit()
        return Outcome.WRONG
    throttle.give_back(account, taken)
    db.session.commit()
    return Outcome.RIGHT


def by_code(account: Account, code: str, now: int) -> Outcome:
    """Whether a code is what the account's app shows now. A right one is used up, and forgives wrong tries."""
    return _by(account, lambda: second_factor.accepts(account, code), now)


def by_recovery_code(account: Account, code: str, now: int) -> Outcome:
    """Whether a recovery code is one of the account's. It works this once, and forgives wrong tries."""
    return _by(account, lambda: second_factor.accepts_recovery(account, code), now)


def _by(account: Account, is_right: Callable[[], bool], now: int) -> Outcome:
    """Look at a code while the account is held: of two that come at once, the second sees the first as used."""
    taken = throttle.take(account, now)
    if taken is None:
        db.session.rollback()
        return Outcome.WAIT
    db.session.refresh(account)
    right = is_right()
    if right:
        db.session.flush()
        throttle.clear(account)
    else:
        _note(account, taken, now)
    db.session.commit()
    return Outcome.RIGHT if right else Outcome.WRONG


def _note(account: Account, taken: throttle.Try, now: int) -> None:
    db.session.add(audit.event("account.sign_in_refused", now, audit.STRANGER, account.id))
    if taken.locked_until:
        db.session.add(
            audit.event(
                "account.locked", now, audit.STRANGER, account.id, minutes=str((taken.locked_until - now) // 60)
            )
        )


def _checkable(password: str) -> str:
    """The password, or one that is nobody's in place of what cannot be anybody's."""
    return "" if len(password) > passwords.LONGEST or "\0" in password else password
