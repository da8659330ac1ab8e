"""Runs the verifier on a release. It receives the specification of the rows; all else it derives from the files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from screening.releases import exporters, file_store, verify
from screening.releases.models import Release
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL

IN_MEMORY = 16 << 20
"""Largest file, in bytes, that is verified in memory; larger ones are spooled to disk."""


def check_release(release: Release) -> list[str]:
    """Verify the files of a stored release as they are downloaded; return one line per finding."""
    found, expected = [], _expected(release.spec)
    for detail in (SIGNS_DETAIL, FULL_DETAIL):
        name = exporters.download_name(release.number, f"{detail}.csv")
        with SpooledTemporaryFile(IN_MEMORY) as file:
            for piece in file_store.read_file(release.id, f"{detail}.csv"):
                file.write(piece)
            file.seek(0)
            found += verify.check_open_file(name, file, expected, release.manifest.encode())  # type: ignore[arg-type]
    return [str(finding) for finding in found]


def check_files(paths: Sequence[Path], spec: Mapping[str, Any], manifest: Path | None = None) -> list[str]:
    """Verify exported files against the ``spec`` of their release or the current policy; return a line per finding.

    Rows that the first of several files have, such as those of a CSV, are counted once.
    """
    expected, sound = _expected(spec), verify.Sound()
    found = [finding for path in paths for finding in verify.check_file(path, expected, manifest, sound)]
    return [str(finding) for finding in found]


def _expected(spec: Mapping[str, Any]) -> verify.ReleaseSpec:
    """Return the verifier's input from a stored specification (see ``ReleasePolicy.spec``)."""
    hierarchies = {
        detail: {level: frozenset(codes) for level, codes in spec[detail].items()}
        for detail in ("age_bands", "pain_durations")
    }
    lists = {name: tuple(spec[name]) for name in ("signs", "mood")}
    return verify.ReleaseSpec(**{**spec, **hierarchies, **lists, "pain_named": frozenset(spec["pain_named"])})
