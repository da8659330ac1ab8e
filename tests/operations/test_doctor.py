"""The doctor: a healthy installation has no findings, and each fault has a finding with its fix."""

from __future__ import annotations

import os
import re
import shutil
from collections import namedtuple
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from limits.storage import RedisStorage
from sqlalchemy import delete, select, text, update

from screening import audit, clinic
from screening.callbacks import key_rotation
from screening.callbacks.models import CallbackKey
from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.config_values import Determination
from screening.crypto.keyring import PURPOSES, RESPONSES, Keyring
from screening.extensions import db
from screening.mail.models import FAILED, PENDING, SENT, OutboxMail
from screening.operations import doctor
from screening.operations.doctor import CheckInputs, Severity
from screening.operations.doctor.setup_checks import MIN_FREE_BYTES
from screening.operations.models import WorkerJob, WorkerLease
from screening.questionnaires.loader import LIBRARY
from screening.responses import response_keys
from screening.responses.models import PENDING_BIND, PendingKey, PendingResponse, ShuffledBatch
from screening.screener import ketamine
from screening.staff.models import Account
from screening.web import crisis
from tests.support.absence import assert_absent
from tests.support.clock import START
from tests.support.databases import close
from tests.support.processes import flask
from tests.support.staff_client import Team

PUBLIC = {"ALLOWED_HOSTS": ("localhost", "check.clinic.example"), "HTTPS": True, "TRUSTED_PROXY_COUNT": 1}
"""Settings of a public site behind a proxy."""

DAY = 24 * 60 * 60
MINUTE = 60


@pytest.fixture
def folder(tmp_path, monkeypatch, own_clinic, keys):
    """The files of a clinic of its own."""
    shutil.copy(own_clinic, tmp_path / "clinic.toml")
    shutil.copytree(keys, tmp_path / "keys")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, 10**12))
    return tmp_path


@pytest.fixture
def owned_by_another(monkeypatch):
    """Return a context manager in which a file has another owner, as if its owner had been changed."""

    @contextmanager
    def owned(file):
        real = Path.stat

        def stat(path, **options):
            status = real(path, **options)
            return os.stat_result([*status[:4], status.st_uid + 1, *status[5:10]]) if path == file else status

        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", stat)
            yield

    return owned


@pytest.fixture
def installation(make_site, folder, fresh_content_files):
    """A healthy installation: a running worker, an administrator, published keys."""
    site = make_site(CLINIC_FILE=folder / "clinic.toml", KEYS_DIR=folder / "keys")
    Team(site).add("ada", "admin")
    with site.extensions["staff"].app_context():
        for name in ("deliver", "shuffle", "purge", "rotate"):
            db.session.add(WorkerJob(name=name, ran_at=int(START) - 5))
        db.session.commit()
    return site.extensions["staff"]


MAIL = {
    "MAIL_HOST": "mail.example",
    "MAIL_FROM": "site@check.clinic.example",
    "MAIL_TO_STAFF": "staff@clinic.example",
    "SITE_URL": "http://localhost:8000",
}


def findings(app, now=START, **settings):
    """Return the findings that need action, as severity, problem and fix."""
    with app.test_request_context():
        found = doctor.examine(CheckInputs(app.config["SETTINGS"] | settings, now))
        return [(f.severity, str(f.what), f.fix) for f in found if f.needs_action]


def notes_of(app):
    """Return problem and fix of the findings that need no action."""
    with app.test_request_context():
        found = doctor.examine(CheckInputs(app.config["SETTINGS"], START))
        return [(str(f.what), f.fix) for f in found if not f.needs_action]


def change(app, *statements):
    with app.app_context():
        for statement in statements:
            db.session.execute(statement)
        db.session.commit()


def only(found, severity, *words):
    assert len(found) == 1, found
    assert found[0][0] is severity
    for word in words:
        assert word in f"{found[0][1]} {found[0][2]}", found[0]


def days_before(days):
    """Return the day so many days before the tests' start."""
    return datetime.fromtimestamp(START, UTC).date() - timedelta(days=days)


OVER_THREE_YEARS_AGO = days_before(3 * 365 + 1)


@pytest.mark.each_database
def test_healthy_installation_has_no_findings(installation):
    assert findings(installation) == []


@pytest.mark.parametrize(
    ("settings", "severity", "words"),
    [
        ({"ALLOWED_HOSTS": ("check.clinic.example",)}, Severity.NOW, ["does not start", "set SCREENING_HTTPS=true"]),
        (
            {"EXPERT_DETERMINATION": Determination(OVER_THREE_YEARS_AGO, "x")},
            Severity.SOON,
            [f"{OVER_THREE_YEARS_AGO}", "DETERMIN"],
        ),
        ({"MAIL_HOST": "mail.example"}, Severity.NOW, ["does not start", "SCREENING_SITE_URL"]),
        (
            {"QUESTIONNAIRE_FILE": ROOT / "none.toml"},
            Severity.NOW,
            ["questionnaire cannot be used", "flask questionnaire"],
        ),
        ({"CLINIC_FILE": LIBRARY / "warning_signs.toml"}, Severity.NOW, ["clinic file cannot be used", "Fix the file"]),
    ],
)
def test_invalid_settings_are_reported(installation, settings, severity, words):
    only(findings(installation, **settings), severity, *words)


def test_expert_determination_is_valid_for_three_years(installation):
    assert findings(installation, EXPERT_DETERMINATION=Determination(days_before(3 * 365), "x")) == []


def test_demo_clinic_stops_only_a_public_site(installation):
    demo = ROOT / "screening" / "clinic-demo.toml"
    assert findings(installation, CLINIC_FILE=demo) == []
    only(findings(installation, CLINIC_FILE=demo, **PUBLIC), Severity.NOW, "does not start", "the demo clinic is shown")
    assert findings(installation, **PUBLIC) == []


def test_public_site_without_privacy_notice_is_reported(installation, folder):
    file = folder / "clinic.toml"
    file.write_text(re.sub("^privacy_notice = .*$", 'privacy_notice = ""', file.read_text(), flags=re.MULTILINE))
    only(findings(installation, **PUBLIC), Severity.SOON, "notice of privacy practices", "privacy_notice")
    assert findings(installation, **PUBLIC, SERVE=("staff",)) == [], "visitors are served elsewhere"
    assert findings(installation) == [], "not yet public"


def test_https_without_a_trusted_proxy_is_reported(installation):
    found = findings(installation, **PUBLIC | {"TRUSTED_PROXY_COUNT": 0})
    only(found, Severity.NOW, "each form is refused", "SCREENING_TRUSTED_PROXY_COUNT=1")
    assert findings(installation, **PUBLIC) == []


def test_rate_limit_storage_that_is_away_is_reported(installation, monkeypatch):
    away = {"RATE_LIMIT_STORAGE_URL": "redis://127.0.0.1:9"}
    only(findings(installation, **away), Severity.NOW, "does not answer", "SCREENING_RATE_LIMIT_STORAGE_URL")
    monkeypatch.setattr(RedisStorage, "check", lambda self: True)
    assert findings(installation, **away) == []


@pytest.mark.parametrize("name", ["SITE_URL", "STAFF_URL"])
def test_plain_http_links_of_a_secure_site_are_reported(installation, name):
    wrong = PUBLIC | {name: "http://check.clinic.example"}
    only(findings(installation, **wrong), Severity.SOON, f"SCREENING_{name} begins", "=https://check.clinic.example")
    assert findings(installation, **PUBLIC | {name: "https://check.clinic.example"}) == []
    assert findings(installation, **{name: "http://localhost:8000"}) == [], "a site without https"


def test_mail_links_to_an_unknown_host_are_reported(installation):
    wrong = PUBLIC | {"SITE_URL": "https://www.clinic.example"}
    found = findings(installation, **wrong)
    only(
        found,
        Severity.NOW,
        "does not answer",
        "SCREENING_ALLOWED_HOSTS=localhost,check.clinic.example,www.clinic.example",
    )
    assert findings(installation, **wrong, SERVE=("staff",)) == [], "visitors are served elsewhere"
    assert findings(installation, **wrong | {"ALLOWED_HOSTS": ("localhost", ".clinic.example")}) == []


def test_renamed_demo_clinic_is_reported_by_each_field(installation, folder):
    file, own = folder / "clinic.toml", (folder / "clinic.toml").read_text()
    file.write_text(clinic.DEMO.read_text().replace("demo = true", "demo = false").replace("Demo Spine", "Our Spine"))
    only(findings(installation), Severity.NOW, "phone, address, mail_name", "Put in your own", str(file))
    file.write_text(own)
    assert findings(installation) == []


def test_holidays_that_end_within_two_months_are_reported(installation, folder):
    file, own = folder / "clinic.toml", (folder / "clinic.toml").read_text()
    for day, count in ((days_before(-60), 1), (days_before(-61), 0)):
        file.write_text(own.replace('holidays = "US"', f'holidays = ["{day}"]'))
        found = findings(installation)
        assert len(found) == count, found
    file.write_text(own.replace('holidays = "US"', f'holidays = ["{days_before(-60)}"]'))
    only(
        findings(installation),
        Severity.SOON,
        f"last holiday in the clinic file is {days_before(-60)}",
        'holidays = "US"',
    )
    file.write_text(own.replace('holidays = "US"', "holidays = []"))
    assert findings(installation) == [], "a clinic that is open on every holiday"
    file.write_text(own)
    assert findings(installation) == []


def test_advice_never_overwrites_a_clinic_file(installation, folder):
    file = folder / "clinic.toml"
    notes = [fix for what, fix in notes_of(installation) if what == "The demo clinic is shown"]
    assert notes == []
    file.write_text(clinic.DEMO.read_text())
    (fix,) = [fix for what, fix in notes_of(installation) if what == "The demo clinic is shown"]
    assert fix == f"Put in your own clinic, with demo = false: {file}"
    file.unlink()
    (fix,) = [fix for what, fix in notes_of(installation) if what == "The demo clinic is shown"]
    assert fix.endswith(f": cp -n screening/clinic-demo.toml {file}")


def test_crisis_numbers_unchecked_for_a_year_are_reported(installation):
    later = START + (crisis.STALE_DAYS + 1) * DAY
    found = [finding for finding in findings(installation, later) if "crisis" in finding[1]]
    assert [severity for severity, _, _ in found] == [Severity.SOON] * 2
    assert ["en.toml" in found[0][1], "es.toml" in found[1][1]] == [True, True]
    assert not [f for f in findings(installation, later - DAY) if "crisis" in f[1]]


def test_damaged_crisis_file_is_reported(installation, monkeypatch):
    good = crisis.load(("en", "es"))
    monkeypatch.setattr(crisis, "load", lambda locales: {**good, "es": crisis.FALLBACK})
    only(
        findings(installation), Severity.NOW, "es.toml is missing or damaged", "git checkout -- screening/web/crisis/es"
    )


def test_ketamine_facts_unchecked_for_a_year_are_reported(installation):
    later = START + (crisis.STALE_DAYS + 1) * DAY
    (finding,) = [f for f in findings(installation, later) if "ketamine" in f[1]]
    assert finding[0] is Severity.SOON and "set the new day" in finding[2]
    assert not [f for f in findings(installation, later - DAY) if "ketamine" in f[1]]


def test_missing_ketamine_file_is_reported(installation, monkeypatch):
    monkeypatch.setattr(ketamine, "load", lambda locales: None)
    only(findings(installation), Severity.NOW, "nothing about ketamine", "git checkout -- screening/screener/ketamine")


def test_full_disk_is_reported(installation, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 10**12, MIN_FREE_BYTES - 1))
    found = findings(installation)
    assert found and all("1023 MB are free" in what for _, what, _ in found)


def test_each_faulty_key_file_is_reported(installation, folder):
    keys = folder / "keys"
    (keys / "draft.toml").unlink()
    (keys / "forms.toml").chmod(0o640)
    (keys / "staff.toml").write_text("active = 1")
    found = {what: fix for _, what, fix in findings(installation)}
    assert len(found) == 3
    assert found["The key file draft.toml is missing"].endswith("flask keys init")
    assert found["Others on this machine can read the key file forms.toml"].endswith(f"chmod 600 {keys}/forms.toml")
    assert "second copy" in found["The key file staff.toml is damaged"]


def test_key_file_of_another_owner_is_reported(installation, folder, owned_by_another):
    keys = folder / "keys"
    with owned_by_another(keys / "forms.toml"):
        found = findings(installation)
    only(found, Severity.NOW, "forms.toml belongs to another user", f"chown --reference={keys} {keys}/forms.toml")
    assert findings(installation) == []


def test_key_file_closed_to_its_owner_is_reported(installation, folder):
    file = folder / "keys" / "forms.toml"
    file.chmod(0o000)
    only(findings(installation), Severity.NOW, "owner of the file forms.toml cannot read", f"chmod 600 {file}")
    file.chmod(0o600)
    assert findings(installation) == []


def test_closed_folder_of_keys_is_the_only_finding_of_keys(installation, folder, monkeypatch):
    access, keys = os.access, folder / "keys"
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: access(path, mode) and (mode == os.F_OK or path != keys))
        only(findings(installation), Severity.NOW, f"cannot read the folder {keys}", f"chown -R USER {keys}")
    assert findings(installation) == []


def test_database_file_of_another_owner_is_reported(installation, owned_by_another):
    file = Path(installation.config["SETTINGS"]["DATABASE_URL"].removeprefix("sqlite:///"))
    with owned_by_another(file):
        only(findings(installation), Severity.NOW, f"{file.name} belongs to another user", "chown --reference")
    assert findings(installation) == []


def test_database_file_that_others_can_read_is_reported(installation):
    url = installation.config["SETTINGS"]["DATABASE_URL"]
    pending = Path(url.removeprefix("sqlite:///").removesuffix(".sqlite") + "-pending.sqlite")
    pending.chmod(0o644)
    only(findings(installation), Severity.NOW, f"database file {pending.name}", f"chmod 600 {pending}")


def test_keys_over_a_year_old_are_reported_except_callback(installation):
    later = START + 367 * DAY
    change(
        installation, update(WorkerJob).values(ran_at=int(later)), update(CallbackKey).values(published_at=int(later))
    )
    found = [(what, fix) for _, what, fix in findings(installation, later) if "over a year ago" in what]
    assert {what.split()[2] for what, _ in found} == {"draft", "forms", "staff", "backup", "search"}
    assert any(fix.endswith("flask keys add draft; flask keys activate draft ID") for _, fix in found)
    assert any(fix.endswith("flask keys rotate callback") for _, fix in found)


def test_visitor_node_needs_only_its_own_keys(installation, folder):
    for purpose in PURPOSES["staff"]:
        (folder / "keys" / f"{purpose}.toml").unlink()
    assert findings(installation, SERVE=("visitor",)) == []
    assert len(findings(installation)) == len(PURPOSES["staff"])


@pytest.mark.each_database
def test_silent_worker_is_reported_after_15_minutes(installation):
    assert findings(installation, START + 14 * MINUTE) == []
    only(findings(installation, START + 16 * MINUTE), Severity.NOW, "worker was not seen", "flask worker")
    change(installation, update(WorkerLease).values(until=int(START) + 17 * MINUTE))
    assert findings(installation, START + 16 * MINUTE) == [], "a lease counts as a sign of life, too"


def test_worker_that_never_ran_is_reported_after_15_minutes(installation):
    change(installation, delete(WorkerJob))
    assert findings(installation, START + MINUTE) == [], "a worker starts beside a new site"
    only(findings(installation, START + 16 * MINUTE), Severity.NOW, "worker was not seen", "nothing is deleted")


def test_silent_worker_delays_mail_only_where_mail_is_sent(installation):
    later, mailing = START + 16 * MINUTE, MAIL
    only(findings(installation, later, **mailing), Severity.NOW, "not seen for 15 minutes: no mail goes out")
    only(findings(installation, later), Severity.NOW, "not seen for 15 minutes: nothing is deleted")


def test_failed_job_is_reported_until_it_succeeds(installation):
    job = update(WorkerJob).where(WorkerJob.name == "rotate")
    change(installation, job.values(failed_at=int(START)))
    only(findings(installation), Severity.SOON, "job rotate failed", "log")
    change(installation, job.values(failed_at=None))
    assert findings(installation) == []


def test_failed_job_of_another_version_is_not_reported(installation):
    change(installation, WorkerJob.__table__.insert().values(name="formerjob", failed_at=int(START)))
    assert findings(installation) == [], "no run of this version would end the finding"


@pytest.mark.parametrize(("name", "words"), [("shuffle", "not mixed"), ("purge", "not deleted")])
def test_overdue_daily_job_is_reported(installation, name, words):
    job = update(WorkerJob).where(WorkerJob.name == name)
    change(installation, job.values(ran_at=int(START) - 2 * DAY + MINUTE))
    assert findings(installation) == []
    change(installation, job.values(ran_at=int(START) - 2 * DAY - MINUTE))
    only(findings(installation), Severity.SOON, words, "flask worker --once")


@pytest.mark.parametrize("late", [0, 3 * DAY])
def test_pending_response_does_not_change_the_findings(installation, late):
    """A finding caused by a pending response would reveal when it came."""
    change(installation, update(WorkerJob).where(WorkerJob.name == "shuffle").values(ran_at=int(START) - late))
    before = findings(installation)
    with installation.app_context(), db.engines[PENDING_BIND].begin() as connection:
        key_id = connection.execute(select(PendingKey.id)).scalar_one()
        row = {"id_hash": "c" * 64, "key_id": key_id, "ciphertext": b"x"}
        connection.execute(PendingResponse.__table__.insert().values(**row))
    assert findings(installation) == before and len(before) == bool(late)


@pytest.mark.parametrize("action", ["backup.made", "backup.restored"])
def test_missed_backup_is_reported_after_an_earlier_backup(installation, action):
    with installation.app_context():
        db.session.add(audit.event(action, START - 2 * DAY, audit.COMMAND))
        db.session.commit()
    assert findings(installation) == []
    only(findings(installation, START + 2), Severity.SOON, "No backup was made", "flask backup FILE")


@pytest.mark.each_database
def test_overdue_key_rotation_is_reported(installation):
    old = update(CallbackKey).values(published_at=int(START) - 9 * DAY)
    change(installation, old)
    only(findings(installation), Severity.NOW, "lives for over a week", "flask keys rotate callback")
    settings = installation.config["SETTINGS"]
    with installation.app_context():
        done = key_rotation.rotate(settings["KEYS_DIR"], START)
    assert done.waits_until == START + key_rotation.EMPTY_KEY_SECONDS, "the old key is destroyed a day later"
    assert findings(installation) == [], "the command that the finding names was run"
    later = START + key_rotation.EMPTY_KEY_SECONDS + 3 * 60 * MINUTE
    change(installation, update(WorkerJob).values(ran_at=int(later)))
    only(findings(installation, later), Severity.NOW, "lives for over a week", "flask keys rotate callback")


def test_missing_callback_key_is_reported(installation):
    change(installation, delete(CallbackKey))
    only(findings(installation), Severity.NOW, "nobody can ask for a call", "flask keys publish")


def change_keys(app, statement):
    with app.app_context(), db.engines[PENDING_BIND].begin() as connection:
        connection.execute(statement)


@pytest.mark.each_database
def test_missing_response_key_is_reported(installation):
    change_keys(installation, delete(PendingKey))
    only(findings(installation), Severity.SOON, "No key for anonymous copies", "flask keys publish")


@pytest.mark.each_database
def test_response_key_that_the_worker_lacks_is_reported(installation):
    change_keys(installation, update(PendingKey).values(held=False))
    only(findings(installation), Severity.NOW, "The worker lacks a key", "flask responses discard-unreadable")
    with installation.app_context():
        response_keys.publish(Keyring(installation.config["SETTINGS"]["KEYS_DIR"], (RESPONSES,)), int(START))
    assert findings(installation) == [], "the key file is back"


def test_batch_held_apart_is_reported_until_decided(installation):
    values = {"batch": "b" * 32, "shuffled_at": int(START), "rows": 60, "state": "held"}
    change(installation, ShuffledBatch.__table__.insert().values(**values))
    only(findings(installation), Severity.SOON, "held apart", "/staff/releases")
    change(installation, update(ShuffledBatch).values(state="accepted"))
    assert findings(installation) == []


def mail(state, posted_at):
    return OutboxMail.__table__.insert().values(
        id=f"{posted_at}", kind="request.waiting", subject="s", state=state, posted_at=posted_at, due_at=0, attempts=1
    )


@pytest.mark.each_database
def test_failed_mail_is_reported(installation):
    change(installation, mail(FAILED, int(START)))
    only(findings(installation, **MAIL), Severity.NOW, "given up: 1", "/staff/mail")
    assert findings(installation) == [], "no mail is set up"
    change(installation, update(OutboxMail).values(state=SENT))
    assert findings(installation, **MAIL) == []


@pytest.mark.each_database
def test_mail_waiting_over_an_hour_is_reported(installation):
    change(installation, mail(PENDING, int(START)))
    beat = update(WorkerJob).values(ran_at=int(START) + 61 * MINUTE)
    assert findings(installation, **MAIL) == []
    change(installation, beat)
    only(findings(installation, START + 61 * MINUTE, **MAIL), Severity.SOON, "over an hour", "/staff/mail")
    assert findings(installation, START + 61 * MINUTE) == [], "no mail is set up"


@pytest.mark.each_database
def test_missing_administrator_account_is_reported(installation):
    change(installation, update(Account).values(active=False))
    only(findings(installation), Severity.NOW, "No account can look after", "flask staff add")


@pytest.mark.each_database
def test_missing_column_is_reported_until_it_is_there(installation):
    change(installation, text("ALTER TABLE worker_job RENAME COLUMN failed_at TO former"))
    only(findings(installation), Severity.NOW, "lacks", "worker_job.failed_at", "flask db upgrade")
    change(installation, text("ALTER TABLE worker_job RENAME COLUMN former TO failed_at"))
    assert findings(installation) == []


def test_missing_table_of_pending_responses_is_reported(installation):
    change_keys(installation, text("ALTER TABLE pending_response RENAME TO former"))
    only(findings(installation), Severity.NOW, "pending_response.id_hash", "flask db upgrade")
    change_keys(installation, text("ALTER TABLE former RENAME TO pending_response"))
    assert findings(installation) == []


@pytest.mark.each_database
def test_outdated_schema_is_the_only_finding(installation):
    change(installation, delete(WorkerJob), text("UPDATE alembic_version_main SET version_num = '0000'"))
    only(findings(installation), Severity.NOW, "database is not as", "flask db upgrade")


def test_failing_check_is_reported_and_hides_no_other_finding(installation, caplog):
    def broken(given):
        raise ValueError("zentinelexception")

    change(installation, delete(CallbackKey))
    with installation.test_request_context():
        given = CheckInputs(installation.config["SETTINGS"], START)
        found, others = doctor.examine(given, (broken, *doctor.CHECKS)), doctor.examine(given)
        what = [str(finding.what) for finding in found]
        assert sum("broken" in each for each in what) == 1
        assert [each for each in what if "broken" not in each] == [str(finding.what) for finding in others]
        assert [finding.needs_action for finding in others].count(True) == 1
    assert "the doctor's check broken failed: ValueError" in caplog.text
    assert_absent(["zentinelexception"], caplog.text, " ".join(what))


def test_command_works_without_keys_and_database(tmp_path):
    done = flask(
        "doctor", SCREENING_KEYS_DIR=tmp_path / "keys", SCREENING_DATABASE_URL=f"sqlite:///{tmp_path}/site.sqlite"
    )
    assert done.returncode == 1
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert all(len(row) == 3 for row in rows) and {row[0] for row in rows} <= {"now", "soon", "note"}
    assert [fix.rpartition(": ")[2] for _, what, fix in rows if what.startswith("The database")] == ["flask db upgrade"]
    assert sum("flask keys init" in fix for _, _, fix in rows) == 6
    assert done.stderr.count("\n") == 1 and "findings need action" in done.stderr
    assert list(tmp_path.iterdir()) == [], "the doctor creates no file"


def test_command_reports_an_unreachable_database_server(tmp_path, clock):
    app = create_commands_app(
        {
            "KEYS_DIR": tmp_path / "keys",
            "DATABASE_URL": "postgresql://rosa:zentinelpassword@127.0.0.1:9/site",
            "CLOCK": clock,
        }
    )
    done = app.test_cli_runner().invoke(args=["doctor"])
    close(app)
    assert done.exit_code == 1
    assert "now\tThe database cannot be reached (OperationalError)\t" in done.stdout
    assert_absent(["zentinelpassword"], done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
