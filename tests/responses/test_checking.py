"""The verifier on releases as they are really made."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import update

from screening.extensions import db
from screening.responses import checking, downloads, files, releases
from screening.responses.models import Release, ReleaseChunk
from screening.responses.terms import Terms
from tests.support.clock import NOVEMBER
from tests.support.sample_responses import generate, store


def made(terms: Terms, number: int, **options: object) -> Release:
    store(generate(number, **options))  # type: ignore[arg-type]
    return releases.create(releases.preview(terms, NOVEMBER), NOVEMBER, "command")


@pytest.mark.parametrize(
    ("database_kind", "number"), [("sqlite", 40), ("sqlite", 300), ("sqlite", 4000), ("postgresql", 300)]
)
def test_created_release_passes_verification_in_every_format(commands, terms, tmp_path: Path, number: int):
    release = made(terms, number, seed=number)
    assert checking.findings(release) == []
    for name in files.NAMES:
        file = tmp_path / files.download_name(release.number, name)
        _, pieces = downloads.open_file(release, name)
        with file.open("wb") as target:
            target.writelines(pieces)
        assert checking.file_findings(file, terms.promised()) == [], name
    manifest = tmp_path / "R-0001-manifest.json"
    manifest.write_text(release.manifest)
    assert checking.file_findings(tmp_path / "R-0001-full.csv", terms.promised(), manifest) == []


def test_release_by_month_passes_verification(commands, terms):
    by_month = replace(terms, determination=date(2026, 10, 1))
    release = made(by_month, 4000)
    assert '"period": "month"' in release.manifest
    assert checking.findings(release) == []


def test_release_is_verified_against_its_own_k(commands, terms):
    release = made(replace(terms, k=5), 60)
    assert checking.findings(release) == []


def test_release_is_verified_against_its_own_policy(commands, terms, tmp_path: Path):
    narrow = replace(terms, ladders=replace(terms.ladders, age_band=terms.ladders.age_band[-1:]))
    release = made(terms, 4000)
    assert json.loads(release.manifest)["levels"]["age_band"] not in {level.id for level in narrow.ladders.age_band}
    assert checking.findings(release) == []
    file = tmp_path / "R-0001-full.csv"
    with file.open("wb") as target:
        target.writelines(downloads.open_file(release, "full.csv")[1])
    assert checking.file_findings(file, release.promised) == []
    assert checking.file_findings(file, narrow.promised())


@pytest.mark.each_database
def test_changed_chunk_of_a_stored_file_is_reported(commands, terms):
    first, second = made(terms, 300), made(terms, 300, seed=2)
    other = db.session.get_one(ReleaseChunk, (second.id, "full.csv", 0)).data
    db.session.execute(update(ReleaseChunk).where(ReleaseChunk.release_id == first.id).values(data=other))
    db.session.commit()
    found = checking.findings(first)
    assert any("full.csv.sha256" in line for line in found)
