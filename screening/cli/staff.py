"""``flask staff``: accounts, for the first administrator and for when no administrator can sign in."""

import click

from screening import audit, current
from screening.cli.base import Group
from screening.extensions import db
from screening.staff import accounts, roles
from screening.staff.accounts import AccountError, Actor
from screening.staff.models import Account

staff = Group(
    "staff",
    help="Manage staff accounts. A password is printed once and must be changed at the first sign-in.",
    refusals=(AccountError,),
)


@staff.command("add")
@click.argument("email")
@click.option("--name", required=True, help="The staff member's name, as others see it.")
@click.option("--role", "names", multiple=True, type=click.Choice(list(roles.MEANINGS)), help="May be repeated.")
def add(email: str, name: str, names: tuple[str, ...]) -> None:
    """Add an account, and print its temporary password."""
    _, password = accounts.add(_actor(), email, name, names)
    db.session.commit()
    click.echo("Added. Hand over this password:", err=True)
    click.echo(password)


@staff.command("reset")
@click.argument("email")
def reset(email: str) -> None:
    """Reset an account: print a temporary password, remove app and recovery codes, sign it out."""
    password = accounts.reset(_actor(), _account(email))
    db.session.commit()
    click.echo("Reset. Hand over this password:", err=True)
    click.echo(password)


@staff.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Disable an account and sign it out."""
    accounts.disable(_actor(), _account(email))
    db.session.commit()
    click.echo("Disabled.", err=True)


def _account(email: str) -> Account:
    account = Account.with_email(email)
    if account is None:
        raise AccountError(accounts.NO_ACCOUNT)
    return account


def _actor() -> Actor:
    return Actor(audit.COMMAND, int(current.now()))
