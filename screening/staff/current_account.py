"""The account that is signed in, for views of every package that serves staff."""

from flask_login import current_user

from screening.staff.models import Account


def current_account() -> Account:
    """Return the account that is signed in. Raises RuntimeError without one, which the access check prevents."""
    account = account_or_none()
    if account is None:
        raise RuntimeError("no account is signed in")
    return account


def account_or_none() -> Account | None:
    """Return the account that is signed in by password and second factor, if any."""
    return current_user._get_current_object() if current_user.is_authenticated else None
