"""``flask responses``: shuffle pending responses."""

import click

from screening import current
from screening.cli.base import Group
from screening.responses import shuffling

responses = Group("responses", help="Manage anonymous responses.")


@responses.command("shuffle")
def shuffle() -> None:
    """Move pending responses to the shuffled ones, in random order and under new ids, if there are at least k."""
    done = shuffling.shuffle(current.settings()["MIN_GROUP_SIZE"])
    click.echo(done.moved)
    if not done.moved:
        least = current.settings()["MIN_GROUP_SIZE"]
        click.echo(f"{done.pending} responses are pending; at least {least} are shuffled together", err=True)
    if not done.scrubbed:
        click.echo("Freed pages could not be scrubbed, the database is in use; the next run tries again", err=True)
