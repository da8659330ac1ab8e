"""Shuffling: pending responses are decrypted and moved in batches of at least k, in random order, under new ids.

Storage order, ids and transactions then reveal nothing about the order of visitors, and the keys that the moved rows
were encrypted to are destroyed. Each step is one idempotent transaction in one database, so an interrupted run is
completed by the next.
"""

import logging
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from screening.crypto import DecryptionError, sealed_box
from screening.crypto.keyring import RESPONSES, Keyring
from screening.database.secure_delete import scrub
from screening.extensions import db
from screening.responses import held_batches, response_keys
from screening.responses.models import PENDING_BIND, HeldResponse, PendingResponse, ShuffledBatch, ShuffledResponse
from screening.responses.pending import BOX_BYTES, NOT_CLAIMED

log = logging.getLogger(__name__)

POOL_TABLES = (ShuffledResponse.__tablename__, HeldResponse.__tablename__)

LENGTHS = {"period": 7, "questionnaire": 40, "age_band": 20, "pain_duration": 20}
"""The longest text of each text column of a shuffled response."""


@dataclass(frozen=True)
class ShuffleResult:
    """Responses moved, responses still pending, and whether freed pages were scrubbed (``scrubbed``)."""

    moved: int
    pending: int
    scrubbed: bool


def shuffle(folder: Path, k: int, now: int) -> ShuffleResult:
    """Move the ripe responses, or none if there are fewer than ``k``; complete interrupted runs first.

    ``folder`` holds the worker's key files: the key of new responses is replaced if it is due, and those that no
    response needs are destroyed. Needs an application context. Raises SettingsError, and SQLAlchemyError when a
    database is unavailable; nothing is lost then.
    """
    response_keys.rotate_when_due(folder, now)
    keyring = Keyring(folder, (RESPONSES,))
    main, pending = db.engines[None], db.engines[PENDING_BIND]
    moved = 0
    for batch in _interrupted(pending, keyring):
        moved += _move(batch, k, keyring, now)
    _clear(main, pending)
    ripe, batch = response_keys.ripe_keys(keyring, now), secrets.token_hex(16)
    _delete_damaged(pending, ripe, keyring)
    if _claim(pending, batch, ripe, k):
        moved += _move(batch, k, keyring, now)
        _clear(main, pending)
    scrubbed = not (moved or response_keys.retired_keys(now)) or all(
        [scrub(pending, PendingResponse.__tablename__, whole_file=True), scrub(main, *POOL_TABLES)]
    )
    response_keys.destroy_retired_keys(folder, now)
    return ShuffleResult(moved, _count(pending), scrubbed)


def _interrupted(pending: Engine, keyring: Keyring) -> list[str]:
    """Return the batches that were claimed and not cleared, without those that need a key this ring does not hold."""
    missing = PendingResponse.key_id.not_in(keyring.derive_all(RESPONSES, response_keys.KEY_LABEL))
    claimed = select(PendingResponse.batch).where(~NOT_CLAIMED).distinct()
    with pending.connect() as connection:
        unreadable = set(connection.execute(claimed.where(missing)).scalars())
        return [batch for batch in connection.execute(claimed).scalars() if batch and batch not in unreadable]


def _delete_damaged(pending: Engine, ripe: Collection[str], keyring: Keyring) -> None:
    """Delete ripe responses that cannot be decrypted although their key is here, so that they do not count to k."""
    damaged = [id_hash for id_hash, values in _opened(pending, keyring, _ripe(ripe)) if values is None]
    if damaged:
        log.error("pending responses are damaged and were deleted: %d", len(damaged))
    with pending.begin() as connection:
        for id_hash in damaged:
            connection.execute(delete(PendingResponse).where(PendingResponse.id_hash == id_hash, _ripe(ripe)))


def _claim(pending: Engine, batch: str, ripe: Collection[str], k: int) -> bool:
    """Assign the ripe responses to a batch, if there are at least ``k``; return whether they were assigned."""
    with pending.begin() as connection:
        claimed = connection.execute(update(PendingResponse).where(_ripe(ripe)).values(batch=batch)).rowcount
        if claimed < k:
            connection.rollback()
        return claimed >= k


def _move(batch: str, k: int, keyring: Keyring, now: int) -> int:
    """Store a batch's responses in random order, and the batch itself in the same transaction; return how many.

    A batch of conspicuous size is held apart from the pool.
    """
    opened = list(_opened(db.engines[PENDING_BIND], keyring, PendingResponse.batch == batch))
    if not opened:  # moved by a concurrent run
        return 0
    rows = [{"id": secrets.token_hex(16), **values} for _, values in opened if values]
    SystemRandom().shuffle(rows)
    try:
        with db.engines[None].begin() as connection:
            held = held_batches.is_conspicuous(len(rows), k, held_batches.past_sizes(connection))
            state = held_batches.HELD if held else held_batches.ACCEPTED
            values = {"batch": batch, "shuffled_at": now, "rows": len(rows), "state": state}
            connection.execute(insert(ShuffledBatch).values(values))
            if held:
                connection.execute(insert(HeldResponse), [{**row, "batch": batch} for row in rows])
            elif rows:
                connection.execute(insert(ShuffledResponse), rows)
    except IntegrityError:  # stored by an interrupted or a concurrent run
        return 0
    return len(rows)


def _clear(main: Engine, pending: Engine) -> None:
    """Delete the pending responses of stored batches."""
    with main.connect() as connection:
        stored = list(connection.execute(select(ShuffledBatch.batch)).scalars())
    with pending.begin() as connection:
        connection.execute(delete(PendingResponse).where(PendingResponse.batch.in_(stored)))


def _ripe(keys: Collection[str]) -> ColumnElement[bool]:
    return PendingResponse.key_id.in_(keys) & NOT_CLAIMED


def _opened(
    pending: Engine, keyring: Keyring, where: ColumnElement[bool]
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """Yield each response's hash and decrypted values; None if it is damaged or not a response."""
    with pending.connect() as connection:
        columns = (PendingResponse.id_hash, PendingResponse.key_id, PendingResponse.ciphertext)
        found = connection.execute(select(*columns).where(where)).all()
    for row in found:
        private = keyring.derive(RESPONSES, response_keys.KEY_LABEL, row.key_id)
        try:
            values = sealed_box.decrypt(private, row.id_hash, row.ciphertext)
        except DecryptionError:
            values = {}
        yield row.id_hash, values if _is_response(values) else None


def _is_response(values: dict[str, Any]) -> bool:
    """Return whether values fit the columns of a shuffled response: whoever has the public key can encrypt others."""
    if values.keys() != LENGTHS.keys() | {"version", "answers"} or not isinstance(values["answers"], dict):
        return False
    texts = [(values[name], longest) for name, longest in LENGTHS.items()]
    texts += [(text, BOX_BYTES) for pair in values["answers"].items() for text in pair]
    return type(values["version"]) is int and 0 <= values["version"] < 2**31 and all(_fits(*text) for text in texts)


def _fits(value: Any, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and value.isprintable()


def _count(pending: Engine) -> int:
    with pending.connect() as connection:
        return connection.execute(select(func.count()).select_from(PendingResponse)).scalar_one()
