"""Runs the verifier on a release. It receives the specification of the rows; all else it derives from the files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO

from screening.releases import attack, exporters, file_store, verify
from screening.releases.hierarchies import QUASI_IDENTIFIERS
from screening.releases.models import Release
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL
from screening.releases.verify.spec import UnreadableError

IN_MEMORY = 16 << 20
"""Largest file, in bytes, that is verified in memory; larger ones are spooled to disk."""

MAX_HEADER = 1 << 16
"""Longest header, in bytes, of a file to attack."""


def check_release(release: Release) -> list[str]:
    """Verify the files of a stored release as they are downloaded; return one line per finding."""
    found, expected = [], _expected(release.spec)
    claimed = json.loads(release.manifest).get("measured_attack", {})
    for detail in _details(release):
        with _open(release, detail) as file:
            name = exporters.download_name(release.number, f"{detail}.csv")
            found += verify.check_open_file(name, file, expected, release.manifest.encode())
            file.seek(0)
            if detail in claimed and claimed[detail] != _measure(file):
                found.append(verify.Finding(f"manifest measured_attack.{detail}", "not that of the rows"))
    return [str(finding) for finding in found]


def attack_release(release: Release) -> dict[str, dict[str, int]]:
    """Return the measured attack on each stored data file of a release, by detail."""
    found = {}
    for detail in _details(release):
        with _open(release, detail) as file:
            found[detail] = _measure(file)
    return found


def attack_file(path: Path) -> dict[str, dict[str, int]]:
    """Return the measured attack on an exported CSV file, by its name. Raises UnreadableError for any other file."""
    with path.open("rb") as file:
        header = file.readline(MAX_HEADER).decode("utf-8", "replace").rstrip("\r\n").split(",")
        if tuple(header[: len(QUASI_IDENTIFIERS)]) != QUASI_IDENTIFIERS:
            raise UnreadableError(f"{path.name} is no CSV file of a release")
        rows = sorted(file)  # as in a release, should another program have sorted it otherwise
    if any(row.count(b",") != len(header) - 1 for row in rows):
        raise UnreadableError(f"{path.name} has rows that are longer or shorter than its header")
    return {path.name: _measure([",".join(header).encode(), *rows])}


def _measure(lines: Iterable[bytes]) -> dict[str, int]:
    return attack.measure(line.decode("utf-8", "replace") for line in lines)


def _details(release: Release) -> list[str]:
    """Return the details that a release has files of; ``full`` may be withheld."""
    files = json.loads(release.manifest)["files"]
    return [detail for detail in (SIGNS_DETAIL, FULL_DETAIL) if f"{detail}.csv" in files]


@contextmanager
def _open(release: Release, detail: str) -> Iterator[BinaryIO]:
    """Yield a data file of a stored release."""
    with SpooledTemporaryFile(IN_MEMORY) as file:
        for piece in file_store.read_file(release.id, f"{detail}.csv"):
            file.write(piece)
        file.seek(0)
        yield file  # type: ignore[misc]


def check_file(path: Path, spec: Mapping[str, Any], manifest: Path | None = None) -> list[str]:
    """Verify an exported file against the ``spec`` of its release or the current policy; return a line per finding."""
    return [str(finding) for finding in verify.check_file(path, _expected(spec), manifest)]


def check_file_of(release: Release, path: Path) -> list[str]:
    """Verify an exported file against the specification and the manifest of its release; return a line per finding."""
    with path.open("rb") as file:
        found = verify.check_open_file(path.name, file, _expected(release.spec), release.manifest.encode())
    return [str(finding) for finding in found]


def check_made(data: Path, sample: Path, made: Iterable[Path], spec: Mapping[str, Any]) -> list[str]:
    """Verify a data file, and what was ``made`` from it or from a ``sample`` of its rows; return a line per finding.

    Rows are counted once: what is made must have those of the data file or of the sample.
    """
    expected, sound = _expected(spec), verify.Sound()
    found = verify.check_file(data, expected, sound=sound)
    verify.accept(sample.read_bytes(), sound)
    for path in made:
        found += verify.check_file(path, expected, sound=sound)
    return [str(finding) for finding in found]


def _expected(spec: Mapping[str, Any]) -> verify.ReleaseSpec:
    """Return the verifier's input from a stored specification (see ``ReleasePolicy.spec``)."""
    hierarchies = {
        detail: {level: frozenset(codes) for level, codes in spec[detail].items()}
        for detail in ("age_bands", "pain_durations")
    }
    lists = {name: tuple(spec[name]) for name in ("signs", "mood")}
    return verify.ReleaseSpec(**{**spec, **hierarchies, **lists, "pain_named": frozenset(spec["pain_named"])})
