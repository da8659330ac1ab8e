"""``flask backup`` and ``flask restore``."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from screening import current
from screening.cli.base import Command, keys_dir_and_purposes
from screening.crypto.keyring import BACKUP, Keyring
from screening.operations.backup import BackupError, file_format


@click.command("backup", cls=Command, refusals=(BackupError,))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Let it take the place of a file of that name.")
@with_appcontext
def backup(file: Path, replace: bool) -> None:
    """Write everything but the holding file and sessions into FILE, sealed, and read it back; print rows by table.

    The site goes on meanwhile.
    """
    from screening.operations.backup import create

    with _bar(2 * create.count_rows(), "Writing, reading back") as bar:
        stated = create.create(file, _backup_keys(), current.now(), replace, bar.update)
    _tell(stated)
    click.echo(f"{file} is written, and was read back whole", err=True)


@click.command("restore", cls=Command, refusals=(BackupError,))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only read it to its end, without a database.")
@with_appcontext
def restore(file: Path, check: bool) -> None:
    """Put a backup into an empty database, wholly or not at all; print rows by table."""
    from screening.operations.backup import restore

    with _bar(file.stat().st_size, "Reading") as bar:
        if check:
            stated = file_format.check_header(file, _backup_keys(), bar.update)
        else:
            stated = restore.restore(file, _backup_keys(), current.now(), bar.update)
    _tell(stated)
    made = f"{datetime.fromtimestamp(stated.made_at, UTC):%Y-%m-%d %H:%M} UTC"
    if check:
        click.echo(f"{file} is whole, made {made} at migration {stated.migration}", err=True)
    else:
        click.echo(f"Everything is as it was {made}. {restore.NEXT_STEPS}", err=True)


def _bar(length: int, label: str) -> Any:
    """A bar for somebody who watches; cron is told nothing."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _backup_keys() -> Keyring:
    folder, _ = keys_dir_and_purposes(BACKUP)
    return Keyring(folder, (BACKUP,))


def _tell(stated: file_format.BackupHeader) -> None:
    for table, rows in stated.rows.items():
        click.echo(f"{table}\t{rows}")
