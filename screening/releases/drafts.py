"""The files of a release, made and verified in a folder before anything is stored or deleted."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from screening.releases import exporters, file_store, manifest, verification
from screening.releases.anonymise import Plan
from screening.releases.chart_counts import count_tables
from screening.releases.exporters import codebook
from screening.releases.models import Release
from screening.releases.policy import ReleasePolicy
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL, Row, RowFormat, csv_record, parse_row

DETAILS = (SIGNS_DETAIL, FULL_DETAIL)


@dataclass(frozen=True)
class Draft:
    """A release that is not stored yet; its data files are in ``folder``."""

    release: Release
    folder: Path

    def data_files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield name and bytes of each data file."""
        for detail in DETAILS:
            yield f"{detail}.csv", self._parts(f"{detail}.csv")

    def findings(self) -> list[str]:
        """Make every other file from the data files, verify all, and return a line per finding."""
        self._path("manifest.json").write_text(self.release.manifest, encoding="utf-8")
        names = sorted(exporters.NAMES, key=lambda name: not name.endswith(".csv"))
        for name in names:
            if not name.endswith(".csv"):
                exporters.build(self.release, name, self._parts(f"{name.partition('.')[0]}.csv"), self._path(name))
        return verification.check_files([self._path(name) for name in names], self.release.spec)

    def _path(self, name: str) -> Path:
        return self.folder / exporters.download_name(self.release.number, name)

    def _parts(self, name: str) -> Iterator[bytes]:
        with self._path(name).open("rb") as file:
            yield from iter(partial(file.read, file_store.CHUNK_BYTES), b"")


def make(folder: Path, policy: ReleasePolicy, plan: Plan, rows: Counter[str], **values: Any) -> Draft:
    """Write the data files of a release; return it. ``rows``: each row in full detail, emptied to save memory."""
    asked, shape = policy.questionnaire, RowFormat(policy.questionnaire)
    values |= {"questionnaire": asked.id, "version": asked.version, "rows": plan.rows, "spec": policy.spec()}
    draft = Draft(Release(**values), folder)
    files = {"full.csv": _write(draft._path("full.csv"), shape.columns(FULL_DETAIL), rows)}
    patterns = {FULL_DETAIL: manifest.patterns(rows)}
    tables = count_tables(((parse_row(line), number) for line, number in rows.items()), shape, policy.k)
    signs: Counter[str] = Counter()
    for line, number in rows.items():
        signs[csv_record(shape.of_signs(parse_row(line)))] += number
    rows.clear()
    files["signs.csv"] = _write(draft._path("signs.csv"), shape.columns(SIGNS_DETAIL), signs)
    patterns[SIGNS_DETAIL] = manifest.patterns(signs)
    stated = manifest.serialize(policy, plan, draft.release.number, values["made_at"], patterns, files)
    columns = partial(codebook.columns, json.loads(stated), asked, policy.hierarchies)
    draft.release.manifest, draft.release.tables = stated, tables
    draft.release.codebook = {detail: codebook.to_json(columns(detail)) for detail in DETAILS}
    return draft


def _write(path: Path, columns: Row, rows: Counter[str]) -> dict[str, int | str]:
    """Write a data file: the header, then every line as often as it occurs, sorted by bytes; return size and hash."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for line in (csv_record(columns), *sorted(rows)):
            data = (line * rows.get(line, 1)).encode()
            digest.update(data)
            file.write(data)
        return {"size": file.tell(), "sha256": digest.hexdigest()}
