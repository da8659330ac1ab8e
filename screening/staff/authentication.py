"""Who somebody says they are, proved by password, code or recovery code; each try counted and noted."""

from collections.abc import Callable
from enum import Enum

from screening import audit
from screening.extensions import db
from screening.staff import lockout, passwords
from screening.staff.models import Account
from screening.staff.two_factor import SecondFactor


class AuthResult(Enum):
    """What became of a try: ``LOCKED_OUT`` is one that was not even looked at."""

    OK = "ok"
    INVALID = "invalid"
    LOCKED_OUT = "locked_out"


CodeProof = Callable[[SecondFactor, Account, str, int], AuthResult]
"""How a code is proved: second factor, account, code, and the time in seconds since 1970, UTC."""


def find_account(email: str, password: str, now: int) -> Account | None:
    """The account that e-mail and password belong to.

    None for a wrong password as for an account that waits, is disabled or does not exist, after
    about the same time.
    """
    account = Account.with_email(email)
    if account is None or not account.active:
        passwords.verify_dummy(_checkable(password))
        return None
    return account if check_password(account, password, now) is AuthResult.OK else None


def check_password(account: Account, password: str, now: int) -> AuthResult:
    """Whether a password is the account's. Committed before the slow part, which must not hold the database."""
    taken = lockout.begin_attempt(account, now)
    db.session.commit()
    if taken is None:
        passwords.verify_dummy(_checkable(password))
        return AuthResult.LOCKED_OUT
    if not account.verify_and_update_password(_checkable(password)):
        _note(account, taken, now)
        db.session.commit()
        return AuthResult.INVALID
    lockout.refund_attempt(account, taken)
    db.session.commit()
    return AuthResult.OK


def check_code(second_factor: SecondFactor, account: Account, code: str, now: int) -> AuthResult:
    """Whether a code is what the account's app shows now. A right one is used up, and forgives wrong tries."""
    return _by(account, lambda: second_factor.verify_code(account, code), now)


def check_recovery_code(second_factor: SecondFactor, account: Account, code: str, now: int) -> AuthResult:
    """Whether a recovery code is one of the account's. It works this once, and forgives wrong tries."""
    return _by(account, lambda: second_factor.verify_recovery_code(account, code), now)


def _by(account: Account, is_right: Callable[[], bool], now: int) -> AuthResult:
    """Look at a code while the account is held: of two that come at once, the second sees the first as used."""
    taken = lockout.begin_attempt(account, now)
    if taken is None:
        db.session.rollback()
        return AuthResult.LOCKED_OUT
    db.session.refresh(account)
    right = is_right()
    if right:
        db.session.flush()
        lockout.reset_attempts(account)
    else:
        _note(account, taken, now)
    db.session.commit()
    return AuthResult.OK if right else AuthResult.INVALID


def _note(account: Account, taken: lockout.Attempt, now: int) -> None:
    db.session.add(audit.event("account.sign_in_refused", now, audit.UNKNOWN_ACTOR, account.id))
    if taken.locked_until:
        db.session.add(
            audit.event(
                "account.locked", now, audit.UNKNOWN_ACTOR, account.id, minutes=str((taken.locked_until - now) // 60)
            )
        )


def _checkable(password: str) -> str:
    """The password, or one that is nobody's in place of what cannot be anybody's."""
    return "" if len(password) > passwords.MAX_LENGTH or "\0" in password else password
