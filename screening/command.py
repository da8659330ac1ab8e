"""What the wings' commands share: what cannot be done is told in one line, without a traceback."""

from __future__ import annotations

import sys
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from screening.config import SettingsError
from screening.questionnaire.loader import DefinitionError


def now() -> float:
    """Seconds since 1970 by the clock of the application that a command runs in."""
    seconds: float = current_app.extensions["clock"]()
    return seconds


class _OneLine:
    """Ends with a line on stderr where a refusal is raised; ``refusals`` are a wing's own, beside the settings'."""

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
