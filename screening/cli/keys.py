"""``flask keys``: key files, rotation and the published keys."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import click

from screening import current
from screening.callbacks import contact_index, key_rotation, public_key
from screening.cli.base import Group, keys_dir_and_purposes
from screening.config import SettingsError
from screening.crypto.key_files import activate_key, add_key, create_ring, read_ring, ring_file
from screening.crypto.keyring import CALLBACK, RESPONSES, SEARCH, Keyring
from screening.responses import response_keys

PUBLISHED: dict[str, Callable[[Keyring, int], str]] = {CALLBACK: public_key.publish, RESPONSES: response_keys.publish}
"""By purpose, what publishes its active key."""

keys = Group("keys", help="Manage the key files. Add a key on every machine before you activate it.")


@keys.command("init")
def init() -> None:
    """Create a key file for each purpose that has none."""
    folder, purposes = keys_dir_and_purposes()
    for purpose in purposes:
        if create_ring(folder, purpose, _today()):
            click.echo(f"{purpose}: made {ring_file(folder, purpose).name}", err=True)


@keys.command("list")
def list_() -> None:
    """Print the keys: purpose, id, day created, and whether active or decrypt-only."""
    folder, purposes = keys_dir_and_purposes()
    for purpose in purposes:
        ring = read_ring(folder, purpose)
        for key in ring.keys:
            state = "active" if key.id == ring.active else "decrypt-only"
            click.echo(f"{purpose}\t{key.id}\t{key.made}\t{state}")


@keys.command("add")
@click.argument("purpose")
def add(purpose: str) -> None:
    """Add a decrypt-only key and print its id. Copy the file to every machine, then activate it."""
    folder, _ = keys_dir_and_purposes(purpose)
    click.echo(add_key(folder, purpose, _today()).id)


@keys.command("activate")
@click.argument("purpose")
@click.argument("key_id")
def activate(purpose: str, key_id: str) -> None:
    """Make a key the active one, which encrypts. Running processes use it after a restart."""
    folder, _ = keys_dir_and_purposes(purpose)
    activate_key(folder, purpose, key_id)
    if purpose in PUBLISHED:
        PUBLISHED[purpose](Keyring(folder, (purpose,)), current.now())
    if purpose == SEARCH:
        contact_index.delete_contact_hashes(key_id)


@keys.command("rotate")
@click.argument("purpose")
def rotate(purpose: str) -> None:
    """Replace the call-back key: re-encrypt all requests, destroy the old key a day later; print counts."""
    if purpose != CALLBACK:
        raise SettingsError(f"Only {CALLBACK} can be rotated; for other purposes use flask keys add and activate")
    folder, _ = keys_dir_and_purposes(CALLBACK)
    done = key_rotation.rotate(folder, current.now())
    for name in ("reencrypted", "hashed", "unreadable", "destroyed"):
        click.echo(f"{name}\t{getattr(done, name)}")
    if done.waits_until:
        moment = datetime.fromtimestamp(done.waits_until, UTC)
        click.echo(
            f"The old key is destroyed by the worker, or by this command, from {moment:%Y-%m-%d %H:%M} UTC", err=True
        )


@keys.command("publish")
def publish() -> None:
    """Store the public keys of call-back requests and of anonymous responses in the database; print their ids."""
    for purpose, store in PUBLISHED.items():
        folder, _ = keys_dir_and_purposes(purpose)
        click.echo(f"{purpose}\t{store(Keyring(folder, (purpose,)), current.now())}")


def _today() -> date:
    return datetime.fromtimestamp(current.now(), UTC).date()
