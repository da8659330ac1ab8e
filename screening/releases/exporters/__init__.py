"""The files of a release beyond its rows: a workbook, and a package with all that explains the rows.

``build`` is the one door. The rows themselves (``signs.csv``, ``full.csv``) are stored with the release.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from screening.releases import file_store
from screening.releases.exporters import cells, codebook, package, xlsx
from screening.releases.models import Release
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL

MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}
"""What each kind of file is, by the ending of its name."""

NAMES = tuple(f"{detail}.{ending}" for detail in (SIGNS_DETAIL, FULL_DETAIL) for ending in MEDIA_TYPES)
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
    columns = codebook.from_json(release.codebook[detail])
    rows = _counted(file_store.read_file(release.id, f"{detail}.csv"), progress or (lambda done: None))
    if ending == "zip":
        package.write_package(target, release, detail, columns, rows)
    else:
        explained = cells.write_csv(codebook.codebook_rows(columns))
        xlsx.write_workbook(target, cells.parse_csv(rows), release.rows, cells.parse_csv([explained]))


def _counted(pieces: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """The same pieces; how many rows end in each is told on the way, without the header."""
    for number, piece in enumerate(pieces):
        yield piece
        progress(piece.count(b"\n") - (number == 0))
