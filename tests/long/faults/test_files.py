"""Questionnaire, clinic file and crisis files are damaged, under a running server and before a start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from screening.clinic import DEMO
from screening.config import ROOT, SettingsError
from screening.questionnaires.loader import LIBRARY
from screening.web import crisis
from tests.support.live_patient import Patient
from tests.support.live_server import LiveServer
from tests.support.visitor import Visitor, check_page

DAMAGES = {
    "missing": lambda file: file.unlink(),
    "emptied": lambda file: file.write_bytes(b""),
    "half written": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "no text": lambda file: file.write_bytes(b"\xff\xfe\0\0" * 100),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_refuse_startup_but_stop_no_running_server(tmp_path, damage, report):
    definition, clinic = tmp_path / "questions.toml", tmp_path / "clinic.toml"
    definition.write_bytes((LIBRARY / "warning_signs.toml").read_bytes())
    clinic.write_bytes(DEMO.read_bytes())
    settings = {"SCREENING_QUESTIONNAIRE_FILE": str(definition), "SCREENING_CLINIC_FILE": str(clinic)}
    with LiveServer(tmp_path, **settings) as server:
        for file in (definition, clinic):
            DAMAGES[damage](file)
        patient = Patient(server, 1)
        status, _, body = patient.request("GET", "/check/sadness")
        assert status == 200 and "tel:988" in body and "Demo Spine and Pain Clinic" in body
        status, _, body = patient.request("POST", "/check/hopelessness", {"hopelessness": "3"})
        assert status == 200 and "after_help" in body and "tel:988" in body
        environment = server.environment
        doctor = subprocess.run(
            [sys.executable, "-m", "flask", "doctor"], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert "The questionnaire cannot be used: questions.toml" in doctor.stdout
        assert ("The clinic file cannot be used: clinic.toml" in doctor.stdout) == (damage != "missing")
    started = subprocess.run(
        [sys.executable, "-c", "import wsgi"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert started.returncode == 1
    assert started.stderr.startswith("The site cannot start: questions.toml: ") and started.stderr.count("\n") == 1
    report(f"definition {damage}: {started.stderr.strip()}")


def test_missing_clinic_file_refuses_startup_of_a_public_site(make_site, own_clinic, tmp_path):
    file = tmp_path / "clinic.toml"
    file.write_bytes(own_clinic.read_bytes())
    public = {"ALLOWED_HOSTS": ("check.clinic.example",), "HTTPS": True, "CLINIC_FILE": file}
    make_site(**public)
    file.unlink()
    with pytest.raises(SettingsError, match="the demo clinic is shown"):
        make_site(**public)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("language", ["en", "es"])
def test_damaged_crisis_file_leaves_help_on_every_page(make_site, monkeypatch, tmp_path, damage, language):
    running = make_site()
    for file in crisis.FOLDER.glob("*.toml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    DAMAGES[damage](tmp_path / f"{language}.toml")
    load = crisis.load
    monkeypatch.setattr(crisis, "load", lambda locales: load(locales, tmp_path))
    for site, words in ((running, "988"), (make_site(), "988lifeline.org")):
        visitor = Visitor(site)
        for address in ("/", "/check/sadness", "/consultation", "/nowhere"):
            check_page(visitor.get(f"{address}?lang={language}"))
        page = visitor.get("/help-now")
        assert page.main.find("a", href="tel:988") is not None and page.main.find("a", href="tel:911") is not None
        assert words in page.words
        help_page = visitor.post("/check/hopelessness", {"hopelessness": "3"})
        assert help_page.status == 200 and help_page.main.find("a", href="tel:988") is not None
