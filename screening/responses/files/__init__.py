"""The files of a release beyond its rows: a workbook, and a package with all that explains the rows.

``build`` is the one door. The rows themselves (``signs.csv``, ``full.csv``) are stored with the release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from screening.responses import store
from screening.responses.files import cells, codebook, package, xlsx
from screening.responses.models import Release
from screening.responses.rows import FULL, SIGNS

MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}
"""What each kind of file is, by the ending of its name."""

NAMES = tuple(f"{detail}.{ending}" for detail in (SIGNS, FULL) for ending in MEDIA_TYPES)
"""The files that a release has."""

Progress = Callable[[int], None]
"""Told how many rows more are done."""


def download_name(number: str, name: str) -> str:
    """What a file is called outside: ``R-0001-signs.csv``."""
    return f"{number}-{name}"


def media_type(name: str) -> str:
    """What kind of file it is, for browsers."""
    return MEDIA_TYPES[name.rpartition(".")[2]]


def build(release: Release, name: str, target: Path, progress: Progress | None = None) -> None:
    """Make ``signs.xlsx``, ``full.xlsx``, ``signs.zip`` or ``full.zip`` out of what is stored.

    The same release always gives the same bytes. Needs an application context.
    """
    detail, _, ending = name.partition(".")
    columns = codebook.read(release.codebook[detail])
    rows = _counted(store.read(release.id, f"{detail}.csv"), progress or (lambda done: None))
    if ending == "zip":
        package.write(target, release, detail, columns, rows)
    else:
        explained = cells.write(codebook.table(columns))
        xlsx.write(target, cells.read(rows), release.rows, cells.read([explained]))


def _counted(pieces: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """The same pieces; how many rows end in each is told on the way, without the header."""
    for number, piece in enumerate(pieces):
        yield piece
        progress(piece.count(b"\n") - (number == 0))
