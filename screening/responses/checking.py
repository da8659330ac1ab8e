"""Asking the verifier about a release: it is told what may stand in the rows, and finds all else out by itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from screening.responses import files, store, verify
from screening.responses.models import Release
from screening.responses.rows import FULL, SIGNS

IN_MEMORY = 16 << 20
"""Bytes of a file that is looked at in memory; a larger one lies in a temporary file meanwhile."""


def findings(release: Release) -> list[str]:
    """What is wrong with a stored release, a line each; its files as everybody gets them."""
    found, expected = [], _expected(release.promised)
    for detail in (SIGNS, FULL):
        name = files.download_name(release.number, f"{detail}.csv")
        with SpooledTemporaryFile(IN_MEMORY) as file:
            for piece in store.read(release.id, f"{detail}.csv"):
                file.write(piece)
            file.seek(0)
            found += verify.check(name, file, expected, release.manifest.encode())  # type: ignore[arg-type]
    return [str(finding) for finding in found]


def file_findings(path: Path, promised: Mapping[str, Any], manifest: Path | None = None) -> list[str]:
    """What is wrong with a file of a release, a line each; ``promised`` is that release’s, or today’s terms."""
    return [str(finding) for finding in verify.check_file(path, _expected(promised), manifest)]


def _expected(promised: Mapping[str, Any]) -> verify.Expected:
    """What a release may hold, from what was kept of the terms it was made on (see ``Terms.promised``)."""
    ladders = {
        detail: {level: frozenset(codes) for level, codes in promised[detail].items()}
        for detail in ("age_bands", "pain_durations")
    }
    return verify.Expected(**{**promised, "signs": tuple(promised["signs"]), **ladders})
