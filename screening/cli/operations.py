"""``flask purge``, ``worker``, ``doctor`` and ``demo``: what keeps a site running."""

import sys

import click
from flask.cli import with_appcontext

from screening import current
from screening.cli.base import Command


@click.command("purge", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only count.")
@with_appcontext
def purge(dry_run: bool) -> None:
    """Erase what is done with, and its bytes; print how many of each kind. The worker does it daily."""
    from screening.operations import purge as purging  # it takes half a second to load

    purged = purging.purge(current.settings(), current.now(), dry_run)
    for name, count in purged.counts.items():
        click.echo(f"{name}\t{count}")
    if not purged.wiped and not dry_run:
        click.echo("The old pages could not be wiped now; the next purge does it", err=True)


@click.command("worker", cls=Command)
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@click.option("--parent-pid", type=int, metavar="PID", help="End with this process, which started the worker.")
@with_appcontext
def worker(once: bool, parent_pid: int | None) -> None:
    """Deliver mail every few seconds; mix and purge daily. Ends at SIGTERM or Ctrl+C, between two mails."""
    from screening.app import create_app
    from screening.mail import smtp
    from screening.operations.worker import Signals, Worker

    signals = Signals(parent_pid)
    smtp.check_files(current.settings())
    site = create_app(current.settings(), serving=False)
    if not Worker(site.extensions["staff"], signals).work(once) and once:
        click.echo("Another worker is at work, and does it", err=True)


@click.command("doctor", cls=Command)
@with_appcontext
def doctor() -> None:
    """Look over this installation; print each finding with what mends it. Fails when one needs somebody."""
    from screening.operations.doctor import CheckInputs, examine

    findings = examine(CheckInputs(current.settings(), current.now()))
    for finding in findings:
        click.echo(f"{finding.severity.value}\t{finding.what}\t{finding.fix}")
    needing = sum(finding.needs_somebody for finding in findings)
    click.echo(f"{needing} of {len(findings)} findings need somebody" if findings else "Nothing found", err=True)
    if needing:
        sys.exit(1)


@click.command("demo", cls=Command)
@with_appcontext
def demo() -> None:
    """Fill an empty database with a demo clinic's requests, copies and accounts, and print how to sign in."""
    from screening.app import create_app
    from screening.operations.demo import fill

    logins = fill(create_app(current.settings()))
    click.echo("Sign in at /staff with a password, then the code of an app that was given the secret.", err=True)
    for login in logins:
        click.echo(f"{login.email}\t{login.password}\t{login.secret}")
