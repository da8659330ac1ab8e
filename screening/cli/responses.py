"""``flask responses``: shuffle pending responses, and discard those whose key is lost."""

import click

from screening import current
from screening.cli.base import Group, keys_dir_and_purposes
from screening.crypto.keyring import RESPONSES, Keyring
from screening.responses import held_batches, response_keys, shuffling

responses = Group("responses", help="Manage anonymous responses, on the worker's machine.")


@responses.command("shuffle")
def shuffle() -> None:
    """Move pending responses to the shuffled ones, in random order and under new ids, if at least k are ripe.

    A response is ripe a day after the key that it was encrypted to was replaced, so one to two days after consent.
    """
    folder, _ = keys_dir_and_purposes(RESPONSES)
    least = current.settings()["MIN_GROUP_SIZE"]
    done = shuffling.shuffle(folder, least, current.now())
    click.echo(done.moved)
    if not done.moved:
        click.echo(f"{done.pending} responses are pending; each waits for a day, and for {least} to be ripe", err=True)
    if held_batches.list_held():
        click.echo(
            "Far more than usual came at once; they are held apart until staff decide at /staff/releases", err=True
        )
    if not done.scrubbed:
        click.echo("Freed pages could not be scrubbed, the database is in use; tomorrow's run tries again", err=True)


@responses.command("discard-unreadable")
def discard_unreadable() -> None:
    """Delete pending responses whose private key is lost; print how many. Then publish this machine's key.

    First look for responses.toml on the machine that ran the worker before: with it, they can still be shuffled.
    """
    folder, _ = keys_dir_and_purposes(RESPONSES)
    click.echo(response_keys.discard_unreadable(folder))
    response_keys.publish(Keyring(folder, (RESPONSES,)), current.now())
