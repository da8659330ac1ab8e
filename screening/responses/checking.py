"""Asking the verifier about a release: it is told what may stand in the rows, and finds all else out by itself."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import SpooledTemporaryFile

from screening.responses import files, store, verify
from screening.responses.anonymise import Level
from screening.responses.models import Release
from screening.responses.rows import FULL, SIGNS
from screening.responses.terms import Terms

IN_MEMORY = 16 << 20
"""Bytes of a file that is looked at in memory; a larger one lies in a temporary file meanwhile."""


def findings(release: Release, terms: Terms) -> list[str]:
    """What is wrong with a stored release, a line each; its files as everybody gets them."""
    found = []
    for detail in (SIGNS, FULL):
        name = files.download_name(release.number, f"{detail}.csv")
        with SpooledTemporaryFile(IN_MEMORY) as file:
            for piece in store.read(release.id, f"{detail}.csv"):
                file.write(piece)
            file.seek(0)
            found += verify.check(name, file, _expected(terms, release), release.manifest.encode())  # type: ignore[arg-type]
    return [str(finding) for finding in found]


def file_findings(path: Path, terms: Terms, manifest: Path | None = None) -> list[str]:
    """What is wrong with a file of some release, a line each."""
    return [str(finding) for finding in verify.check_file(path, _expected(terms), manifest)]


def _expected(terms: Terms, release: Release | None = None) -> verify.Expected:
    """What a release may hold. ``k`` is the one it was made with, which may differ from today's."""
    roles = terms.questionnaire.roles
    asked = json.loads(release.manifest)["k"]["asked"] if release else terms.k
    return verify.Expected(
        signs=tuple(sign.id for sign in terms.questionnaire.signs),
        age_bands=_codes(terms.ladders.age_band),
        pain_durations=_codes(terms.ladders.pain_duration),
        k=asked,
        sensitive=terms.questionnaire.help.question,
        pain=roles.pain,
        pain_average=roles.pain_average,
    )


def _codes(levels: tuple[Level, ...]) -> dict[str, frozenset[str]]:
    return {level.id: frozenset(level.told.values()) for level in levels}
