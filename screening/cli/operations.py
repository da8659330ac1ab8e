"""``flask purge``, ``worker``, ``doctor`` and ``demo``: commands to operate a site."""

import sys

import click
from flask.cli import with_appcontext

from screening import current
from screening.cli.base import Command


@click.command("purge", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only count, delete nothing.")
@with_appcontext
def purge(dry_run: bool) -> None:
    """Delete expired records and scrub freed database pages; print counts. The worker does this daily."""
    from screening.operations import purge as purging  # slow to import: half a second

    purged = purging.purge(current.settings(), current.now(), dry_run)
    for name, count in purged.counts.items():
        click.echo(f"{name}\t{count}")
    if not purged.scrubbed and not dry_run:
        click.echo("Freed pages could not be scrubbed, the database is in use; the next purge tries again", err=True)


@click.command("worker", cls=Command)
@click.option("--once", is_flag=True, help="Run the jobs that are due, then exit.")
@click.option("--parent-pid", type=int, metavar="PID", help="Exit when this parent process exits.")
@with_appcontext
def worker(once: bool, parent_pid: int | None) -> None:
    """Deliver mail, shuffle ripe responses, purge daily, rotate the response key daily and the call-back key weekly.

    Exits on SIGTERM or Ctrl+C, after the mail being sent.
    """
    from screening.app import create_app
    from screening.mail import smtp
    from screening.operations.worker import Signals, Worker

    signals = Signals(parent_pid)
    smtp.check_files(current.settings())
    site = create_app(current.settings(), serving=False)
    if not Worker(site.extensions["staff"], signals).work(once) and once:
        click.echo("Another worker is running and does these jobs", err=True)


@click.command("doctor", cls=Command)
@with_appcontext
def doctor() -> None:
    """Check this installation; print each finding with its fix. Exits with 1 when a finding needs action."""
    from screening.operations.doctor import CheckInputs, examine

    findings = examine(CheckInputs(current.settings(), current.now()))
    for finding in findings:
        click.echo(f"{finding.severity.value}\t{finding.what}\t{finding.fix}")
    urgent = sum(finding.needs_action for finding in findings)
    click.echo(f"{urgent} of {len(findings)} findings need action" if findings else "Nothing found", err=True)
    if urgent:
        sys.exit(1)


@click.command("demo", cls=Command)
@with_appcontext
def demo() -> None:
    """Fill an empty database with demo requests, responses and accounts; print how to sign in."""
    from screening.app import create_app
    from screening.operations.demo import fill

    logins = fill(create_app(current.settings()))
    click.echo("Sign in at /staff with e-mail, password and a code from an app set up with the secret:", err=True)
    for login in logins:
        click.echo(f"{login.email}\t{login.password}\t{login.secret}")
