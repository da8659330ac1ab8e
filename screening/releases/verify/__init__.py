"""Verifies a release from its files alone, sharing no code with what makes releases.

The caller passes what questionnaire and hierarchies allow (``ReleaseSpec``) and gets findings, which name place and
kind of a violation but never contain the text of a cell. Whether responses were generalized correctly cannot be
verified from the files.
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers.expat import ExpatError

from screening.releases.verify import csv_reader, k_anonymity, pii_patterns, tables
from screening.releases.verify import manifest as manifests
from screening.releases.verify.archive import Archive
from screening.releases.verify.package import MANIFEST, TABLES, Package
from screening.releases.verify.rows import Figures, Tally, count, digest
from screening.releases.verify.spec import Finding, ReleaseSpec, UnreadableError, detail_of
from screening.releases.verify.workbook import Workbook

__all__ = ["Finding", "ReleaseSpec", "Sound", "accept", "check_file", "check_open_file"]

Sound = dict[tuple[str, bytes | None], Figures]
"""The counts of rows without findings under one specification, by SHA-256 and manifest. Equal rows in another format
are then compared with them by their hash instead of counted again."""

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


def check_file(
    path: Path, expected: ReleaseSpec, manifest: Path | None = None, sound: Sound | None = None
) -> list[Finding]:
    """Verify a .csv, .xlsx or .zip release; return the findings. Rows without any are added to ``sound``.

    The default of ``manifest`` is the file next to it, ``R-0001-manifest.json`` for ``R-0001-signs.csv``; without
    one only the rows are verified. A file that cannot be read is a finding.
    """
    beside = path.with_name(f"{path.stem.rpartition('-')[0]}-{MANIFEST}")
    if manifest is None and beside.is_file():
        manifest = beside
    try:
        with path.open("rb") as file:
            raw = None if manifest is None else manifest.read_bytes()
            return check_open_file(path.name, file, expected, raw, sound)
    except OSError as error:
        return [Finding(path.name, f"cannot be opened ({error.strerror})")]


def check_open_file(
    name: str, file: BinaryIO, expected: ReleaseSpec, manifest: bytes | None = None, sound: Sound | None = None
) -> list[Finding]:
    """Verify an open, seekable file of a release; ``name`` is used in findings and to determine the detail."""
    try:
        start = file.read(4)
        file.seek(0)
        if not start:
            raise UnreadableError("is empty")
        sound = {} if sound is None else sound
        found = list(dict.fromkeys(of_file(name, file, start, expected, manifest, sound)))
    except DAMAGE as error:
        why = str(error) if isinstance(error, UnreadableError) else "damaged, or not a release's file"
        return [Finding(name, f"cannot be read: {why}")]
    return found


def accept(data: bytes, sound: Sound) -> None:
    """Add a data file with some of the rows that were found sound."""
    known = hashlib.sha256(data).hexdigest()
    sound |= {(known, manifest): figures for (_, manifest), figures in sound.items()}


def of_file(
    name: str, file: BinaryIO, start: bytes, expected: ReleaseSpec, manifest: bytes | None, sound: Sound
) -> Iterable[Finding]:
    """Verify a file by its content type, whatever its name."""
    zipped = start.startswith(b"PK")
    if not zipped and name.lower().endswith((".zip", ".xlsx")):
        raise UnreadableError("damaged, or not a release's file")
    if not zipped:
        tally = Tally()
        figures, found = of_rows(name, csv_reader.csv_lines(file, tally), tally, expected, manifest)
        if not found:
            sound[figures.sha256, manifest] = figures
        return [*found, *of_name(name, figures)]
    archive = Archive(file)
    if "xl/workbook.xml" in archive.names:
        return of_workbook(name, archive, expected, manifest, sound)
    return of_package(name, archive, expected, manifest, sound)


def of_rows(
    name: str, lines: Iterator[str], tally: Tally, expected: ReleaseSpec, manifest: bytes | None
) -> tuple[Figures, list[Finding]]:
    """Verify the rows of a data file and its manifest; return counts and findings."""
    stated = {} if manifest is None else manifests.parse_manifest(manifest)
    figures, found = count(name, lines, expected, manifests.claimed(stated))
    found = [*tally.findings(name), *found]
    if figures.complete:
        found += k_anonymity.group_findings(name, figures, expected)
    if manifest is not None:
        found += manifests.findings(manifest, expected)
        found += manifests.against(stated, figures) if figures.complete else ()
    return figures, found


def of_workbook(
    name: str, archive: Archive, expected: ReleaseSpec, manifest: bytes | None, sound: Sound
) -> list[Finding]:
    """Verify an XLSX file."""
    tally, book = Tally(), Workbook(name, archive)
    figures = sound.get((digest(book.rows(tally)), manifest)) if sound else None
    found = list(tally.findings(name))
    if figures is None:
        tally = Tally()
        figures, found = of_rows(name, book.rows(tally), tally, expected, manifest)
    stated = {} if manifest is None else manifests.parse_manifest(manifest)
    known = [*manifests.allowed_dates(stated), *manifests.hashes(stated)]
    return [*found, *of_name(name, figures), *book.findings(lambda cell: pii_patterns.of_cell(cell, known))]


def of_name(name: str, figures: Figures) -> Iterable[Finding]:
    """Check that the rows have the detail of the file name: ``signs`` must never contain ``full``."""
    claimed = detail_of(name.removesuffix(".xlsx").removesuffix(".csv") + ".csv")
    if claimed and figures.complete and claimed != figures.layout.detail:
        yield Finding(name, "not of the detail its name says")


def of_package(
    name: str, archive: Archive, expected: ReleaseSpec, manifest: bytes | None, sound: Sound
) -> list[Finding]:
    """Verify a ZIP package against the manifest inside, which must equal the given one."""
    package = Package(name, archive, expected)
    found = list(package.listing())
    inside = archive.read(MANIFEST) if MANIFEST in archive.names else None
    if None not in (manifest, inside) and manifest != inside:
        found.append(Finding(f"{name} {MANIFEST}", "not the manifest of the release"))
    manifest = manifest if inside is None else inside
    figures = None
    for entry in package.data:
        figures, wrong = of_entry(entry, archive, expected, manifest, sound)
        found += [*wrong, *of_name(entry, figures)]
    if figures is not None and figures.complete and TABLES in archive.names:
        found += tables.findings(tables.parse_tables(archive.read(TABLES)), figures, expected)
    return [*found, *package.texts({} if manifest is None else manifests.parse_manifest(manifest))]


def of_entry(
    name: str, archive: Archive, expected: ReleaseSpec, manifest: bytes | None, sound: Sound
) -> tuple[Figures, list[Finding]]:
    """Verify the data file of a package; return counts and findings."""
    if sound:
        with archive.open(name) as file:
            figures = sound.get((hashlib.file_digest(file, "sha256").hexdigest(), manifest))
        if figures is not None:
            return figures, []
    with archive.open(name) as file:
        tally = Tally()
        return of_rows(name, csv_reader.csv_lines(file, tally), tally, expected, manifest)
