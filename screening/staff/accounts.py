"""What admins and commands do with accounts. Each is noted in the audit events; the caller commits."""

from collections.abc import Collection
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email
from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from sqlalchemy import func, select

from screening import audit
from screening.extensions import db
from screening.staff import lockout, passwords, roles, sessions, two_factor
from screening.staff.models import Account, Role


class AccountError(ValueError):
    """Something that cannot be done with an account, with what to tell."""

    def __init__(self, message: LazyString) -> None:
        super().__init__(message)
        self.message = message


NO_ACCOUNT = lazy_gettext("There is no account with this e-mail address.")

PROBLEMS: dict[str, LazyString] = {
    **roles.PROBLEMS,
    "email": lazy_gettext("That is not an e-mail address."),
    "name": lazy_gettext("Give a name, so that others know who it is."),
    "taken": lazy_gettext("There is an account with this e-mail address."),
    "own": lazy_gettext("You cannot disable your own account. Ask another admin."),
    "last_admin": lazy_gettext("Somebody must stay admin. Give the role to another account first."),
}
"""Why something cannot be done with an account, by code."""


@dataclass(frozen=True)
class Actor:
    """Who does it, and when: an account's id or ``audit.COMMAND``, and seconds since 1970, UTC."""

    actor: str
    now: int

    def note(self, action: str, account: Account, **detail: str) -> None:
        """Add an event about an account."""
        db.session.add(audit.event(action, self.now, self.actor, account.id, **detail))


def list_accounts() -> list[Account]:
    """All accounts, by name."""
    return list(db.session.scalars(select(Account).order_by(func.lower(Account.name), Account.id)))


def add(doer: Actor, email: str, name: str, names: Collection[str]) -> tuple[Account, str]:
    """A new account, and its temporary password. Raises AccountError."""
    _check_roles(names)
    try:
        address = validate_email(email, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise AccountError(PROBLEMS["email"]) from None
    if not name.strip():
        raise AccountError(PROBLEMS["name"])
    if Account.with_email(address):
        raise AccountError(PROBLEMS["taken"])
    password = passwords.temporary_password()
    account = Account(
        email=address, name=name.strip(), password=passwords.hash_password(password), roles=_as_rows(names)
    )
    db.session.add(account)
    db.session.flush()
    doer.note("account.added", account, roles=_listed(names))
    return account, password


def set_roles(doer: Actor, account: Account, names: Collection[str]) -> None:
    """Give an account these roles and no others, and sign it out. Raises AccountError."""
    _check_roles(names)
    if set(names) == account.role_names:
        return
    before = _listed(account.role_names)
    _hold_accounts()
    account.roles = []
    db.session.flush()  # else the new rows come before the old ones go
    account.roles = _as_rows(names)
    _check_admin_left(doer)
    sessions.end_all(account)
    doer.note("account.roles", account, before=before, after=_listed(names))


def reset(doer: Actor, account: Account) -> str:
    """Start an account over: its new temporary password. App, recovery codes, waits and sessions go."""
    password = passwords.temporary_password()
    account.password, account.must_change_password = passwords.hash_password(password), True
    two_factor.delete_second_factor(account)
    lockout.reset_attempts(account)
    sessions.end_all(account)
    doer.note("account.reset", account)
    return password


def disable(doer: Actor, account: Account) -> None:
    """Shut an account and sign it out. Raises AccountError."""
    if account.id == doer.actor:
        raise AccountError(PROBLEMS["own"])
    if not account.active:
        return
    _hold_accounts()
    account.active = False
    _check_admin_left(doer)
    sessions.end_all(account)
    doer.note("account.disabled", account)


def enable(doer: Actor, account: Account) -> None:
    """Open an account again; password and second factor are as they were."""
    if not account.active:
        account.active = True
        lockout.reset_attempts(account)
        doer.note("account.enabled", account)


def change_password(doer: Actor, account: Account, password: str) -> None:
    """Let an account have a password of its owner's choice, and end its sessions."""
    account.password, account.must_change_password = passwords.hash_password(password), False
    sessions.end_all(account)
    doer.note("account.password_changed", account)


def _check_roles(names: Collection[str]) -> None:
    problem = roles.role_problem(names)
    if problem is not None:
        raise AccountError(problem)


def _as_rows(names: Collection[str]) -> list[Role]:
    return [Role(name=name) for name in sorted(set(names))]


def _listed(names: Collection[str]) -> str:
    return " ".join(sorted(names))


def _hold_accounts() -> None:
    """Let no two admins take each other's role away at the same time (SQLite has one writer at a time anyway)."""
    db.session.execute(select(Account.id).order_by(Account.id).with_for_update()).all()


def _check_admin_left(doer: Actor) -> None:
    """Refuse what leaves nobody to look after accounts; who works on the machine can add another."""
    db.session.flush()
    left = select(Account.id).join(Role).where(Account.active.is_(True), Role.name == roles.ADMIN).limit(1)
    if doer.actor != audit.COMMAND and db.session.scalar(left) is None:
        raise AccountError(PROBLEMS["last_admin"])
