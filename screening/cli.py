"""The commands of the wings, under ``flask``. Data on stdout, words on stderr, non-zero on failure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from screening import config, database
from screening.keyring import PURPOSES, create_ring, ring_file
from screening.questionnaire.loader import DefinitionError, load

questionnaire = AppGroup("questionnaire", help="The questionnaire's definition.")


@questionnaire.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Check a definition without using it."""
    try:
        definition = load(file)
    except DefinitionError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(
        f"{definition.id} version {definition.version}: {len(definition.questions)} questions, "
        f"{len(definition.signs)} signs, {', '.join(definition.locales)}"
    )


keys = AppGroup("keys", help="The key files. A key is added on every machine before it is activated.")


@keys.command("init")
def init() -> None:
    """Make a first key for each purpose that has none."""
    folder, purposes = _keys()
    for purpose in purposes:
        if create_ring(folder, purpose):
            click.echo(f"{purpose}: made {ring_file(folder, purpose).name}", err=True)


def _keys() -> tuple[Path, tuple[str, ...]]:
    """The folder of the key files, and the purposes this machine's surfaces need."""
    settings = current_app.config["SETTINGS"]
    return settings["KEYS"], tuple(p for surface in settings["SURFACES"] for p in PURPOSES[surface])


def create_commands_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The application behind ``flask``: settings, database and commands, no pages.

    It needs no keys, so that the keys can be made by a command before the site can start.
    Raises SettingsError.
    """
    settings = config.read(overrides)
    app = Flask("screening", root_path=str(config.ROOT), instance_path=str(config.ROOT / "instance"))
    app.config["SETTINGS"] = settings
    database.init_app(app, settings["DATABASE_URL"])
    for group in (questionnaire, keys):
        app.cli.add_command(group)
    return app
