"""Operations on accounts, for administrators and commands. Each adds an audit event; the caller commits."""

from collections.abc import Collection
from dataclasses import dataclass

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy import delete, func, select
from sqlalchemy.orm.exc import StaleDataError

from screening import audit
from screening.email_address import normalize_email
from screening.extensions import db
from screening.staff import lockout, passwords, roles, sessions, two_factor
from screening.staff.models import Account, Role
from screening.web.typed_text import identifier, single_line


class AccountError(ValueError):
    """An operation that an account does not allow. ``message`` is shown to the administrator."""

    def __init__(self, message: LazyString) -> None:
        super().__init__(message)
        self.message = message


NO_ACCOUNT = lazy_gettext("There is no account with this email address.")

PROBLEMS: dict[str, LazyString] = {
    **roles.PROBLEMS,
    "email": lazy_gettext("That is not an email address."),
    "name": lazy_gettext("Give a name, so that others know who it is."),
    "taken": lazy_gettext("There is an account with this email address."),
    "own": lazy_gettext("You cannot disable your own account. Ask another admin."),
    "last_admin": lazy_gettext("Someone must stay admin. Give the role to another account first."),
}
"""Messages of AccountError by code."""


@dataclass(frozen=True)
class Actor:
    """Who acts, and when: an account's id or ``audit.COMMAND``, and seconds since 1970, UTC."""

    actor: str
    now: int

    def note(self, action: str, account: Account, **detail: str) -> None:
        """Add an audit event about an account to the session."""
        db.session.add(audit.event(action, self.now, self.actor, account.id, **detail))


def list_accounts() -> list[Account]:
    """Return all accounts, ordered by name."""
    return list(db.session.scalars(select(Account).order_by(func.lower(Account.name), Account.id)))


def add(by: Actor, email: str, name: str, names: Collection[str]) -> tuple[Account, str]:
    """Create an account; return it and its temporary password. Raises AccountError."""
    _check_roles(names)
    address, name = _address(email), _name(name)
    if Account.with_email(address):
        raise AccountError(PROBLEMS["taken"])
    password = passwords.temporary_password()
    account = Account(email=address, name=name, password=passwords.hash_password(password), roles=_as_rows(names))
    db.session.add(account)
    db.session.flush()
    by.note("account.added", account, roles=_listed(names))
    return account, password


def correct(by: Actor, account: Account, email: str, name: str) -> None:
    """Change an account's name and e-mail address. Raises AccountError."""
    address, name = _address(email), _name(name)
    other = Account.with_email(address)
    if other is not None and other.id != account.id:
        raise AccountError(PROBLEMS["taken"])
    if (account.email, account.name) != (address, name):
        account.email, account.name = address, name
        by.note("account.corrected", account)


def unlock(by: Actor, account: Account) -> None:
    """End the lockout of an account; its sessions, password and second factor stay."""
    lockout.reset_attempts(account)
    by.note("account.unlocked", account)


def set_roles(by: Actor, account: Account, names: Collection[str]) -> None:
    """Replace an account's roles, and end its sessions. Raises AccountError, and StaleDataError for a conflict."""
    _check_roles(names)
    if set(names) == account.role_names:
        return
    before = account.role_names
    _lock_accounts()
    deleted = db.session.scalars(delete(Role).where(Role.account_id == account.id).returning(Role.name))
    if frozenset(deleted) != before:
        raise StaleDataError("the roles were changed concurrently")
    db.session.expire(account, ["roles"])
    account.roles = _as_rows(names)
    _check_admin_left(by)
    sessions.end_all(account)
    by.note("account.roles", account, before=_listed(before), after=_listed(names))
    _follow_up(by)


def reset(by: Actor, account: Account) -> str:
    """Reset an account; return its temporary password. Deletes second factor, recovery codes, lockout and sessions."""
    password = passwords.temporary_password()
    account.password, account.must_change_password = passwords.hash_password(password), True
    two_factor.delete_second_factor(account)
    lockout.reset_attempts(account)
    sessions.end_all(account)
    by.note("account.reset", account)
    return password


def disable(by: Actor, account: Account) -> None:
    """Disable an account and end its sessions. Raises AccountError."""
    if account.id == by.actor:
        raise AccountError(PROBLEMS["own"])
    if not account.active:
        return
    _lock_accounts()
    account.active = False
    _check_admin_left(by)
    sessions.end_all(account)
    by.note("account.disabled", account)
    _follow_up(by)


def enable(by: Actor, account: Account) -> None:
    """Enable an account and end its lockout; password and second factor stay."""
    if not account.active:
        account.active = True
        lockout.reset_attempts(account)
        by.note("account.enabled", account)


def change_password(by: Actor, account: Account, password: str) -> None:
    """Set an account's password, and end its sessions."""
    account.password, account.must_change_password = passwords.hash_password(password), False
    sessions.end_all(account)
    by.note("account.password_changed", account)


def _address(email: str) -> str:
    try:
        return normalize_email(identifier(email)).lower()
    except ValueError:
        raise AccountError(PROBLEMS["email"]) from None


def _name(name: str) -> str:
    name = single_line(name)
    if not name:
        raise AccountError(PROBLEMS["name"])
    return name


def _follow_up(by: Actor) -> None:
    for follow_up in roles.AFTER_LOSS.values():
        follow_up(by.actor, by.now)


def _check_roles(names: Collection[str]) -> None:
    problem = roles.role_problem(names)
    if problem is not None:
        raise AccountError(problem)


def _as_rows(names: Collection[str]) -> list[Role]:
    return [Role(name=name) for name in sorted(set(names))]


def _listed(names: Collection[str]) -> str:
    return " ".join(sorted(names))


def _lock_accounts() -> None:
    """Lock all accounts, so that concurrent changes cannot remove the last administrator (SQLite has one writer)."""
    db.session.execute(select(Account.id).order_by(Account.id).with_for_update()).all()


def _check_admin_left(by: Actor) -> None:
    """Raise AccountError if no active administrator is left, except for commands: an operator can add one."""
    db.session.flush()
    left = select(Account.id).join(Role).where(Account.active.is_(True), Role.name == roles.ADMIN).limit(1)
    if by.actor != audit.COMMAND and db.session.scalar(left) is None:
        raise AccountError(PROBLEMS["last_admin"])
