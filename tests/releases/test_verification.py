"""The verifier, on releases that the service created."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import update

from screening.extensions import db
from screening.questionnaires import loader
from screening.releases import downloads, exporters, service, verification
from screening.releases.models import Release, ReleaseChunk
from screening.releases.policy import ReleasePolicy
from tests.support.clock import NOVEMBER
from tests.support.sample_responses import generate, store
from tests.support.visitor import SIGNS

SOURCE = (loader.LIBRARY / "warning_signs.toml").read_text(encoding="utf-8")


def made(policy: ReleasePolicy, number: int, **options: object) -> Release:
    store(generate(number, **options))  # type: ignore[arg-type]
    return service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")


@pytest.mark.parametrize(
    ("database_kind", "number"), [("sqlite", 40), ("sqlite", 300), ("sqlite", 4000), ("postgresql", 300)]
)
def test_created_release_passes_verification_in_every_format(commands, policy, tmp_path: Path, number: int):
    release = made(policy, number, seed=number)
    assert verification.check_release(release) == []
    for name in exporters.NAMES:
        file = tmp_path / exporters.download_name(release.number, name)
        _, pieces = downloads.open_file(release, name)
        with file.open("wb") as target:
            target.writelines(pieces)
        assert verification.check_file(file, policy.spec()) == [], name
    manifest = tmp_path / "R-0001-manifest.json"
    manifest.write_text(release.manifest)
    assert verification.check_file(tmp_path / "R-0001-full.csv", policy.spec(), manifest) == []


def test_release_by_month_passes_verification(commands, policy, tmp_path: Path):
    by_month = replace(policy, determination=date(2026, 10, 1))
    release = made(by_month, 6000)
    assert '"period": "month"' in release.manifest
    (tmp_path / "R-0001-manifest.json").write_text(release.manifest)
    for name in exporters.NAMES:
        file = tmp_path / exporters.download_name(release.number, name)
        file.write_bytes(b"".join(downloads.open_file(release, name)[1]))
        assert verification.check_file(file, release.spec) == [], name
    assert verification.check_release(release) == []


def test_release_is_verified_against_its_own_k(commands, policy):
    release = made(replace(policy, k=5), 60)
    assert verification.check_release(release) == []


def test_release_is_verified_against_its_own_policy(commands, policy, tmp_path: Path):
    narrow = replace(policy, hierarchies=replace(policy.hierarchies, age_band=policy.hierarchies.age_band[-1:]))
    release = made(policy, 4000)
    assert json.loads(release.manifest)["levels"]["age_band"] not in {level.id for level in narrow.hierarchies.age_band}
    assert verification.check_release(release) == []
    file = tmp_path / "R-0001-full.csv"
    with file.open("wb") as target:
        target.writelines(downloads.open_file(release, "full.csv")[1])
    assert verification.check_file(file, release.spec) == []
    assert verification.check_file(file, narrow.spec())


@pytest.mark.each_database
def test_changed_chunk_of_a_stored_file_is_reported(commands, policy):
    first, second = made(policy, 300), made(policy, 300, seed=2)
    other = db.session.get_one(ReleaseChunk, (second.id, "full.csv", 0)).data
    db.session.execute(update(ReleaseChunk).where(ReleaseChunk.release_id == first.id).values(data=other))
    db.session.commit()
    found = verification.check_release(first)
    assert any("full.csv.sha256" in line for line in found)


@pytest.mark.parametrize("row", [b"2026", b"2026,any,any" + b",0" * 40])
def test_row_of_a_wrong_length_in_a_stored_file_is_reported(commands, policy, row):
    release = made(policy, 300)
    changed = zlib.compress(b"".join(downloads.open_file(release, "full.csv")[1]) + row + b"\r\n")
    chosen = (ReleaseChunk.release_id == release.id, ReleaseChunk.name == "full.csv")
    db.session.execute(update(ReleaseChunk).where(*chosen).values(data=changed))
    db.session.commit()
    assert any("not as many cells as the header" in line for line in verification.check_release(release))
    assert verification.attack_release(release)


@pytest.fixture
def five_codes(commands, tmp_path):
    """Return the policy of a definition whose signs have five frequencies."""
    brief = 'text = { en = "Every hour", es = "Cada hora" }\nbrief = { en = "Every hour", es = "Cada hora" }\n'
    declined = '[[scales.choices]]\ncode = "declined"'
    file = tmp_path / "five.toml"
    file.write_text(
        SOURCE.replace(declined, f'[[scales.choices]]\ncode = "4"\npoints = 4\n{brief}\n{declined}', 1),
        encoding="utf-8",
    )
    return ReleasePolicy.of(commands.config["SETTINGS"], loader.load(file))


def test_scale_of_five_codes_passes_verification(five_codes, tmp_path: Path):
    responses = list(generate(900))
    for number, response in enumerate(responses):
        if number % 3 == 0:
            strong = [sign for sign in SIGNS if response["answers"][sign] == "3"]
            response["answers"] |= dict.fromkeys(strong, "4")
    store(responses)
    release = service.create(service.preview(five_codes, NOVEMBER), NOVEMBER, "command")
    assert verification.check_release(release) == []
    for name in exporters.NAMES:
        file = tmp_path / exporters.download_name(release.number, name)
        file.write_bytes(b"".join(downloads.open_file(release, name)[1]))
        assert verification.check_file(file, release.spec) == [], name
    assert ",4," in (tmp_path / "R-0001-full.csv").read_text(), "the fifth code occurs"
