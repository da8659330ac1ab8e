"""``flask serve``, ``worker``, ``purge``, ``doctor`` and ``demo``: commands to operate a site."""

import sys

import click
from flask.cli import with_appcontext

from screening import clinic, current
from screening.cli.base import Command
from screening.operations import server


@click.command("serve", cls=Command)
@click.argument("address", metavar="[HOST:]PORT", default="8000")
@click.option("--host", envvar="GRANIAN_HOST", default="127.0.0.1", help="HOST, where only PORT is given.")
@click.option("--workers", envvar="GRANIAN_WORKERS", default=2, type=click.IntRange(1), help="Number of processes.")
@click.option("--with-worker", is_flag=True, help="Also run flask worker; when one of them ends, the other does.")
@click.option("--check", is_flag=True, help="Only check that the site could listen there.")
def serve(address: str, host: str, workers: int, with_worker: bool, check: bool) -> None:
    """Serve the site with granian. IPv6 addresses are given in brackets: [::1]:8000."""
    ip, port = server.parse_address(address, host)
    server.require_free(ip, port)
    if check:
        return
    from screening.app import create_app

    create_app()  # a site that cannot start is refused here: granian would start its processes again and again
    words = server.command(ip, port, workers)
    click.echo(f"The site is on {server.url(ip, port)}, the staff's side on {server.url(ip, port)}/staff", err=True)
    if not with_worker:
        server.run(words)
    click.echo("Ctrl+C ends it", err=True)
    sys.exit(server.run_with_worker(words))


@click.command("purge", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only count, delete nothing.")
@with_appcontext
def purge(dry_run: bool) -> None:
    """Delete expired records and scrub freed database pages; print counts. The worker does this daily."""
    from screening.operations import purge as purging  # slow to import: half a second

    settings = current.settings()
    purged = purging.purge(settings, clinic.load(settings["CLINIC_FILE"]), current.now(), dry_run)
    for name, count in purged.counts.items():
        click.echo(f"{name}\t{count}")
    if not purged.scrubbed and not dry_run:
        click.echo("Freed pages could not be scrubbed, the database is in use; the next purge tries again", err=True)


@click.command("worker", cls=Command)
@click.option("--once", is_flag=True, help="Run the jobs that are due, then exit.")
@with_appcontext
def worker(once: bool) -> None:
    """Deliver mail, shuffle ripe responses, purge daily, rotate the response key daily and the call-back key weekly.

    Exits on SIGTERM or Ctrl+C, after the mail being sent.
    """
    from screening.app import create_app
    from screening.mail import smtp
    from screening.operations.worker import Signals, Worker

    signals = Signals()
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
    click.echo("Sign in at /staff with email, password and a code from an app set up with the secret:", err=True)
    for login in logins:
        click.echo(f"{login.email}\t{login.password}\t{login.secret}")
