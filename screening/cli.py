"""The commands of the wings, under ``flask``. Data on stdout, words on stderr, non-zero on failure."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from screening import config, database
from screening.callback import desk, sealing, turning
from screening.command import Command, Group, now
from screening.config import SettingsError
from screening.extensions import babel
from screening.keyring import (
    BACKUP,
    CALLBACK,
    PURPOSES,
    SEARCH,
    Keyring,
    activate_key,
    add_key,
    create_ring,
    read_ring,
    ring_file,
)
from screening.operations.backup import BackupError, content
from screening.questionnaire.loader import load
from screening.responses import mixing
from screening.web import logs

questionnaire = Group("questionnaire", help="The questionnaire's definition.")


@questionnaire.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Check a definition without using it."""
    definition = load(file)
    click.echo(
        f"{definition.id} version {definition.version}: {len(definition.questions)} questions, "
        f"{len(definition.signs)} signs, {', '.join(definition.locales)}"
    )


keys = Group("keys", help="The key files. A key is added on every machine before it is activated.")


@keys.command("init")
def init() -> None:
    """Make a first key for each purpose that has none."""
    folder, purposes = _keys()
    for purpose in purposes:
        if create_ring(folder, purpose, _today()):
            click.echo(f"{purpose}: made {ring_file(folder, purpose).name}", err=True)


@keys.command("list")
def list_() -> None:
    """Show the keys: purpose, id, day made, and whether it seals or only opens."""
    folder, purposes = _keys()
    for purpose in purposes:
        ring = read_ring(folder, purpose)
        for key in ring.keys:
            click.echo(f"{purpose}\t{key.id}\t{key.made}\t{'seals' if key.id == ring.active else 'opens'}")


@keys.command("add")
@click.argument("purpose")
def add(purpose: str) -> None:
    """Add a key that only opens. Copy the file to every machine, then activate it."""
    folder, _ = _keys(purpose)
    click.echo(add_key(folder, purpose, _today()).id)


@keys.command("activate")
@click.argument("purpose")
@click.argument("key_id")
def activate(purpose: str, key_id: str) -> None:
    """Let a key seal. Running processes take it up when they restart, or when they meet it."""
    folder, _ = _keys(purpose)
    activate_key(folder, purpose, key_id)
    if purpose == CALLBACK:
        _publish(folder)
    if purpose == SEARCH:
        desk.forget_hashes(key_id)


@keys.command("turn")
@click.argument("purpose")
def turn(purpose: str) -> None:
    """Lay a new call-back key, seal what is kept to it, and destroy the old one a day later; print what was done."""
    if purpose != CALLBACK:
        raise SettingsError(f"only {CALLBACK} is turned: for the others there are flask keys add and activate")
    folder, _ = _keys(CALLBACK)
    done = turning.turn(folder, now())
    for name in ("resealed", "hashed", "unreadable", "destroyed"):
        click.echo(f"{name}\t{getattr(done, name)}")
    if done.waits_until:
        moment = datetime.fromtimestamp(done.waits_until, UTC)
        click.echo(
            f"The old key is destroyed by the worker, or by this command, from {moment:%Y-%m-%d %H:%M} UTC", err=True
        )


@keys.command("publish")
def publish() -> None:
    """Let requests for a call be sealed to this machine's call-back key: its public half goes to the database."""
    folder, _ = _keys(CALLBACK)
    click.echo(_publish(folder))


responses = Group("responses", help="Anonymous copies.")


@responses.command("mix")
def mix() -> None:
    """Move the agreed copies out of the holding file, shuffled and under fresh ids; fewer than k stay."""
    done = mixing.mix(current_app.config["SETTINGS"]["K"])
    click.echo(done.moved)
    if not done.moved:
        click.echo(f"{done.waiting} waiting, and at least {current_app.config['SETTINGS']['K']} go together", err=True)
    if not done.wiped:
        click.echo("The old pages could not be wiped now; the next mixing does it", err=True)


@click.command("purge", cls=Command)
@click.option("--dry-run", is_flag=True, help="Only count.")
@with_appcontext
def purge(dry_run: bool) -> None:
    """Erase what is done with, and its bytes; print how many of each kind. The worker does it daily."""
    from screening.operations import purge as purging  # it takes half a second to load

    purged = purging.purge(now(), dry_run)
    for name, count in purged.counts.items():
        click.echo(f"{name}\t{count}")
    if not purged.wiped and not dry_run:
        click.echo("The old pages could not be wiped now; the next purge does it", err=True)


@click.command("backup", cls=Command, refusals=(BackupError,))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Let it take the place of a file of that name.")
@with_appcontext
def backup(file: Path, replace: bool) -> None:
    """Write everything but the holding file and sessions into FILE, sealed, and read it back; print rows by table.

    The site goes on meanwhile.
    """
    from screening.operations.backup import taking

    with _bar(2 * taking.count(), "Writing, reading back") as bar:
        stated = taking.take(file, _backup_keys(), now(), replace, bar.update)
    _tell(stated)
    click.echo(f"{file} is written, and was read back whole", err=True)


@click.command("restore", cls=Command, refusals=(BackupError,))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only read it to its end, without a database.")
@with_appcontext
def restore(file: Path, check: bool) -> None:
    """Put a backup into an empty database, wholly or not at all; print rows by table."""
    from screening.operations.backup import giving_back

    with _bar(file.stat().st_size, "Reading") as bar:
        if check:
            stated = content.check(file, _backup_keys(), bar.update)
        else:
            stated = giving_back.restore(file, _backup_keys(), now(), bar.update)
    _tell(stated)
    made = f"{datetime.fromtimestamp(stated.made_at, UTC):%Y-%m-%d %H:%M} UTC"
    if check:
        click.echo(f"{file} is whole, made {made} at migration {stated.migration}", err=True)
    else:
        click.echo(f"Everything is as it was {made}. {giving_back.NEXT}", err=True)


@click.command("demo", cls=Command)
@with_appcontext
def demo() -> None:
    """Fill an empty database with a demo clinic's requests, copies and accounts, and print how to sign in."""
    from screening import create_app
    from screening.operations.demo import fill

    logins = fill(create_app(current_app.config["SETTINGS"]))
    click.echo("Sign in at /staff with a password, then the code of an app that was given the secret.", err=True)
    for login in logins:
        click.echo(f"{login.email}\t{login.password}\t{login.secret}")


@click.command("worker", cls=Command)
@click.option("--once", is_flag=True, help="Do what is due now, then end.")
@click.option("--beside", type=int, metavar="PID", help="End with this process, which started the worker.")
@with_appcontext
def worker(once: bool, beside: int | None) -> None:
    """Deliver mail every few seconds; mix and purge daily. Ends at SIGTERM or Ctrl+C, between two mails."""
    from screening import create_app
    from screening.operations.worker import Signals, Worker
    from screening.outbox import smtp

    signals = Signals(beside)
    smtp.check_files(current_app.config["SETTINGS"])
    site = create_app(current_app.config["SETTINGS"], serving=False)
    if not Worker(site.extensions["staff"], signals).work(once) and once:
        click.echo("Another worker is at work, and does it", err=True)


proxy = Group("proxy", help="What a reverse proxy in front of the nodes needs; see deploy/README.md.")


@proxy.command("page")
def proxy_page() -> None:
    """Print the page it shows when no node answers, with crisis help of this clinic's files."""
    from screening import without_a_node

    click.echo(without_a_node(current_app.config["SETTINGS"])[0])


@proxy.command("headers")
def proxy_headers() -> None:
    """Print, for nginx, the headers of what it answers by itself: the same as those of the site."""
    from screening import without_a_node

    for name, value in without_a_node(current_app.config["SETTINGS"])[1].items():
        if set(value) & set('"\\$'):
            raise SettingsError(f"{name} would hold a character that nginx reads as its own: {value}")
        click.echo(f'add_header {name} "{value}" always;')


@click.command("doctor", cls=Command)
@with_appcontext
def doctor() -> None:
    """Look over this installation; print each finding with what mends it. Fails when one needs somebody."""
    from screening.operations.doctor import Given, examine

    findings = examine(Given(current_app.config["SETTINGS"], now()))
    for finding in findings:
        click.echo(f"{finding.severity.value}\t{finding.what}\t{finding.fix}")
    needing = sum(finding.needs_somebody for finding in findings)
    click.echo(f"{needing} of {len(findings)} findings need somebody" if findings else "Nothing found", err=True)
    if needing:
        sys.exit(1)


def _bar(length: int, label: str) -> Any:
    """A bar for somebody who watches; cron is told nothing."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _backup_keys() -> Keyring:
    folder, _ = _keys(BACKUP)
    return Keyring(folder, (BACKUP,))


def _tell(stated: content.Stated) -> None:
    for table, rows in stated.rows.items():
        click.echo(f"{table}\t{rows}")


def _publish(folder: Path) -> str:
    return sealing.publish(Keyring(folder, (CALLBACK,)), now())


def _keys(purpose: str | None = None) -> tuple[Path, tuple[str, ...]]:
    """The folder of the key files, and the purposes this machine's surfaces need.

    Raises SettingsError for a purpose that is not among them.
    """
    settings = current_app.config["SETTINGS"]
    purposes = tuple(p for surface in settings["SURFACES"] for p in PURPOSES[surface])
    if purpose is not None and purpose not in purposes:
        raise SettingsError(f"{purpose} is no purpose of this machine: take one of {', '.join(purposes)}")
    return settings["KEYS"], purposes


def _today() -> date:
    return datetime.fromtimestamp(now(), UTC).date()


def create_commands_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The application behind ``flask``: settings, database and commands, no pages.

    ``overrides`` as for ``create_app``, ``CLOCK`` included. It needs no keys, so that they can be made by a command
    before the site can start.
    Raises SettingsError.
    """
    overrides = dict(overrides or {})
    clock = overrides.pop("CLOCK", time.time)
    settings = config.read(overrides)
    logs.configure(settings["LOG"])
    app = Flask("screening", root_path=str(config.ROOT), instance_path=str(config.ROOT / "instance"))
    app.config["SETTINGS"] = settings
    app.extensions["clock"] = clock
    database.init_app(app, settings["DATABASE_URL"])
    babel.init_app(app, default_locale="en")
    for command in (questionnaire, keys, responses, purge, doctor, proxy):
        app.cli.add_command(command)
    if "staff" in settings["SURFACES"]:
        from screening.responses.commands import release
        from screening.staff.commands import staff  # takes half a second to load

        for command in (staff, release, demo, worker, backup, restore):
            app.cli.add_command(command)
    return app
