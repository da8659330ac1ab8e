"""Call-back requests under a killed server and with hostile forms."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from html import unescape

import pytest

from screening.callbacks import reference_code
from screening.callbacks.patient_views import MIN_FORM_SECONDS
from tests.support.hostile_input import HOSTILE_VALUES, MARKUP
from tests.support.live_patient import Patient, references_in
from tests.support.live_server import LiveServer
from tests.support.sample_patient import FORM
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

PATIENTS = 200
KILLED_AFTER = 70
"""Requests acknowledged when the server is killed; sixteen others are in flight."""

HOSTILE = 10_000
SEED = 4711


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_server_loses_no_acknowledged_request(kind, tmp_path, request, report):
    settings = {"SCREENING_RATE_LIMIT_REQUESTS": "100000 per hour"}
    if kind == "postgresql":
        settings["SCREENING_DATABASE_URL"] = request.getfixturevalue("cluster").copy_of("template_site")
    with LiveServer(tmp_path, "--workers", "2", **settings) as server, ThreadPoolExecutor(16) as pool:
        patients = list(pool.map(lambda number: Patient(server, number), range(PATIENTS)))
        ready = time.monotonic() + MIN_FORM_SECONDS + 1
        while time.monotonic() < ready:  # the minimum time on a form
            patients[0].request("GET", "/healthz")
        acknowledged: dict[str, str] = {}
        sent = {pool.submit(patient.send): patient for patient in patients}
        for done in as_completed(sent):
            if (shown := done.result()) is not None:
                acknowledged[sent[done].name] = shown
            if len(acknowledged) == KILLED_AFTER and server.process.poll() is None:
                server.kill()
        stored = references_in(server.database)
        lost = [r for r in acknowledged.values() if reference_code.fingerprint(r) not in stored]
        report(
            f"{kind}: killed after {KILLED_AFTER} of {PATIENTS}; {len(acknowledged)} acknowledged, "
            f"{len(stored)} in the database, {len(lost)} acknowledged and lost"
        )
        assert lost == [] and KILLED_AFTER <= len(acknowledged) < PATIENTS
        server.start()
        again = dict(zip((p.name for p in patients), pool.map(Patient.send, patients), strict=True))
        stored = references_in(server.database)
        report(f"{kind}: all pressed Send once more: {len(stored)} requests of {PATIENTS} patients")
        assert len(stored) == len(set(stored)) == PATIENTS
        assert all(again[name] == shown for name, shown in acknowledged.items()), "a retry gives the same reference"


def test_hostile_callback_forms_cause_no_error_or_injection(make_site, clock, report):
    site = make_site(RATE_LIMIT_REQUESTS="1000000 per hour", RATE_LIMIT_LOOKUPS="1000000 per hour")
    visitor = Visitor(site)
    visitor.walk(hopelessness="3")
    visitor.disagree()
    form = visitor.get("/consultation").typed("/consultation/review")
    clock.forward(10)
    rng = random.Random(SEED)
    names = [*form, *FORM, "guardian", "guardian_phone", "minor", "share", "reference", "website", "lang", MARKUP]
    statuses: dict[int, int] = {}
    for number in range(HOSTILE):
        fields = {**form, **FORM, "website": ""} if rng.random() < 0.7 else {"csrf_token": form["csrf_token"]}
        for _ in range(rng.randrange(5)):
            fields[rng.choice(names)] = [rng.choice(HOSTILE_VALUES) for _ in range(rng.choice([1, 1, 1, 2, 40]))]
        if rng.random() < 0.95:
            fields["csrf_token"] = form["csrf_token"]
        if number % 50 == 0:
            form["form_state"] = visitor.get("/consultation").typed("/consultation/review")["form_state"]
            clock.forward(10)
        path = rng.choice(
            [
                "/consultation",
                "/consultation/review",
                "/consultation/sent",
                "/consultation/sent",
                "/consultation/status",
            ]
        )
        response = visitor.client.post(path, data=fields, base_url="http://localhost")
        statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
        assert response.status_code < 500 and "X-Injected" not in response.headers, (number, path, fields)
        assert response.headers.get("Location", "/consultation").startswith("/consultation"), (number, path)
        if response.status_code == 303:
            response = visitor.client.get(response.location, base_url="http://localhost", follow_redirects=True)
            assert response.status_code == 200, (number, path, fields)
        assert "<zqx" not in response.text, (number, path)
    report(f"{HOSTILE} forms: {dict(sorted(statuses.items()))}")
    assert statuses[303] > HOSTILE / 2
    team = Team(site)
    ann = team.add("ann", "callbacks")
    page = ann.sign_in("/staff/callbacks")
    seen = 0
    while True:
        for link in page.main.select(".app-worklist__name a"):
            shown = ann.get(link["href"])
            assert "<zqx" not in shown.text and (MARKUP not in unescape(shown.text) or "&lt;zqx" in shown.text)
            seen += 1
        following = next((link for link in page.main.select(".app-pages a") if "Next" in link.get_text()), None)
        if following is None or seen >= 500:
            break
        page = ann.get(following["href"])
    report(f"{seen} stored requests opened by staff: all values escaped")
    assert seen >= 50
