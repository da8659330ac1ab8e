"""``security.txt``: the contact for vulnerability reports, by RFC 9116."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from screening.clinic import DEMO
from screening.web.security_txt import PATH
from tests.support.clock import START

SOURCE = DEMO.read_text(encoding="utf-8")
SURFACES = [("visitor", "staff"), ("visitor",), ("staff",)]


def fields_of(site, **options):
    answer = site.test_client().get(PATH, base_url="http://localhost", **options)
    assert answer.status_code == 200 and answer.content_type == "text/plain; charset=utf-8"
    assert "Set-Cookie" not in answer.headers
    assert answer.text.endswith("\n") and answer.text.isascii()
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    fields = [tuple(line.split(": ", 1)) for line in lines]
    assert [name for name, _ in fields].count("Expires") == 1
    return fields


@pytest.fixture
def clinic_file(tmp_path):
    def write(*changes):
        text = SOURCE.replace("demo = true", "demo = false")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "clinic.toml").write_text(text)
        return tmp_path / "clinic.toml"

    return write


@pytest.mark.parametrize("surfaces", SURFACES)
def test_security_txt_names_contact_for_every_serve_setting(make_site, clinic_file, surfaces):
    file = clinic_file(('security_contact = ""', 'security_contact = "mailto:security@clinic.example.org"'))
    fields = fields_of(make_site(CLINIC_FILE=file, SERVE=surfaces))
    assert fields[0] == ("Contact", "mailto:security@clinic.example.org")
    assert ("Preferred-Languages", "en, es") in fields
    assert [name for name, _ in fields] == ["Contact", "Expires", "Preferred-Languages"]


@pytest.mark.parametrize("contact", ["https://clinic.example.org/security", "tel:+1-303-555-0199"])
def test_security_txt_accepts_web_page_or_phone_contact(make_site, clinic_file, contact):
    file = clinic_file(('security_contact = ""', f'security_contact = "{contact}"'))
    assert ("Contact", contact) in fields_of(make_site(CLINIC_FILE=file))


def test_security_txt_falls_back_to_the_clinic_phone(make_site, clinic_file):
    assert ("Contact", "tel:+13035550100") in fields_of(make_site(CLINIC_FILE=clinic_file()))


def test_demo_security_txt_states_reports_are_not_answered(site):
    text = site.test_client().get(PATH, base_url="http://localhost").text
    assert text.startswith("# This is a demo.") and "nobody answers" in text.splitlines()[0]


def test_security_txt_expires_180_days_after_each_read(site, clock):
    for _ in range(2):
        expires = datetime.fromisoformat(dict(fields_of(site))["Expires"])
        assert timedelta(days=179) < expires - datetime.fromtimestamp(clock(), expires.tzinfo) <= timedelta(days=180)
        clock.forward(400 * 24 * 3600)
    assert clock() > START


def test_security_txt_lists_configured_canonical_addresses(make_site):
    site = make_site(SITE_URL="https://check.clinic.example", STAFF_URL="https://team.clinic.example/staff")
    assert [value for name, value in fields_of(site) if name == "Canonical"] == [
        "https://check.clinic.example/.well-known/security.txt",
        "https://team.clinic.example/.well-known/security.txt",
    ]
    assert "Canonical" not in dict(fields_of(make_site(SITE_URL="http://127.0.0.1:8000")))


def test_security_txt_names_the_clinic_policy(make_site, clinic_file):
    file = clinic_file(('security_policy = ""', 'security_policy = "https://clinic.example.org/reports"'))
    assert fields_of(make_site(CLINIC_FILE=file))[-1] == ("Policy", "https://clinic.example.org/reports")


def test_security_txt_is_refused_under_unknown_host_name(site):
    assert site.test_client().get(PATH, base_url="http://elsewhere.example").status_code == 400
