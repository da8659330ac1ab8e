"""The files of a release, made and verified in a folder before anything is stored or deleted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from screening.releases import attack, exporters, file_store, manifest, verification
from screening.releases.anonymise import Plan
from screening.releases.chart_counts import count_tables
from screening.releases.exporters import codebook
from screening.releases.models import Release
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL, Row, RowFormat, Rows, csv_record

DETAILS = (SIGNS_DETAIL, FULL_DETAIL)

WHOLE_WORKBOOK_ROWS = 20_000
"""Most rows of a release whose workbooks are made and verified whole before it is stored, which takes seconds."""


@dataclass(frozen=True)
class Draft:
    """A release that is not stored yet; its data files are in ``folder``."""

    release: Release
    folder: Path
    measured: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """The measured attack by detail (see ``attack.measure``)."""

    above_limit: bool = False
    """Whether more rows of ``signs`` stand alone than the policy allows; then ``full`` is withheld."""

    @property
    def details(self) -> tuple[str, ...]:
        """The details that the release has files of."""
        return (SIGNS_DETAIL,) if self.above_limit else DETAILS

    def data_files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield name and bytes of each data file."""
        for detail in self.details:
            yield f"{detail}.csv", self._parts(f"{detail}.csv")

    def findings(self) -> list[str]:
        """Make every other file from the data files, verify all, and return a line per finding.

        Above ``WHOLE_WORKBOOK_ROWS`` a workbook is made of a sample that has every code of every column: that finds
        each text that a workbook cannot hold, and a whole one takes as long as the release.
        """
        self._path("manifest.json").write_text(self.release.manifest, encoding="utf-8")
        found = []
        for detail in self.details:
            source, sample = f"{detail}.csv", f"{detail}.sample.csv"
            package, workbook = f"{detail}.zip", f"{detail}.xlsx"
            with self._path(source).open(encoding="utf-8", newline="") as lines:
                chosen = lines if self.release.rows <= WHOLE_WORKBOOK_ROWS else _sample(lines)
                self._path(sample).write_text("".join(chosen), encoding="utf-8", newline="")
            exporters.build(self.release, package, self._parts(source), self._path(package))
            exporters.build(self.release, workbook, self._parts(sample), self._path(workbook))
            made = [self._path(package), self._path(workbook)]
            found += verification.check_made(self._path(source), self._path(sample), made, self.release.spec)
        return found

    def attack(self, policy: ReleasePolicy) -> Draft:
        """Return the draft with the measured attack on its data files."""
        measured = {}
        for detail in DETAILS:
            with self._path(f"{detail}.csv").open(encoding="utf-8", newline="") as lines:
                measured[detail] = attack.measure(lines)
        return replace(self, measured=measured, above_limit=policy.is_above_limit(measured))

    def _path(self, name: str) -> Path:
        return self.folder / exporters.download_name(self.release.number, name)

    def _parts(self, name: str) -> Iterator[bytes]:
        with self._path(name).open("rb") as file:
            yield from iter(partial(file.read, file_store.CHUNK_BYTES), b"")


def make(folder: Path, policy: ReleasePolicy, plan: Plan, full: Rows, **values: Any) -> Draft:
    """Write the data files of a release; return it. ``full``: all rows in full detail."""
    asked, shape = policy.questionnaire, RowFormat(policy.questionnaire)
    values |= {"questionnaire": asked.id, "version": asked.version, "rows": plan.rows, "spec": policy.spec()}
    draft = Draft(Release(**values), folder)
    rows = {SIGNS_DETAIL: shape.in_signs(full), FULL_DETAIL: full}
    files = {of: _write(draft._path(f"{of}.csv"), shape.columns(of), rows[of]) for of in DETAILS}
    patterns = {detail: manifest.patterns(rows[detail]) for detail in DETAILS}
    draft = draft.attack(policy)
    files = {f"{detail}.csv": files[detail] for detail in draft.details}
    made_at: int = values["made_at"]
    stated = manifest.serialize(policy, plan, draft.release.number, made_at, patterns, draft.measured, files)
    columns = partial(codebook.columns, json.loads(stated), asked, policy.hierarchies)
    draft.release.manifest, draft.release.tables = stated, count_tables(full, rows[SIGNS_DETAIL], shape, policy.k)
    draft.release.codebook = {detail: codebook.to_json(columns(detail)) for detail in DETAILS}
    return draft


def _sample(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a data file that show a code for the first time in its column."""
    seen: set[tuple[int, str]] = set()
    for line, _ in groupby(lines):
        codes = set(enumerate(line.split(",")))
        if not codes <= seen:
            seen |= codes
            yield line


def _write(path: Path, columns: Row, rows: Rows) -> dict[str, int | str]:
    """Write a data file: the header, then every row as often as it occurs, sorted by bytes; return size and hash."""
    with path.open("w+b") as file:
        file.write(csv_record(columns).encode())
        for group in sorted(rows):  # in the order of the lines, too: no character of a code sorts before the comma
            for answers, number in sorted(rows[group].items()):
                file.write((csv_record((*group, *answers)) * number).encode())
        size = file.tell()
        file.seek(0)
        return {"size": size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
