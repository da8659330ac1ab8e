"""Asking the verifier about a release: it is told what may stand in the rows, and finds all else out by itself."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from screening.releases import exporters, file_store, verify
from screening.releases.models import Release
from screening.releases.row_format import FULL_DETAIL, SIGNS_DETAIL

IN_MEMORY = 16 << 20
"""Bytes of a file that is looked at in memory; a larger one lies in a temporary file meanwhile."""


def check_release(release: Release) -> list[str]:
    """What is wrong with a stored release, a line each; its files as everybody gets them."""
    found, expected = [], _expected(release.spec)
    for detail in (SIGNS_DETAIL, FULL_DETAIL):
        name = exporters.download_name(release.number, f"{detail}.csv")
        with SpooledTemporaryFile(IN_MEMORY) as file:
            for piece in file_store.read_file(release.id, f"{detail}.csv"):
                file.write(piece)
            file.seek(0)
            found += verify.check_open_file(name, file, expected, release.manifest.encode())  # type: ignore[arg-type]
    return [str(finding) for finding in found]


def check_files(path: Path, spec: Mapping[str, Any], manifest: Path | None = None) -> list[str]:
    """What is wrong with a file of a release, a line each; ``spec`` is that release’s, or today’s terms."""
    return [str(finding) for finding in verify.check_file(path, _expected(spec), manifest)]


def _expected(spec: Mapping[str, Any]) -> verify.ReleaseSpec:
    """What a release may hold, from what was kept of the terms it was made on (see ``ReleasePolicy.spec``)."""
    hierarchies = {
        detail: {level: frozenset(codes) for level, codes in spec[detail].items()}
        for detail in ("age_bands", "pain_durations")
    }
    return verify.ReleaseSpec(**{**spec, "signs": tuple(spec["signs"]), **hierarchies})
