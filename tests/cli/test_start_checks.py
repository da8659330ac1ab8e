"""Conflicting settings refuse startup with one line each; the commands that repair them still run."""

from __future__ import annotations

import runpy
import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from screening import config_checks
from screening.cli.commands_app import create_commands_app
from screening.config import ROOT, SettingsError
from screening.extensions import db
from screening.operations import demo
from screening.operations.doctor import CheckInputs, Severity, examine
from tests.support.absence import assert_absent
from tests.support.clock import START
from tests.support.databases import close
from tests.support.visitor import Visitor

NAMES = ("localhost", "check.clinic.example")
ALL_INTERFACES = ("0.0.0.0", 9109)  # noqa: S104 (nothing listens there)
UNREACHABLE_URL = "postgresql://rosa:zentinela@127.0.0.1:9/site"


@pytest.fixture
def public(own_clinic):
    """Settings that a public site requires."""
    return {"ALLOWED_HOSTS": NAMES, "HTTPS": True, "CLINIC_FILE": own_clinic}


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_complete_public_configuration_starts(make_site, public):
    assert make_site(**public, METRICS_ADDRESS=("127.0.0.1", 9109)).test_client().get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"HTTPS": False},
            "SCREENING_HTTPS is false, but SCREENING_ALLOWED_HOSTS names check.clinic.example: "
            "serve the site over https and set SCREENING_HTTPS=true",
        ),
        (
            {"CLINIC_FILE": ROOT / "none.toml"},
            "SCREENING_ALLOWED_HOSTS names check.clinic.example, but the demo clinic is shown: "
            f"put your own clinic in {ROOT}/none.toml, with demo = false",
        ),
        (
            {"STAFF_SECOND_FACTOR": False},
            "SCREENING_STAFF_SECOND_FACTOR may be false only while the demo clinic is shown, on this machine alone: "
            "set it to true",
        ),
        (
            {"METRICS_ADDRESS": ("8.8.8.8", 9109)},
            "SCREENING_METRICS_ADDRESS 8.8.8.8 can be reached from the public network: "
            "use an address that cannot, such as 127.0.0.1:9109",
        ),
        (
            {"METRICS_ADDRESS": ("[::]", 9109)},
            "SCREENING_METRICS_ADDRESS [::] can be reached from the public network: "
            "use an address that cannot, such as 127.0.0.1:9109",
        ),
        ({"MAIL_HOST": "127.0.0.1"}, "SCREENING_SITE_URL is missing: with SCREENING_MAIL_HOST it must be set"),
    ],
)
def test_conflicting_settings_of_a_public_site_refuse_startup(make_site, public, settings, line):
    with pytest.raises(SettingsError) as stopped:
        make_site(**public | settings)
    assert str(stopped.value) == line


def test_local_demo_accepts_the_same_settings(make_site):
    assert make_site(STAFF_SECOND_FACTOR=False, METRICS_ADDRESS=ALL_INTERFACES) is not None


def test_real_clinic_requires_two_factor_only_for_staff(make_site, own_clinic):
    with pytest.raises(SettingsError, match="SECOND_FACTOR may be false only while the demo"):
        make_site(STAFF_SECOND_FACTOR=False, CLINIC_FILE=own_clinic)
    make_site(STAFF_SECOND_FACTOR=False, CLINIC_FILE=own_clinic, SERVE=("visitor",))


@pytest.mark.parametrize("away", ["silent", "refused"])
def test_start_without_rate_limit_storage_serves_and_warns(make_site, public, silent, caplog, away):
    server = silent if away == "silent" else "127.0.0.1:9"
    url = f"redis://:zentinelpassword@{server}"
    visitor = Visitor(make_site(**public, RATE_LIMIT_STORAGE_URL=url, RATE_LIMIT_FORMS="1 per hour"), https=True)
    warning = "SCREENING_RATE_LIMIT_STORAGE_URL does not answer: until it does, nothing is limited"
    assert [record.getMessage() for record in caplog.records].count(warning) == 1
    assert visitor.answer("sadness", "1").status == 200 and visitor.answer("sleep", "1").status == 200
    assert_absent(["zentinelpassword"], caplog.text)


def test_readable_key_file_is_reported_with_the_other_problems(make_site, public, keys, tmp_path):
    folder = tmp_path / "keys"
    folder.mkdir()
    for file in keys.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
        (folder / file.name).chmod(0o644 if file.name == "forms.toml" else 0o600)
    with pytest.raises(SettingsError) as stopped:
        make_site(**public | {"KEYS_DIR": folder, "HTTPS": False})
    assert [line.partition(" ")[0] for line in str(stopped.value).splitlines()] == ["SCREENING_HTTPS", "key"]
    assert str(stopped.value).endswith("\nkey file forms.toml can be read by others: run chmod 600 on it")


@pytest.mark.each_database
def test_public_site_refuses_a_partly_filled_demo_database(make_site, public, database_url, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_requests", interrupt)
    make_site(**public, DATABASE_URL=database_url)
    with pytest.raises(KeyboardInterrupt):
        demo.fill(make_site())
    make_site()  # a site that is not public accepts it
    with pytest.raises(SettingsError) as stopped:
        make_site(**public, DATABASE_URL=database_url)
    assert str(stopped.value) == (
        "SCREENING_ALLOWED_HOSTS names check.clinic.example, but flask demo filled the database: "
        "set SCREENING_DATABASE_URL to one of its own"
    )


def test_unavailable_database_does_not_refuse_startup(make_site, public, tmp_path):
    for url in (UNREACHABLE_URL, f"sqlite:///{tmp_path}/none.sqlite"):
        site = make_site(**public, DATABASE_URL=url)
        assert site.test_client().get("/check/sadness").status_code == 200
    assert not (tmp_path / "none.sqlite").exists()
    site = make_site(**public)
    with site.app_context():
        db.session.execute(text("DROP TABLE audit_event"))
        db.session.commit()
    make_site(**public)


def test_silent_database_does_not_refuse_startup(make_site, public, silent):
    assert make_site(**public, DATABASE_URL=f"postgresql://rosa@{silent}/site") is not None


def test_doctor_reports_each_startup_problem_once(make_site, tmp_path):
    app = make_site().extensions["staff"]
    wrong = {"ALLOWED_HOSTS": NAMES, "STAFF_SECOND_FACTOR": False, "METRICS_ADDRESS": ALL_INTERFACES}
    with app.test_request_context():
        found = examine(CheckInputs(app.config["SETTINGS"] | wrong, START))
    startup_findings = [str(f.what) for f in found if "does not start" in str(f.what)]
    assert [
        what.removeprefix("The site does not start like this: ") for what in startup_findings
    ] == config_checks.problems(app.config["SETTINGS"] | wrong)
    assert len(startup_findings) == 4 and all(
        f.severity is Severity.NOW for f in found if str(f.what) in startup_findings
    )
    for word in ("SCREENING_HTTPS", "demo clinic", "SECOND_FACTOR", "METRICS"):
        assert (
            sum(word in f"{f.what} {f.fix}" for f in found) <= 2 and sum(word in what for what in startup_findings) >= 1
        )


def test_all_problems_are_reported_and_repair_commands_run(monkeypatch, tmp_path):
    settings = {
        "ALLOWED_HOSTS": "check.clinic.example",
        "KEYS_DIR": tmp_path / "keys",
        "CLINIC_FILE": tmp_path / "none.toml",
        "DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite",
        "STAFF_SECOND_FACTOR": "false",
    }
    for setting, value in settings.items():
        monkeypatch.setenv(f"SCREENING_{setting}", str(value))

    def invoke(*arguments):
        app = create_commands_app()
        done = app.test_cli_runner().invoke(args=arguments)
        close(app)
        return done

    for command in (("keys", "init"), ("db", "upgrade")):
        assert invoke(*command).exit_code == 0
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "wsgi.py"))
    lines = str(stopped.value).splitlines()
    assert len(lines) == 3 and all(line.startswith("The site cannot start: SCREENING_") for line in lines)
    problems = [line.removeprefix("The site cannot start: ") for line in lines]
    found = [line.split("\t")[1] for line in invoke("doctor").stdout.splitlines()]
    for problem in problems:
        assert found.count(f"The site does not start like this: {problem}") == 1
    refused = invoke("demo")
    assert refused.exit_code == 1 and refused.stderr.splitlines() == problems
