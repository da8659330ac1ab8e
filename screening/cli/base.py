"""Base classes of commands, which print errors as one line on stderr, without a traceback."""

from pathlib import Path
from typing import Any

import click
from flask.cli import AppGroup

from screening import current
from screening.cli import error_line
from screening.config import SettingsError
from screening.crypto.keyring import PURPOSES


class _ErrorsInOneLine:
    """Prints an error to stderr and exits with 1; ``refusals`` are exception types whose message is the line."""

    def __init__(self, *arguments: Any, refusals: tuple[type[Exception], ...] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.refusals = refusals

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except self.refusals as error:
            error_line.fail(str(error))
        except Exception as error:
            error_line.fail(error_line.line_of(error))


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
