"""``flask responses``: shuffle pending responses."""

import click

from screening import current
from screening.cli.base import Group
from screening.responses import shuffling

responses = Group("responses", help="Anonymous copies.")


@responses.command("shuffle")
def shuffle() -> None:
    """Move the agreed copies out of the holding file, shuffled and under fresh ids; fewer than k stay."""
    done = shuffling.shuffle(current.settings()["MIN_GROUP_SIZE"])
    click.echo(done.moved)
    if not done.moved:
        click.echo(f"{done.waiting} waiting, and at least {current.settings()['MIN_GROUP_SIZE']} go together", err=True)
    if not done.wiped:
        click.echo("The old pages could not be wiped now; the next mixing does it", err=True)
