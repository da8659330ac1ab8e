"""Releases by command: the same terms and refusals as on the page."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click
from flask import current_app

from screening import audit
from screening.command import Group
from screening.questionnaire import loader
from screening.responses import releases
from screening.responses.terms import Terms

release = Group(
    "release",
    help="Releases of anonymous copies: frozen, measured, and checked by a verifier.",
    refusals=(releases.RefusedError,),
)

definition = click.option(
    "--questionnaire",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The definition of the copies' version, when it is not the site's.",
)
which = click.option("--version", type=int, help="Which version, when copies of several wait.")


@release.command("preview")
@definition
@which
def preview(file: Path | None, version: int | None) -> None:
    """Show what a release would state if it were made now; nothing is made."""
    seen = releases.preview(_terms(file), time.time(), version)
    click.echo(json.dumps(seen.stated(), indent=1, sort_keys=True, ensure_ascii=False))
    if seen.waits:
        click.echo(f"Too few copies yet, so they wait: {', '.join(seen.waits)}", err=True)


@release.command("create")
@definition
@which
def create(file: Path | None, version: int | None) -> None:
    """Make a release of all copies of the months that are over, delete the copies, and print its number."""
    now = time.time()
    seen = releases.preview(_terms(file), now, version)
    with click.progressbar(length=seen.plan.rows, label="Copies", file=sys.stderr) as bar:
        made = releases.create(seen, now, audit.COMMAND, bar.update)
    click.echo(made.number)


@release.command("list")
def list_() -> None:
    """Show the releases: number, day made, questionnaire, version, rows."""
    zone = _terms(None).zone
    for made in releases.everyone():
        day = releases.day_made(made, zone)
        click.echo(f"{made.number}\t{day}\t{made.questionnaire}\t{made.version}\t{made.rows}")


def _terms(file: Path | None) -> Terms:
    return Terms.of(current_app.config["SETTINGS"], loader.load(file) if file else None)
