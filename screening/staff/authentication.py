"""Checks of password, code and recovery code. Each attempt counts towards the lockout, each failure is audited."""

from collections.abc import Callable
from enum import Enum

from sqlalchemy import update

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
    """Return the account of an e-mail address and password. Raises BusyError.

    None for a wrong password and for an account that is locked, disabled or missing, after the same work, so that the
    response time does not disclose which accounts exist.
    """
    account = Account.with_email(email)
    if account is not None and account.active:
        return account if check_password(account, password, now) is AuthResult.OK else None
    db.session.rollback()
    with passwords.hashing():
        passwords.verify("", password)
    return None


def check_password(account: Account, password: str, now: int) -> AuthResult:
    """Check an account's password. Raises BusyError, and the attempt is then not counted.

    The attempt is committed before the slow hashing, which must hold neither a lock nor a connection.
    """
    db.session.rollback()
    with passwords.hashing():
        attempt, stored = lockout.begin_attempt(account, now), account.password
        db.session.commit()
        found = passwords.verify(stored if attempt else "", password)
    if attempt is None:
        return AuthResult.LOCKED_OUT
    if found is None:
        _record_failure(account, attempt, now)
        db.session.commit()
        return AuthResult.INVALID
    if found != stored:
        _replace_hash(account, stored, found)
    lockout.refund_attempt(account, attempt)
    db.session.commit()
    return AuthResult.OK


def is_password(account: Account, password: str) -> bool:
    """Return whether a password is the account's. For its owner only: no attempt is counted. Raises BusyError."""
    stored = account.password
    db.session.rollback()
    with passwords.hashing():
        return passwords.verify(stored, password) is not None


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


def _replace_hash(account: Account, stored: str, found: str) -> None:
    """Store a right password's new hash, unless the password was changed meanwhile."""
    db.session.execute(
        update(Account).where(Account.id == account.id, Account.password == stored).values(password=found)
    )


def _record_failure(account: Account, attempt: lockout.Attempt, now: int) -> None:
    db.session.add(audit.event("account.sign_in_refused", now, audit.UNKNOWN_ACTOR, account.id))
    if attempt.locked_until:
        db.session.add(
            audit.event(
                "account.locked", now, audit.UNKNOWN_ACTOR, account.id, minutes=str((attempt.locked_until - now) // 60)
            )
        )
