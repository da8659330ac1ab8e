"""``flask questionnaire``: check a questionnaire definition."""

from pathlib import Path

import click

from screening.cli.base import Group
from screening.questionnaires.loader import load

questionnaire = Group("questionnaire", help="Work with questionnaire definitions.")


@questionnaire.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Validate a definition file; print its id, version and size."""
    definition = load(file)
    click.echo(
        f"{definition.id} version {definition.version}: {len(definition.questions)} questions, "
        f"{len(definition.signs)} signs, {', '.join(definition.locales)}"
    )
