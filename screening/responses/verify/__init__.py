"""Verifies a release from its files alone: an independent second opinion on everything a release promises.

Nothing here is shared with the code that makes releases, so a fault there cannot hide itself here; a test reads the
imports. The caller hands in what the questionnaire and the ladders allow (``Expected``) and gets a list of findings,
one line each, that name places and kinds and never repeat a cell.

    findings = verify.check_file(Path("R-0001-signs.csv"), expected)

What it cannot see: whether the copies were told as they were given, and what somebody knows from elsewhere.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers.expat import ExpatError

from screening.responses.verify import csvfile, guarantees, shapes, tables
from screening.responses.verify import manifest as manifests
from screening.responses.verify.archive import Archive
from screening.responses.verify.contract import Expected, Finding, UnreadableError, detail_of
from screening.responses.verify.package import MANIFEST, TABLES, Package
from screening.responses.verify.rows import Figures, Tally, count
from screening.responses.verify.workbook import Workbook

__all__ = ["Expected", "Finding", "check", "check_file"]

DAMAGE = (
    UnreadableError,
    zipfile.BadZipFile,
    zlib.error,
    ExpatError,
    EOFError,
    OSError,
    struct.error,
    ValueError,
    LookupError,
    NotImplementedError,
    RecursionError,
)


def check_file(path: Path, expected: Expected, manifest: Path | None = None) -> list[Finding]:
    """Verify a .csv, .xlsx or .zip release.

    Without ``manifest`` the one beside the file is taken, ``R-0001-manifest.json`` for ``R-0001-signs.csv``; without
    either the rows are judged alone. An empty list: nothing was found. A file that cannot be read is a finding.
    """
    beside = path.with_name(f"{path.stem.rpartition('-')[0]}-{MANIFEST}")
    if manifest is None and beside.is_file():
        manifest = beside
    try:
        with path.open("rb") as file:
            return check(path.name, file, expected, None if manifest is None else manifest.read_bytes())
    except OSError as error:
        return [Finding(path.name, f"cannot be opened ({error.strerror})")]


def check(name: str, file: BinaryIO, expected: Expected, manifest: bytes | None = None) -> list[Finding]:
    """Verify a release's file, open for reading at its start and seekable; ``name`` names it in findings."""
    try:
        start = file.read(4)
        file.seek(0)
        if not start:
            raise UnreadableError("is empty")
        found = list(dict.fromkeys(look(name, file, start, expected, manifest)))
    except DAMAGE as error:
        why = str(error) if isinstance(error, UnreadableError) else "damaged, or not a release's file"
        return [Finding(name, f"cannot be read: {why}")]
    return found


def look(name: str, file: BinaryIO, start: bytes, expected: Expected, manifest: bytes | None) -> Iterable[Finding]:
    """Choose by what the file is, whatever its name."""
    packed = start.startswith(b"PK")
    if not packed and name.lower().endswith((".zip", ".xlsx")):
        raise UnreadableError("damaged, or not a release's file")
    if not packed:
        tally = Tally()
        figures, found = of_rows(name, csvfile.lines(file, tally), tally, expected, manifest)
        return [*found, *of_name(name, figures)]
    archive = Archive(file)
    if "xl/workbook.xml" in archive.names:
        return of_workbook(name, archive, expected, manifest)
    return of_package(name, archive, expected, manifest)


def of_rows(
    name: str, lines: Iterator[str], tally: Tally, expected: Expected, manifest: bytes | None
) -> tuple[Figures, list[Finding]]:
    """The figures of a data file and what is wrong with its rows and its manifest."""
    told = {} if manifest is None else manifests.read(manifest)
    figures, found = count(name, lines, expected, manifests.claimed(told))
    found = [*tally.findings(name), *found]
    if figures.complete:
        found += guarantees.findings(name, figures, expected)
    if manifest is not None:
        found += manifests.findings(manifest, expected)
        found += manifests.against(told, figures) if figures.complete else ()
    return figures, found


def of_workbook(name: str, archive: Archive, expected: Expected, manifest: bytes | None) -> list[Finding]:
    """What is wrong with an XLSX file."""
    tally, book = Tally(), Workbook(name, archive)
    figures, found = of_rows(name, book.rows(tally), tally, expected, manifest)
    told = {} if manifest is None else manifests.read(manifest)
    known = [*manifests.told(told), *manifests.hashes(told)]
    return [*found, *of_name(name, figures), *book.findings(lambda cell: shapes.of_cell(cell, known))]


def of_name(name: str, figures: Figures) -> Iterable[Finding]:
    """Whether a data file, by its own name, is of the detail that its rows have: ``signs`` must never tell ``full``."""
    claimed = detail_of(name.removesuffix(".xlsx").removesuffix(".csv") + ".csv")
    if claimed and figures.complete and claimed != figures.layout.detail:
        yield Finding(name, "not of the detail its name says")


def of_package(name: str, archive: Archive, expected: Expected, manifest: bytes | None) -> list[Finding]:
    """What is wrong with a package; the manifest inside it counts, and must be the one given."""
    package = Package(name, archive, expected)
    found = list(package.listing())
    inside = archive.read(MANIFEST) if MANIFEST in archive.names else None
    if None not in (manifest, inside) and manifest != inside:
        found.append(Finding(f"{name} {MANIFEST}", "not the manifest of the release"))
    manifest = manifest if inside is None else inside
    figures = None
    for entry in package.data:
        with archive.open(entry) as file:
            tally = Tally()
            figures, wrong = of_rows(entry, csvfile.lines(file, tally), tally, expected, manifest)
            found += [*wrong, *of_name(entry, figures)]
    if figures is not None and figures.complete and TABLES in archive.names:
        found += tables.findings(tables.read(archive.read(TABLES)), figures, expected)
    return [*found, *package.texts({} if manifest is None else manifests.read(manifest))]
