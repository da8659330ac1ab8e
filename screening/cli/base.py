"""Base classes of commands: a refusal is one line on stderr, without a traceback."""

import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from screening import current
from screening.config import SettingsError
from screening.crypto.keyring import PURPOSES
from screening.questionnaires.table_reader import DefinitionError


class _OneLine:
    """Ends with a line on stderr where a refusal is raised; ``refusals`` are exceptions of the group's own."""

    def __init__(self, *arguments: Any, refusals: tuple[type[Exception], ...] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.refusals: tuple[type[Exception], ...] = (SettingsError, DefinitionError, *refusals)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except self.refusals as error:
            click.echo(str(error), err=True)
            sys.exit(1)


class Group(_OneLine, AppGroup):
    """Commands that go together."""


class Command(_OneLine, click.Command):
    """One by itself."""


def keys_dir_and_purposes(purpose: str | None = None) -> tuple[Path, tuple[str, ...]]:
    """The folder of the key files, and the purposes this machine's surfaces need.

    Raises SettingsError for a purpose that is not among them.
    """
    settings = current.settings()
    purposes = tuple(p for surface in settings["SERVE"] for p in PURPOSES[surface])
    if purpose is not None and purpose not in purposes:
        raise SettingsError(f"{purpose} is no purpose of this machine: take one of {', '.join(purposes)}")
    return settings["KEYS_DIR"], purposes
