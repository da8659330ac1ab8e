"""Exports of a release: an Excel workbook, and a package with codebook, manifest and descriptions.

The entry point is ``build``. The rows themselves (``signs.csv``, ``full.csv``) are stored with the release.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from screening.releases.exporters import about, cells, codebook, package, xlsx
from screening.releases.exporters.package import readme
from screening.releases.models import Release
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL

MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}
"""Media types by file extension."""

NAMES = tuple(f"{detail}.{ending}" for detail in (SIGNS_DETAIL, FULL_DETAIL) for ending in MEDIA_TYPES)
"""The files of a release."""

READMES = {f"{detail}.README.md": detail for detail in (SIGNS_DETAIL, FULL_DETAIL)}
"""The name of the text that goes with a plain CSV or workbook, with its detail; a package has it inside."""

Progress = Callable[[int], None]
"""Callback that receives the number of rows done since its last call."""


__all__ = ["MEDIA_TYPES", "NAMES", "READMES", "Progress", "build", "download_name", "media_type", "readme"]


def download_name(number: str, name: str) -> str:
    """Return the file name of a download: ``R-0001-signs.csv``."""
    return f"{number}-{name}"


def media_type(name: str) -> str:
    """Return the media type of a file."""
    return MEDIA_TYPES[name.rpartition(".")[2]]


def build(release: Release, name: str, data: Iterable[bytes], target: Path, progress: Progress | None = None) -> None:
    """Build ``signs.xlsx``, ``full.xlsx``, ``signs.zip`` or ``full.zip`` from a release and its ``data`` file.

    Deterministic: the same release always yields the same bytes.
    """
    detail, _, ending = name.partition(".")
    columns = codebook.from_json(release.codebook[detail])
    rows = _counted(data, progress or (lambda done: None))
    if ending == "zip":
        package.write_package(target, release, detail, columns, rows)
    else:
        explained = about.about_rows(json.loads(release.manifest), detail), codebook.codebook_rows(columns)
        xlsx.write_workbook(target, cells.parse_csv(rows), release.rows, *explained)


def _counted(pieces: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """Yield the pieces unchanged; report the number of rows in each, without the header, to ``progress``."""
    for number, piece in enumerate(pieces):
        yield piece
        progress(piece.count(b"\n") - (number == 0))
