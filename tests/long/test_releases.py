"""An insider tries to link patients to responses, and an independent library confirms a release's k and l."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas
import pytest
from pycanon.anonymity import k_anonymity, l_diversity
from sqlalchemy import func, select

from screening import responses
from screening.callbacks import clinic_calendar, patient_service, staff_service
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import CallbackRequest
from screening.config import ROOT
from screening.extensions import db
from screening.questionnaires.branching import answers_on_path
from screening.releases import file_store, service
from screening.releases.models import Release, ReleaseChunk
from screening.releases.policy import ReleasePolicy
from screening.responses.models import ShuffledResponse
from tests.support.linkage import MAX_CORRELATION, MAX_HITS, codes, correlation, hits, orders
from tests.support.pending import shuffle_all
from tests.support.sample_responses import generate
from tests.support.sample_responses import store as lay
from tests.support.visitor import SIGNS

pytestmark = pytest.mark.each_database

PEOPLE = 2000
SEED = 20261122
OCTOBER = datetime(2026, 10, 5, 15, tzinfo=UTC).timestamp()
NOVEMBER = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
FOUR = ("sadness", "sleep", "interest", "pain")
"""What an acquaintance may know about a patient."""

Report = Callable[[str], None]


def details(number: int, answers: Mapping[str, str] | None) -> ContactDetails:
    return ContactDetails(
        name=f"Patient {number}", say="", patient="new", language="en", assistance="", phone=f"+1303555{number:04}",
        email="", reach_by="phone", days=(), parts=(), voicemail=False, minor=False, guardian="", guardian_phone="",
        message="", news=False, answers=answers, version=1 if answers else None,
    )  # fmt: skip


def patients_answers(questionnaire: Any) -> list[dict[str, str]]:
    """Return the answers of every patient, identified by position; all of one day."""
    everyone = []
    for copy in generate(PEOPLE, SEED, months=("2026-10",)):
        patient_answers = copy["answers"] | {
            "pain_duration": copy["pain_duration"],
            "age": copy["age_band"],
            "consent": "yes",
        }
        everyone.append(
            answers_on_path(questionnaire, {id_: code for id_, code in patient_answers.items() if code != "not_shown"})
        )
    return everyone


def submit_all(site: Any, everyone: list[dict[str, str]], withdraw: bool = True) -> set[int]:
    """Every patient stores a response and sends a request; a tenth shares the summary, which withdraws the response."""
    rng, calendar = random.Random(SEED), clinic_calendar.current_calendar(site.extensions["clinic"])
    questionnaire, keyring = site.extensions["questionnaire"], site.extensions["keyring"]
    sharers = set(rng.sample(range(PEOPLE), PEOPLE // 10))
    for number, answers in enumerate(everyone):
        response_id = f"{rng.getrandbits(128):032x}"
        responses.record(keyring, response_id, questionnaire, answers, "2026-10", stored_before=False)
        shared = {id_: answers[id_] for id_ in (*SIGNS, "pain_duration") if id_ in answers}
        asked = details(number, shared if number in sharers else None)
        patient_service.submit(
            patient_service.fresh_secret(), asked, calendar, OCTOBER + number * 20, urgent=False, mails=False
        )
        if number in sharers and withdraw:
            responses.withdraw(keyring, response_id, stored_before=True)
    return sharers


def queue(staff: Any) -> list[tuple[CallbackRequest, ContactDetails]]:
    """Return what a staff member can read, in the order of arrival."""
    keyring = staff.extensions["keyring"]
    found = db.session.scalars(select(CallbackRequest).order_by(CallbackRequest.asked_at))
    opened = [(request, staff_service.decrypt(keyring, request)) for request in found]
    return [(request, known) for request, known in opened if known is not None]


def vector(answers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values that a shared summary and a response have in common."""
    return tuple(answers.get(id_, "not_shown") for id_ in (*SIGNS, "pain_duration"))


def copies() -> list[ShuffledResponse]:
    return list(db.session.scalars(select(ShuffledResponse)))


def test_request_order_links_no_patient_to_a_response(make_site, database_url, tmp_path, report: Report, own_keys):
    site = make_site(DATABASE_URL=database_url)
    rng = random.Random(SEED)
    serials = rng.sample(range(4**7), PEOPLE)
    with site.app_context():
        everyone = [{**codes(serial), "consent": "yes", "age": "declined"} for serial in serials]
        sharers = submit_all(site, everyone)
        arrived = [serial for number, serial in enumerate(serials) if number not in sharers]
        assert shuffle_all(own_keys, PEOPLE // 4, OCTOBER).moved == len(arrived)
        for name, order in orders("shuffled_response", arrived, tmp_path).items():
            right, rho = hits(arrived, order), correlation(arrived, order)
            report(
                f"queue against responses, {name}: {right} of {len(arrived)} pairs right (chance: 1), correlation {rho:+.3f}"
            )
            assert right <= MAX_HITS and abs(rho) <= MAX_CORRELATION * 1.1
        columns = set(ShuffledResponse.__table__.columns.keys())
        assert columns == {"id", "period", "questionnaire", "version", "age_band", "pain_duration", "answers"}
        ids = {request.id for request in db.session.scalars(select(CallbackRequest))}
        assert not ids & {copy.id for copy in copies()}


@pytest.mark.parametrize("withdraw", [True, False], ids=["as it is", "control: shared summaries keep their copy"])
def test_shared_summary_links_no_patient_to_a_response(
    make_site, database_url, report: Report, own_keys, withdraw: bool
):
    site = make_site(DATABASE_URL=database_url)
    staff = site.extensions["staff"]
    with site.app_context():
        everyone = patients_answers(site.extensions["questionnaire"])
        sharers = submit_all(site, everyone, withdraw)
        shuffle_all(own_keys, PEOPLE // 4, OCTOBER)
        by_vector = defaultdict(list)
        for copy in copies():
            by_vector[vector(copy.answers | {"pain_duration": copy.pain_duration})].append(copy)
        with staff.app_context():
            known = [found.answers for _, found in queue(staff) if found.answers is not None]
    assert len(known) == len(sharers) == PEOPLE // 10
    owners = Counter(
        vector(answers) for number, answers in enumerate(everyone) if number not in sharers or not withdraw
    )
    assert {found: len(them) for found, them in by_vector.items()} == owners, (
        "the responses are those patients’, and no others"
    )
    unique = [answers for answers in known if len(by_vector[vector(answers)]) == 1]
    summaries = Counter(vector(everyone[number]) for number in sharers)
    right = 0 if withdraw else sum(owners[vector(answers)] == summaries[vector(answers)] == 1 for answers in unique)
    report(f"{len(unique)} of {len(known)} shared summaries match one response, {right} of these correctly")
    assert (right == 0) if withdraw else (right > len(known) / 2)


def test_manifest_states_the_unique_patterns_of_its_rows(make_site, database_url, report: Report):
    """This linkage is not prevented, so the manifest states its rate; no page may claim otherwise."""
    site = make_site(DATABASE_URL=database_url)
    with site.app_context():
        everyone = patients_answers(site.extensions["questionnaire"])
        lay(generate(PEOPLE, SEED, months=("2026-10",)))
        policy = ReleasePolicy.of(site.config["SETTINGS"])
        before = Counter(tuple(copy.answers[sign] for sign in FOUR) for copy in copies())
        release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
        rows = {name: rows_of(release, name) for name in ("full.csv", "signs.csv")}
    only = sum(before[tuple(person[sign] for sign in FOUR)] == 1 for person in everyone)
    report(f"knowing four answers: {only} of {PEOPLE} people match one shuffled response ({only / PEOPLE:.1%})")
    stated = json.loads(release.manifest)
    for name, words in (("full.csv", {}), ("signs.csv", {"0": "not_noticed"} | dict.fromkeys("123", "noticed"))):
        found = Counter(tuple(row[sign] for sign in FOUR) for row in rows[name])
        only = sum(found[tuple(words.get(person[sign], person[sign]) for sign in FOUR)] == 1 for person in everyone)
        detail = name.partition(".")[0]
        share = stated["unique_patterns"][detail]["share"]
        report(f"the same in {name}: {only} ({only / PEOPLE:.1%}); the manifest states {share:.1%} unique patterns")
        patterns = Counter(tuple(value for key, value in row.items() if key not in QI) for row in rows[name])
        assert stated["unique_patterns"][detail]["unique"] == sum(number == 1 for number in patterns.values())


QI = ["period", "age_band", "pain_duration"]


def rows_of(release: Release, name: str) -> list[dict[str, str]]:
    lines = b"".join(file_store.read_file(release.id, name)).decode().splitlines()
    names = lines[0].split(",")
    return [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]


@pytest.mark.parametrize("number", [300, 3000, 30_000])
def test_pycanon_confirms_k_and_l_diversity(make_site, database_url, report: Report, number: int):
    site = make_site(DATABASE_URL=database_url)
    with site.app_context():
        lay(generate(number, SEED + number))
        policy = ReleasePolicy.of(site.config["SETTINGS"])
        release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
        table = pandas.DataFrame(rows_of(release, "full.csv"))
        signs = pandas.DataFrame(rows_of(release, "signs.csv"))
    stated = json.loads(release.manifest)
    answered = table[table.hopelessness.isin(list("0123"))].reset_index(drop=True)
    found = k_anonymity(table, QI), l_diversity(answered, QI, ["hopelessness"])
    report(f"{number} rows: pycanon finds k {found[0]} and l {found[1]}, the manifest states {stated['k']['reached']}, "
           f"{stated['sensitive']['values_reached']}; {stated['groups']['number']} groups, {stated['masked_rows']} masked, "
           f"NCP {stated['ncp']}")  # fmt: skip
    assert found == (stated["k"]["reached"], stated["sensitive"]["values_reached"])
    assert found[0] >= 11 and found[1] >= 2
    with_pain = table.assign(
        named=table.pain_average.map(lambda code: {"masked": code, "not_shown": code}.get(code, "named"))
    )
    assert k_anonymity(with_pain, [*QI, "named"]) == found[0], "the presence of pain splits no group"
    answered = signs[signs.hopelessness.isin(["noticed", "not_noticed"])].reset_index(drop=True)
    assert k_anonymity(signs, QI) == found[0] and l_diversity(answered, QI, ["hopelessness"]) == 2


def test_killed_release_is_complete_or_absent(make_site, database_url, report: Report):
    site = make_site(DATABASE_URL=database_url)
    rng = random.Random(SEED)
    environment = {"SCREENING_DATABASE_URL": database_url, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "flask", "release"]
    killed = made = 0

    def seconds(what: str) -> float:
        began = time.monotonic()
        subprocess.run([*command, what], cwd=ROOT, env=environment, check=True, capture_output=True)
        return time.monotonic() - began

    with site.app_context():
        lay(generate(20_000, SEED, months=("2025-10",)))
        preview_seconds = min(seconds("preview") for _ in range(3))  # the first is slow
        create_seconds = seconds("create")
        made += 1
        lay(generate(20_000, SEED - 1, months=("2025-10",)))
        for attempt in range(16):
            process = subprocess.Popen([*command, "create"], cwd=ROOT, env=environment, stdout=-3, stderr=-3)
            try:
                process.wait(rng.uniform(preview_seconds, 1.25 * create_seconds))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            left = db.session.scalar(select(func.count()).select_from(ShuffledResponse))
            done = list(db.session.scalars(select(Release)))
            assert (left, len(done)) in ((20_000, made), (0, made + 1)), (left, len(done))
            if left == 0:
                made += 1
                rows = rows_of(done[-1], "full.csv")
                assert len(rows) == done[-1].rows == 20_000 and len(rows_of(done[-1], "signs.csv")) == 20_000
                lay(generate(20_000, SEED + attempt + 1, months=("2025-10",)))
            db.session.rollback()
        chunks = db.session.scalar(select(func.count(ReleaseChunk.release_id.distinct())))
    report(f"{killed} runs killed, {made} releases created, each complete; {chunks} with files")
    assert chunks == made and killed >= 3
