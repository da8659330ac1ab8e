"""Checks of password, code and recovery code. Each attempt counts towards the lockout, each failure is audited."""

from collections.abc import Callable
from enum import Enum

from screening import audit
from screening.extensions import db
from screening.staff import lockout, passwords
from screening.staff.models import Account
from screening.staff.two_factor import SecondFactor


class AuthResult(Enum):
    """Result of an attempt. ``LOCKED_OUT``: refused without checking."""

    OK = "ok"
    INVALID = "invalid"
    LOCKED_OUT = "locked_out"


CodeProof = Callable[[SecondFactor, Account, str, int], AuthResult]
"""A check of a code: takes second factor, account, code, and the time in seconds since 1970, UTC."""


def find_account(email: str, password: str, now: int) -> Account | None:
    """Return the account of an e-mail address and password.

    None for a wrong password and for an account that is locked, disabled or missing, after about the same time, so
    that the response does not disclose which accounts exist.
    """
    account = Account.with_email(email)
    if account is None or not account.active:
        passwords.verify_dummy(_checkable(password))
        return None
    return account if check_password(account, password, now) is AuthResult.OK else None


def check_password(account: Account, password: str, now: int) -> AuthResult:
    """Check an account's password. The attempt is committed before the slow hashing, which must hold no lock."""
    attempt = lockout.begin_attempt(account, now)
    db.session.commit()
    if attempt is None:
        passwords.verify_dummy(_checkable(password))
        return AuthResult.LOCKED_OUT
    if not account.verify_and_update_password(_checkable(password)):
        _record_failure(account, attempt, now)
        db.session.commit()
        return AuthResult.INVALID
    lockout.refund_attempt(account, attempt)
    db.session.commit()
    return AuthResult.OK


def check_code(second_factor: SecondFactor, account: Account, code: str, now: int) -> AuthResult:
    """Check a code of the account's app. A valid one cannot be used again, and resets the count of failures."""
    return _check(account, lambda: second_factor.verify_code(account, code), now)


def check_recovery_code(second_factor: SecondFactor, account: Account, code: str, now: int) -> AuthResult:
    """Check a recovery code. A valid one cannot be used again, and resets the count of failures."""
    return _check(account, lambda: second_factor.verify_recovery_code(account, code), now)


def _check(account: Account, is_valid: Callable[[], bool], now: int) -> AuthResult:
    """Check a code while the account's row is locked, so that two concurrent requests cannot use the same code."""
    attempt = lockout.begin_attempt(account, now)
    if attempt is None:
        db.session.rollback()
        return AuthResult.LOCKED_OUT
    db.session.refresh(account)
    valid = is_valid()
    if valid:
        db.session.flush()
        lockout.reset_attempts(account)
    else:
        _record_failure(account, attempt, now)
    db.session.commit()
    return AuthResult.OK if valid else AuthResult.INVALID


def _record_failure(account: Account, attempt: lockout.Attempt, now: int) -> None:
    db.session.add(audit.event("account.sign_in_refused", now, audit.UNKNOWN_ACTOR, account.id))
    if attempt.locked_until:
        db.session.add(
            audit.event(
                "account.locked", now, audit.UNKNOWN_ACTOR, account.id, minutes=str((attempt.locked_until - now) // 60)
            )
        )


def _checkable(password: str) -> str:
    """Return the password; or an empty one, which no account has, in place of one that no account can have."""
    return "" if len(password) > passwords.MAX_LENGTH or "\0" in password else password
