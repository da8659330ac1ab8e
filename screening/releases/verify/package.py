"""Checks of a ZIP package: only the specified files, without personal data in their texts."""

import csv
import hashlib
import io
import json
from collections.abc import Iterator

from screening.releases.verify import manifest as manifests
from screening.releases.verify import pii_patterns
from screening.releases.verify.archive import Archive
from screening.releases.verify.spec import Finding, ReleaseSpec, detail_of, shown

MANIFEST, TABLES = "manifest.json", "tables.json"
CODEBOOK = "codebook.csv"
"""Begins with a byte order mark, for spreadsheets."""

SHEETS = (CODEBOOK, "redcap_data_dictionary.csv")
TEXTS = ("README.md", "datapackage.json", TABLES)
LOADERS = ("load.py", "load.R", "load.sps", "load.do")
"""Scripts that load the rows; packages of earlier versions have none."""

ENTRIES = (MANIFEST, *SHEETS, *TEXTS)


class Package:
    """A ZIP package."""

    def __init__(self, name: str, archive: Archive, expected: ReleaseSpec) -> None:
        self.name, self.archive = name, archive
        self.data = [entry for entry in archive.names if detail_of(entry)]

    def listing(self) -> Iterator[Finding]:
        """Yield missing and unspecified entries; require exactly one data file."""
        for where, what in self.archive.findings():
            yield Finding(f"{self.name} {where}", what)
        for entry in self.archive.names:
            if entry not in (*ENTRIES, *LOADERS) and entry not in self.data:
                yield Finding(f"{self.name} entry {shown(entry)}", "no release has this entry")
        scripts = LOADERS if any(map(self.archive.names.__contains__, LOADERS)) else ()
        for entry in (*ENTRIES, *scripts):
            if entry not in self.archive.names:
                yield Finding(f"{self.name} entry {entry}", "is missing")
        if len(self.data) != 1:
            yield Finding(self.name, f"holds {len(self.data)} data files, not one")

    def texts(self, manifest: manifests.Manifest) -> Iterator[Finding]:
        """Yield personal data in files other than rows and manifest."""
        known = [*manifests.allowed_dates(manifest), *manifests.hashes(manifest), *self.sums()]
        sizes = {str(entry.file_size) for entry in self.archive.zip.infolist()}
        for entry in filter(self.archive.names.__contains__, (*SHEETS, *TEXTS, *LOADERS)):
            raw, encoding = self.archive.read(entry), "utf-8-sig" if entry == CODEBOOK else "utf-8"
            try:
                found = {
                    leak
                    for text in pieces(entry, raw.decode(encoding), sizes)
                    for leak in self.leaks(entry, text, known)
                }
            except (ValueError, RecursionError, csv.Error):
                yield Finding(f"{self.name} {entry}", "cannot be read as what its name says")
                continue
            for leak in sorted(found):
                yield Finding(f"{self.name} {entry}", f"holds what looks like {leak}")

    def leaks(self, entry: str, text: str, known: list[str]) -> Iterator[str]:
        """Yield the kinds of personal data in a text."""
        return pii_patterns.of_cell(text, known) if entry in SHEETS else pii_patterns.pattern_of(text, known)

    def sums(self) -> list[str]:
        """Return the SHA-256 of each small entry, which ``datapackage.json`` may contain."""
        names = [name for name in ENTRIES if name in self.archive.names]
        return [hashlib.sha256(self.archive.read(name)).hexdigest() for name in names]


def pieces(entry: str, text: str, sizes: set[str]) -> Iterator[str]:
    """Yield the texts of an entry: cells, lines, or JSON texts and whole numbers other than file ``sizes``."""
    if entry.endswith(".csv"):
        for row in csv.reader(io.StringIO(text, newline=""), strict=True):
            yield from row
    elif entry.endswith(".json"):
        numbers: list[str] = []
        value = json.loads(text, parse_int=lambda digits: numbers.append(digits))
        yield from manifests.words(value)
        yield from (digits for digits in numbers if digits not in sizes)
    else:
        yield from text.splitlines()
