"""An insider's linkage attack: pairing stored responses with the order in which they arrived."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import psycopg
from sqlalchemy import text

from screening.extensions import db
from screening.responses.models import PENDING_BIND
from tests.support.postgres import Cluster
from tests.support.visitor import SIGNS

ARRIVALS = 2000

MAX_HITS = 9
"""By chance 1 pair in 2,000 is right, Poisson distributed: more than 9 happens once in a million trials."""

MAX_CORRELATION = 4.9 / math.sqrt(ARRIVALS)
"""A rank correlation this large happens by chance once in a million trials."""


def codes(serial: int) -> dict[str, str]:
    """Return seven answers that identify a response: its serial number in base 4."""
    return {sign: str(serial // 4**place % 4) for place, sign in enumerate(SIGNS)}


def serial_of(answers: object) -> int:
    given = answers if isinstance(answers, dict) else json.loads(str(answers))
    return sum(int(given[sign]) * 4**place for place, sign in enumerate(SIGNS))


def rows(bind: str | None, statement: str) -> list[tuple]:
    with db.engines[bind].connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def in_bytes(file: Path, serials: list[int]) -> list[int]:
    """Return the serials in the order in which their answers first occur in a file."""
    if not file.exists():
        return []
    data = file.read_bytes().decode("latin-1")
    places = {}
    for serial in serials:
        place = data.find(json.dumps(codes(serial))[:-1])
        if place >= 0:
            places[serial] = place
    return sorted(places, key=lambda serial: places[serial])


def orders(table: str, serials: list[int], folder: Path) -> dict[str, list[int]]:
    """Return every order in which storage exposes the rows of a table."""
    found = {
        "as rows lie": [serial_of(row[0]) for row in rows(None, f"SELECT answers FROM {table}")],
        "by id": [serial_of(row[0]) for row in rows(None, f"SELECT answers FROM {table} ORDER BY id")],
    }
    if db.engines[None].dialect.name == "sqlite":
        for name in ("site.sqlite", "site.sqlite-wal"):
            found[f"bytes of {name}"] = in_bytes(folder / name, serials)
    else:
        for hidden in ("ctid", "xmin::text::bigint, ctid", "cmin::text::bigint, ctid"):
            statement = f"SELECT answers FROM {table} ORDER BY {hidden}"
            found[f"by {hidden}"] = [serial_of(row[0]) for row in rows(None, statement)]
    return {name: order for name, order in found.items() if len(order) == len(serials)}


def hits(arrived: list[int], order: list[int]) -> int:
    """Return how many pairs are right when both orders are paired by position, forwards or backwards."""
    return max(sum(a == b for a, b in zip(arrived, candidate, strict=True)) for candidate in (order, order[::-1]))


def correlation(arrived: list[int], order: list[int]) -> float:
    """Return Spearman's rank correlation of the two orders."""
    rank = {serial: place for place, serial in enumerate(order)}
    n = len(arrived)
    return 1 - 6 * sum((place - rank[serial]) ** 2 for place, serial in enumerate(arrived)) / (n * (n * n - 1))


SENTINEL = re.compile(rb"zentinel\d{5}")


def age_sentinel(number: int) -> str:
    """Return an age band that occurs nowhere else: it shows in stored bytes whose response they are."""
    return f"zentinel{number:05}"


def sentinels_in(*contents: bytes) -> list[int]:
    """Return the numbers of the responses that can be read in these bytes, in order of their first occurrence."""
    return [int(found[-5:]) for found in dict.fromkeys(SENTINEL.findall(b"".join(contents)))]


def stored_bytes(folder: Path, url: str, cluster: Cluster | None) -> bytes:
    """Return everything that the files of a database hold, with dead rows, write-ahead log and journal."""
    if cluster is None:
        return b"".join(file.read_bytes() for file in sorted(folder.glob("site*")))
    logs = sorted((cluster.data / "pg_wal").iterdir())
    return _unlogged_pages(url) + cluster.files_of(url) + b"".join(file.read_bytes() for file in logs if file.is_file())


def _unlogged_pages(url: str) -> bytes:
    """Return the pages of unlogged tables, with dead rows: the server writes them to their files when it stops only."""
    tables = (
        "SELECT oid::regclass::text, pg_relation_size(oid) / 8192 FROM pg_class WHERE relpersistence = 'u'"
        " AND relkind IN ('r', 't', 'i') ORDER BY oid"
    )
    found = b""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pageinspect")
        for name, pages in connection.execute(tables).fetchall():
            for page in range(pages):
                row = connection.execute("SELECT get_raw_page(%s, %s)", (name, page)).fetchone()
                found += bytes(row[0]) if row else b""
    return found


class PlainTable:
    """Pending responses in plain text under the id of the draft, as before they were encrypted: for controls."""

    def __init__(self) -> None:
        engine = db.engines[PENDING_BIND]
        kind, end = ("", " WITHOUT ROWID") if engine.dialect.name == "sqlite" else ("UNLOGGED", "")
        with engine.begin() as connection:
            connection.execute(
                text(f"CREATE {kind} TABLE plain_pending (id VARCHAR(32) PRIMARY KEY, age VARCHAR(20)){end}")
            )

    def record(self, response_id: str, age: str) -> None:
        """Insert a response or update it, in a transaction of its own."""
        upsert = "INSERT INTO plain_pending VALUES (:id, :age) ON CONFLICT (id) DO UPDATE SET age = excluded.age"
        with db.engines[PENDING_BIND].begin() as connection:
            connection.execute(text(upsert), {"id": response_id, "age": age})

    def withdraw(self, response_id: str) -> None:
        """Delete a response, in a transaction of its own."""
        with db.engines[PENDING_BIND].begin() as connection:
            connection.execute(text("DELETE FROM plain_pending WHERE id = :id"), {"id": response_id})
