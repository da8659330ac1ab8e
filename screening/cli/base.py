"""Base classes of commands, which print expected errors as one line on stderr, without a traceback."""

import sys
from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from screening import current
from screening.config import SettingsError
from screening.crypto.keyring import PURPOSES
from screening.questionnaires.table_reader import DefinitionError


class _ErrorsInOneLine:
    """Prints an expected error to stderr and exits with 1; ``refusals`` adds exception types of the command."""

    def __init__(self, *arguments: Any, refusals: tuple[type[Exception], ...] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.refusals: tuple[type[Exception], ...] = (SettingsError, DefinitionError, *refusals)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except self.refusals as error:
            click.echo(str(error), err=True)
            sys.exit(1)


class Group(_ErrorsInOneLine, AppGroup):
    """A group of commands."""


class Command(_ErrorsInOneLine, click.Command):
    """A command outside a group."""


def keys_dir_and_purposes(purpose: str | None = None) -> tuple[Path, tuple[str, ...]]:
    """Return the folder of the key files and the key purposes of this machine: of what it serves, and of the worker.

    Raises SettingsError if ``purpose`` is given and not among them.
    """
    settings = current.settings()
    surfaces = (*settings["SERVE"], "worker") if "staff" in settings["SERVE"] else settings["SERVE"]
    purposes = tuple(purpose for surface in surfaces for purpose in PURPOSES[surface])
    if purpose is not None and purpose not in purposes:
        raise SettingsError(f"Unknown key purpose {purpose} on this machine; choose one of {', '.join(purposes)}")
    return settings["KEYS_DIR"], purposes
