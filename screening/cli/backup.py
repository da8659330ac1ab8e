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
@click.option("--replace", is_flag=True, help="Replace an existing FILE.")
@with_appcontext
def backup(file: Path, replace: bool) -> None:
    """Write an encrypted backup to FILE and verify it by reading it; print rows by table.

    Pending responses, sessions and the worker's state are left out. The site keeps running meanwhile.
    """
    from screening.operations.backup import create

    with _bar(2 * create.count_rows(), "Writing, reading back") as bar:
        header = create.create(file, _backup_keys(), current.now(), replace, bar.update)
    _print_rows(header)
    click.echo(f"{file} is written, and was read back whole", err=True)


@click.command("restore", cls=Command, refusals=(BackupError,))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only verify FILE, without a database.")
@with_appcontext
def restore(file: Path, check: bool) -> None:
    """Restore a backup into an empty, migrated database, in one transaction; print rows by table."""
    from screening.operations.backup import restore

    with _bar(file.stat().st_size, "Reading") as bar:
        if check:
            header = file_format.check_header(file, _backup_keys(), bar.update)
        else:
            header = restore.restore(file, _backup_keys(), current.now(), bar.update)
    _print_rows(header)
    made = f"{datetime.fromtimestamp(header.made_at, UTC):%Y-%m-%d %H:%M} UTC"
    if check:
        click.echo(f"{file} is whole, made {made} at migration {header.migration}", err=True)
    else:
        click.echo(f"The database is restored to {made}. {restore.NEXT_STEPS}", err=True)


def _bar(length: int, label: str) -> Any:
    """Return a progress bar on stderr, hidden unless stderr is a terminal."""
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())


def _backup_keys() -> Keyring:
    folder, _ = keys_dir_and_purposes(BACKUP)
    return Keyring(folder, (BACKUP,))


def _print_rows(header: file_format.BackupHeader) -> None:
    for table, rows in header.rows.items():
        click.echo(f"{table}\t{rows}")
