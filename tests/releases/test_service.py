"""A release contains every response of the sealed months, once, or is not created at all."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, text

from screening.audit import AuditEvent
from screening.config_values import Determination
from screening.extensions import db
from screening.releases import drafts, file_store, periods, service, verification
from screening.releases.models import Release, ReleaseChunk, ReleaseFile
from screening.releases.policy import ReleasePolicy
from screening.releases.service import RefusedError
from screening.responses.models import ShuffledResponse
from tests.support.absence import assert_absent
from tests.support.clock import NOVEMBER
from tests.support.postgres import Cluster
from tests.support.release_factory import lines
from tests.support.sample_responses import generate
from tests.support.sample_responses import store as lay
from tests.support.threads import run_together

DENVER = ZoneInfo("America/Denver")


def copies() -> list[ShuffledResponse]:
    return list(db.session.scalars(select(ShuffledResponse)))


def create_release(number: int, policy: ReleasePolicy, **options: object) -> Release:
    """Create a release of so many responses."""
    lay(generate(number, **options))  # type: ignore[arg-type]
    return service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")


def count(table: type) -> int:
    number: int = db.session.scalar(select(func.count()).select_from(table))
    return number


@pytest.mark.each_database
def test_responses_of_sealed_months_are_released_and_deleted(commands, policy):
    rows = list(generate(900, months=("2026-09", "2026-10", "2026-11")))
    lay(rows)
    sealed = [row for row in rows if row["period"] != "2026-11"]
    release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
    assert release.rows == len(sealed) and release.number == "R-0001"
    assert {copy.period for copy in copies()} == {"2026-11"} and len(copies()) == len(rows) - len(sealed)
    full, signs = lines(release, "full.csv"), lines(release, "signs.csv")
    assert (
        full[0]
        == "period,age_band,pain_duration,sadness,sleep,hopelessness,interest,appetite,motivation,pain,pain_average"
    )
    assert signs[0] == "period,age_band,pain_duration,sadness,sleep,hopelessness,interest,appetite,motivation,pain"
    assert len(full) == len(signs) == len(sealed) + 1
    assert full[1:] == sorted(full[1:]) and signs[1:] == sorted(signs[1:])


@pytest.mark.each_database
def test_released_rows_match_the_stored_answers(commands, policy):
    rows = list(generate(600))
    lay(rows)
    seen = service.preview(policy, NOVEMBER)
    release = service.create(seen, NOVEMBER, "command")
    generalized = Counter(line.split(",", 3)[3] for line in lines(release, "full.csv")[1:] if "masked" not in line)
    answer_counts = Counter(",".join(row["answers"].values()) for row in rows)
    assert generalized <= answer_counts and generalized.total() == 600 - seen.plan.suppressed
    words = {"0": "not_noticed", "1": "noticed", "2": "noticed", "3": "noticed", "declined": "declined"}
    signs = Counter(line.split(",", 3)[3] for line in lines(release, "signs.csv")[1:] if "masked" not in line)
    expected: Counter[str] = Counter()
    for answers, number in generalized.items():
        expected[",".join(words[code] for code in answers.split(",")[:-1])] += number
    assert signs == expected


def test_rows_show_months_only_with_an_expert_determination(commands, policy):
    release = create_release(600, policy)
    assert {line.split(",")[0] for line in lines(release, "full.csv")[1:]} <= {"2026", "masked"}
    assert json.loads(release.manifest)["made"] == "2026"
    lay(generate(6000, seed=2))
    release = service.create(service.preview(with_months(commands), NOVEMBER), NOVEMBER, "command")
    stated = json.loads(release.manifest)
    assert stated["levels"]["period"] == "month" and stated["made"] == "2026-11"
    assert stated["expert_determination"] == "2026-10-01"
    assert_absent(["Zentinela Expert"], release.manifest)
    assert {line.split(",")[0] for line in lines(release, "full.csv")[1:]} - {"masked"} == {
        "2026-08",
        "2026-09",
        "2026-10",
    }


def with_months(commands) -> ReleasePolicy:
    """Return the policy with an expert determination, which allows months."""
    expert = Determination(date(2026, 10, 1), "Zentinela Expert")
    return ReleasePolicy.of(commands.config["SETTINGS"] | {"EXPERT_DETERMINATION": expert})


@pytest.mark.parametrize("number", [400, 1600])
def test_determination_tells_no_detail_less(commands, policy, number):
    lay(generate(number, months=("2025-12", *(f"2026-{month:02}" for month in range(1, 11)))))
    plain, finer = (service.preview(chosen, NOVEMBER) for chosen in (policy, with_months(commands)))
    assert plain.without is None and finer.without is not None
    assert finer.without.levels == plain.plan.levels and finer.plan.rows == plain.plan.rows
    for level, coarsest, each in zip(
        finer.plan.levels, plain.plan.levels, policy.hierarchies.for_periods((), "month"), strict=True
    ):
        assert each.index(level) <= each.index(coarsest)


def test_determination_that_changes_nothing_leaves_the_loss(commands, policy):
    lay(generate(400))
    plain, finer = (service.preview(chosen, NOVEMBER) for chosen in (policy, with_months(commands)))
    assert finer.plan.levels[0] == "year" and finer.plan == finer.without == plain.plan


def test_losses_of_both_plans_are_on_the_scale_of_months(commands):
    lay(generate(6000, seed=2))
    seen = service.preview(with_months(commands), NOVEMBER)
    assert seen.plan.levels[0] == "month" and seen.without.levels[0] == "year"
    assert seen.plan.ncp < Fraction(1, 5) <= seen.without.ncp, "years lose all months, whose weight is 1 of 5"


@pytest.mark.each_database
def test_month_under_k_is_released_with_a_determination(commands):
    lay(generate(600, months=("2026-08", "2026-09")))
    lay(generate(10, seed=2, months=("2026-10",)))
    lay(generate(10, seed=3, months=("2025-12",)))
    seen = service.preview(with_months(commands), NOVEMBER)
    assert seen.plan.rows == 610 and seen.held_back == ("2025",)
    release = service.create(seen, NOVEMBER, "command")
    assert {copy.period for copy in copies()} == {"2025-12"}
    assert verification.check_release(release) == []


@pytest.mark.parametrize(
    ("months", "allowed", "expected"),
    [(("2026-10",), False, True), (("2026-09", "2026-10"), False, False), (("2026-10",), True, False)],
)
def test_release_of_a_single_month_dates_every_row(commands, policy, months, allowed, expected):
    lay(generate(300, months=months))
    lay(generate(10, seed=2, months=("2025-12",)))
    seen = service.preview(with_months(commands) if allowed else policy, NOVEMBER)
    assert seen.second_month_on == (date(2026, 12, 2) if expected else None)


def test_limits_state_the_risk_of_a_single_month(commands, policy):
    rows = list(generate(600, months=("2026-09", "2026-10")))
    first, second = [row for row in rows if row["period"] == "2026-10"], rows
    limits = []
    for chosen, responses in ((policy, first), (policy, second), (with_months(commands), second)):
        lay(responses)
        release = service.create(service.preview(chosen, NOVEMBER), NOVEMBER, "command")
        limits.append(json.loads(release.manifest)["limits"])
    common = "If it holds a single month, they tell that of every row."
    assert [common in each for each in limits] == [True, True, False]


def test_hidden_pain_duration_suppresses_the_pain_columns(commands, policy):
    lay(generate(60))
    lay([row | {"id": f"{n:032x}", "age_band": "18_to_24", "pain_duration": "not_shown",
                "answers": row["answers"] | {"pain": "0", "pain_average": "not_shown"}}
         for n, row in enumerate(generate(3, seed=5))])  # fmt: skip
    release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
    for line in lines(release, "full.csv")[1:]:
        cells = line.split(",")
        assert (cells[2] in ("any", "masked")) == (cells[9] == "masked") == (cells[10] == "masked")


def test_month_is_sealed_24_hours_after_its_end_in_clinic_time():
    end = datetime(2026, 12, 1, 0, 0, tzinfo=DENVER)
    assert periods.last_closed_period(end.timestamp(), DENVER) == "2026-10"
    assert periods.last_closed_period(end.timestamp() + 86399, DENVER) == "2026-10"
    assert periods.last_closed_period(end.timestamp() + 86400, DENVER) == "2026-11"
    assert periods.next_possible_day(end.timestamp() + 86399, DENVER) == date(2026, 12, 2)
    assert periods.next_possible_day(end.timestamp() + 86400, DENVER) == date(2027, 1, 2)


def test_too_few_sealed_responses_are_refused_with_the_next_date(commands, policy):
    lay(generate(500, months=("2026-11",)))
    lay(generate(10, seed=2))
    with pytest.raises(RefusedError) as refused:
        service.preview(policy, NOVEMBER)
    assert str(refused.value) == "There are not enough copies for a release yet. Next try on Dec 2, 2026."
    assert len(copies()) == 510 and count(Release) == 0


def test_single_sealed_month_can_be_released(commands, policy):
    lay(generate(60, months=("2026-10",)))
    assert service.preview(policy, NOVEMBER).plan.rows == 60


@pytest.mark.each_database
def test_year_under_k_is_held_back_whole(commands, policy):
    lay(generate(400))
    lay(generate(10, seed=2, months=("2025-12", "2025-11")))
    seen = service.preview(policy, NOVEMBER)
    assert seen.held_back == ("2025",) and seen.plan.rows == 400
    service.create(seen, NOVEMBER, "command")
    assert sorted({copy.period for copy in copies()}) == ["2025-11", "2025-12"] and len(copies()) == 10


def test_questionnaire_versions_are_released_separately(commands, policy, questionnaire):
    lay(generate(300))
    lay(generate(200, seed=2, version=2))
    with pytest.raises(RefusedError, match="Besides version 1: warning_signs 2"):
        service.preview(policy, NOVEMBER)
    with pytest.raises(RefusedError, match="definition is of version 1"):
        service.preview(policy, NOVEMBER, version=2)
    seen = service.preview(policy, NOVEMBER, version=1)
    assert service.create(seen, NOVEMBER, "command").rows == 300
    with pytest.raises(RefusedError, match="are of warning_signs 2: give its definition"):
        service.preview(policy, NOVEMBER)
    second = ReleasePolicy.of(commands.config["SETTINGS"], replace(questionnaire, version=2))
    assert service.create(service.preview(second, NOVEMBER), NOVEMBER, "command").version == 2
    assert copies() == []


def test_preview_matches_the_manifest(commands, policy):
    lay(generate(800))
    seen = service.preview(policy, NOVEMBER)
    stated = json.loads(service.create(seen, NOVEMBER, "command").manifest)
    assert seen.stated() == {name: stated[name] for name in seen.stated()}


@pytest.mark.each_database
def test_shuffle_after_the_preview_refuses_the_release(commands, policy):
    lay(generate(300))
    seen = service.preview(policy, NOVEMBER)
    with db.engines[None].begin() as connection:
        connection.execute(text("INSERT INTO shuffled_batch VALUES ('another', 0, 50, 'accepted')"))
    lay(generate(50, seed=2))
    with pytest.raises(RefusedError, match="look again"):
        service.create(seen, NOVEMBER, "command")
    assert len(copies()) == 350 and count(Release) == 0 and count(ReleaseChunk) == 0
    assert service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command").rows == 350


@pytest.mark.each_database
def test_concurrent_creation_stores_a_single_release(commands, policy):
    lay(generate(2000))
    seen = service.preview(policy, NOVEMBER)

    def create(_: int) -> str:
        with commands.app_context():
            try:
                return service.create(seen, NOVEMBER, "command").number
            except RefusedError as error:
                return str(error)

    found = sorted(run_together(4, create))
    assert sum(answer.startswith("R-") for answer in found) == 1
    assert sum("look again" in answer for answer in found) == 3
    assert copies() == [] and count(Release) == 1 and db.session.scalar(select(Release.rows)) == 2000


@pytest.mark.each_database
@pytest.mark.parametrize(
    ("place", "step"),
    [
        (drafts, "count_tables"),
        (drafts.manifest, "serialize"),
        (drafts.exporters, "build"),
        (drafts.verification, "check_made"),
        (service, "_note"),
        (service, "scrub"),
        (file_store, "_pieces"),
    ],
)
def test_interrupted_release_is_complete_or_rolled_back(commands, policy, monkeypatch, place, step):
    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    lay(generate(300))
    seen = service.preview(policy, NOVEMBER)
    with monkeypatch.context() as patch:
        patch.setattr(place, step, stop)
        with pytest.raises(KeyboardInterrupt):
            service.create(seen, NOVEMBER, "command")
    stored = [count(table) for table in (Release, ReleaseFile, ReleaseChunk)]
    assert (len(copies()), *stored) == ((0, 1, 2, 2) if step == "scrub" else (300, 0, 0, 0))


@pytest.mark.parametrize("whole", [0, 300])
def test_workbook_that_lost_a_row_deletes_nothing(commands, policy, monkeypatch, whole):
    lay(generate(300))
    seen, build = service.preview(policy, NOVEMBER), drafts.exporters.build

    def lossy(release, name, parts, target):
        lines = b"".join(parts).splitlines(keepends=True)
        build(release, name, lines[:-1] if name.endswith(".xlsx") else lines, target)

    monkeypatch.setattr(drafts, "WHOLE_WORKBOOK_ROWS", whole)
    with monkeypatch.context() as patch:
        patch.setattr(drafts.exporters, "build", lossy)
        with pytest.raises(service.UnsoundError, match="the rows say"):
            service.create(seen, NOVEMBER, "command")
    assert (len(copies()), count(Release)) == (300, 0)
    assert verification.check_release(service.create(seen, NOVEMBER, "command")) == []


@pytest.mark.each_database
def test_release_that_fails_verification_deletes_nothing(commands, policy, monkeypatch):
    lay(generate(300))
    seen = service.preview(policy, NOVEMBER)
    counted = drafts.count_tables

    def wrong(*arguments):
        return counted(*arguments) | {"rows": 299}

    with monkeypatch.context() as patch:
        patch.setattr(drafts, "count_tables", wrong)
        with pytest.raises(RefusedError, match=r"nothing was stored and no copy was deleted\.(\n.*)*rows say 300"):
            service.create(seen, NOVEMBER, "command")
    assert (len(copies()), count(Release), count(ReleaseFile)) == (300, 0, 0)
    assert service.create(seen, NOVEMBER, "command").number == "R-0001"


def test_same_responses_in_any_order_give_identical_files(commands, policy):
    rows = list(generate(700))
    first = create_release(700, policy)
    lay([row | {"id": f"{n:032x}"} for n, row in enumerate(reversed(rows))])
    second = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
    for name in ("full.csv", "signs.csv"):
        assert lines(first, name) == lines(second, name)
        one, two = (db.session.get_one(ReleaseFile, (release.id, name)) for release in (first, second))
        assert (one.sha256, one.size) == (two.sha256, two.size)


@pytest.mark.each_database
def test_release_and_policy_changes_are_audited(commands, policy):
    create_release(400, policy)
    create_release(400, policy, seed=2)
    create_release(400, replace(policy, k=15), seed=3)
    events = db.session.execute(select(AuditEvent.action, AuditEvent.subject, AuditEvent.actor).order_by(AuditEvent.id))
    assert [tuple(event) for event in events] == [
        ("release.terms", "", "command"),
        ("release.made", "R-0001", "command"),
        ("release.made", "R-0002", "command"),
        ("release.terms", "", "command"),
        ("release.made", "R-0003", "command"),
    ]


def test_manifest_contains_no_author_and_no_exact_time(commands, policy):
    lay(generate(500))
    release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "0123456789abcdef0123456789abcdef")
    assert_absent(["0123456789abcdef0123456789abcdef"], release.manifest)
    assert not re.search(rf"\d{{4}}-\d\d|\b{int(NOVEMBER)}\b", release.manifest)
    stated = json.loads(release.manifest)
    assert stated["rows"] == 500 and stated["k"]["asked"] == 11 <= stated["k"]["reached"]
    assert "not people" in stated["rows_are"] and "chose" in stated["self_selected"]


@pytest.mark.each_database
def test_released_responses_leave_no_bytes_in_database_files(commands, policy, database_url, tmp_path, request):
    def on_disk() -> bytes:
        if database_url.startswith("sqlite"):
            return b"".join(file.read_bytes() for file in tmp_path.glob("site.sqlite*"))
        cluster: Cluster = request.getfixturevalue("cluster")
        return cluster.files_of(database_url)

    rows = list(generate(300))
    lay(rows)
    before = on_disk()
    assert all(row["id"].encode() in before for row in rows), "the control: the bytes were stored"
    service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
    assert_absent([row["id"] for row in rows], on_disk())
