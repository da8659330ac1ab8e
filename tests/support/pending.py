"""Pending responses of tests: read what is stored with the worker's keys, and make it ripe to be shuffled."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from screening.crypto import sealed_box
from screening.crypto.key_files import rotate_key
from screening.crypto.keyring import RESPONSES, Keyring
from screening.responses import response_keys, shuffling
from tests.support.databases import pending_responses


def ripen(folder: Path, now: float) -> None:
    """Replace the key of new responses, as if a day ago. Needs an application context."""
    rotate_key(folder, RESPONSES, datetime.fromtimestamp(now, UTC).date())
    response_keys.publish(Keyring(folder, (RESPONSES,)), int(now) - response_keys.RIPE_SECONDS)


def shuffle_all(folder: Path, k: int, now: float) -> shuffling.ShuffleResult:
    """Shuffle every pending response, if there are at least k. Needs an application context."""
    ripen(folder, now)
    return shuffling.shuffle(folder, k, int(now))


def opened_responses(url: str, folder: Path) -> list[dict[str, Any]]:
    """Return the pending responses of a database, decrypted with the key files of a folder."""
    ring = Keyring(folder, (RESPONSES,))
    return [
        sealed_box.decrypt(
            ring.derive(RESPONSES, response_keys.KEY_LABEL, row["key_id"]), row["id_hash"], row["ciphertext"]
        )
        for row in pending_responses(url)
    ]
