"""The purge deletes expired records and their bytes, spares all others, and resumes after a kill."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from screening import audit
from screening.callbacks import clinic_calendar, contact_index, patient_service, staff_service
from screening.callbacks.clinic_calendar import regular_calendar
from screening.callbacks.models import CallbackContact, CallbackNote, CallbackRequest
from screening.cli.commands_app import create_commands_app
from screening.clinic import DEMO, load
from screening.config import SettingsError, read_settings
from screening.crypto.keyring import CALLBACK, SEARCH, Keyring
from screening.database import engines
from screening.extensions import db
from screening.mail.models import PENDING, SENT, OutboxMail
from screening.operations import purge as purging
from screening.operations.purge import purge, purgers
from tests.support.clock import machine_time
from tests.support.databases import close
from tests.support.sample_patient import ROSA
from tests.support.staff_client import Team
from tests.support.threads import run_in_own_sites
from tests.support.visitor import Visitor

IDLE_SECONDS = 15 * 60

DAY = 24 * 3600
NAMES = ("closed requests", "withdrawn requests", "staff sessions", "mail", "audit events")
TABLES = ("callback_request", "callback_contact", "callback_note", "staff_session", "outbox_mail", "audit_event")


class KilledError(Exception):
    """Stands for SIGKILL."""


@pytest.fixture
def team(make_site):
    return Team(make_site(RATE_LIMIT_REQUESTS="1000 per hour"))


@pytest.fixture
def records(team, request_call, clock):
    """One request of each kind: open, closed long ago, withdrawn; sessions; old and new events."""
    ann = team.sign_in("ann", "callbacks")
    withdrawn = Visitor(team.site)
    for name, visitor in (("Open", Visitor(team.site)), ("Closed", Visitor(team.site)), ("Gone", withdrawn)):
        request_call(visitor, name=name)
    for link in ann.get("/staff/callbacks").main.select(".app-worklist__name a"):
        page = ann.get(link["href"])
        page = ann.fill(page, f"{page.address}/note", note="a note")
        if link.get_text() == "Closed":
            page = ann.fill(page, f"{page.address}/claim")
            ann.fill(page, f"{page.address}/close")
    withdrawn.send(withdrawn.get("/consultation/status"), "/consultation/status/withdraw")
    with team.app.app_context():
        long_ago = min(clock(), machine_time()) - 800 * DAY  # the database goes by its own clock
        for at in (long_ago, clock() - 600 * DAY, clock() - 10 * DAY):
            db.session.add(audit.event("request.viewed", at, "old", "some request"))
        for state, at in ((SENT, clock()), (PENDING, None)):
            mail = OutboxMail(id=f"{state:a<32}", kind="request.waiting", subject="some request", state=state)
            mail.posted_at = mail.due_at = int(clock())
            mail.ended_at, mail.attempts = at and int(at), 1
            db.session.add(mail)
        db.session.commit()
    clock.forward(31 * DAY)
    ann.sign_in()
    return team


def remaining(team):
    with team.app.app_context():
        return [db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES]


def states(team):
    with team.app.app_context():
        return sorted(db.session.scalars(select(CallbackRequest.state)))


def run(team, now, dry_run=False):
    with team.app.app_context():
        return purge(team.app.config["SETTINGS"], load(DEMO), now, dry_run)


@pytest.mark.each_database
def test_purge_deletes_and_counts_each_expired_kind(records, clock):
    clock.forward(IDLE_SECONDS)
    before = remaining(records)
    counted = run(records, clock(), dry_run=True)
    assert remaining(records) == before and not counted.scrubbed
    done = run(records, clock())
    assert tuple(done.counts) == NAMES and done.scrubbed
    assert counted.counts == done.counts == dict(zip(NAMES, (1, 1, 1, 1, 1), strict=True))
    assert remaining(records) == [1, 2, 1, 0, 1, before[5] - 1] and states(records) == ["new"]
    assert set(run(records, clock()).counts.values()) == {0}


def test_purge_spares_active_staff_sessions(records, clock):
    assert run(records, clock()).counts["staff sessions"] == 0 and remaining(records)[3] == 1


@pytest.mark.parametrize(
    ("database_kind", "number"),
    [*(("sqlite", number) for number in range(len(NAMES) + 1)), ("postgresql", 2), ("postgresql", len(NAMES))],
)
def test_killed_purge_is_finished_by_the_next_run(records, clock, monkeypatch, number):
    """Killed after so many kinds; the last time before the freed pages are scrubbed."""

    def killed(*arguments):
        raise KilledError

    clock.forward(IDLE_SECONDS)
    with monkeypatch.context() as patch:
        if number == len(NAMES):
            patch.setattr(purging, "_scrub", killed)
        else:
            changed = list(purgers(records.app.config["SETTINGS"], regular_calendar(load(DEMO))))
            changed.insert(number, purging.Purger("killed", killed, ()))
            patch.setattr(purging, "purgers", lambda *given: changed)
        with pytest.raises(KilledError):
            run(records, clock())
    assert sum(run(records, clock()).counts.values()) == len(NAMES) - number
    assert states(records) == ["new"] and remaining(records)[3] == 0


@pytest.mark.each_database
def test_concurrent_purges_delete_each_row_once(records, clock, database_url, monkeypatch):
    clock.forward(IDLE_SECONDS)
    deleted = []

    def recorded(purger):
        def run(now, dry_run):
            number = purger.run(now, dry_run)
            deleted.extend([purger.name] * number)
            return number

        return replace(purger, run=run)

    def make():
        return create_commands_app({"DATABASE_URL": database_url})

    def run(site):
        try:
            purge(site.config["SETTINGS"], load(DEMO), clock())
        except SQLAlchemyError as error:  # a locked database is a valid result, too: the next run resumes
            assert "locked" in str(error), error

    monkeypatch.setattr(purging, "purgers", lambda *given: [recorded(purger) for purger in purgers(*given)])
    run_in_own_sites(3, make, run)
    run_in_own_sites(1, make, run)
    assert sorted(deleted) == sorted(NAMES)
    assert states(records) == ["new"]


@pytest.mark.each_database
def test_database_refuses_to_delete_recent_audit_events(team):
    """A clock years ahead deletes nothing, because the database checks its own."""
    with team.app.app_context():
        db.session.add(audit.event("request.viewed", machine_time() - 10 * DAY, "ann", "some request"))
        db.session.commit()
        with pytest.raises(SQLAlchemyError):
            audit.purge(machine_time() + 3 * 365 * DAY, retention_days=2 * 365)
        db.session.rollback()
    assert remaining(team)[5] == 1


@pytest.mark.parametrize("name", ["AUDIT_RETENTION_DAYS", "CLOSED_REQUEST_RETENTION_DAYS"])
def test_retention_under_the_minimum_is_refused(name):
    with pytest.raises(SettingsError, match=rf"SCREENING_{name} is '0', but it must be at least \d+"):
        read_settings(environ={f"SCREENING_{name}": "0"})


def personal(team, ring):
    """Return every stored byte string of each request, by the patient's name: ciphertexts, fingerprints, hashes."""
    found = {}
    with team.app.app_context():
        contact_index.index_contacts(ring)
        for request in db.session.scalars(select(CallbackRequest)).all():
            of = (CallbackContact.request_id == request.id, CallbackNote.request_id == request.id)
            hashes = [hashed.encode() for hashed in db.session.scalars(select(CallbackContact.hash).where(of[0]))]
            notes = [box[:48] for box in db.session.scalars(select(CallbackNote.ciphertext).where(of[1]))]
            parts = [
                request.reference.encode(),
                request.digest.encode(),
                request.ciphertext[:48],
                request.ciphertext[-48:],
            ]
            found[staff_service.decrypt(ring, request).name] = [*parts, *hashes, *notes]
        db.session.rollback()
    return found


def on_disk(database_url, request):
    """Return a function that reads the database's files as stored on disk."""
    if database_url.startswith("postgresql"):
        return request.getfixturevalue("cluster").files_of(database_url)
    files = list(Path(database_url.removeprefix("sqlite:///")).parent.glob("site*.sqlite*"))
    assert any(file.name.endswith("-wal") for file in files)
    return b"".join(file.read_bytes() for file in files)


@pytest.mark.each_database
def test_withdrawn_request_leaves_no_bytes_in_database_files(team, request_call, clock, keys, database_url, request):
    """Forty requests, so that rows have moved between pages; every third is withdrawn, the first by its own page."""
    ring = Keyring(keys, (CALLBACK, SEARCH))
    visitor, references = Visitor(team.site), {}
    request_call(visitor, name="P0", phone="(303) 555-0100", email="p0@example.org")
    with team.app.app_context():
        calendar = clinic_calendar.current_calendar(team.app.extensions["clinic"])
        for number in range(1, 40):
            email = f"p{secrets.token_hex(8)}@example.org"
            details = replace(ROSA, name=f"P{number}", phone=f"+130355501{number:02}", email=email)
            receipt = patient_service.submit(
                patient_service.fresh_secret(), details, calendar, clock(), False, mails=False
            )
            references[f"P{number}"] = receipt.reference
        for found in db.session.scalars(select(CallbackRequest)).all():
            staff_service.record_note(found, found.version, "a note", "ann", 1)
    stored = personal(team, ring)
    names = ["P0", *references]
    withdrawn = names[::3]
    before = on_disk(database_url, request)
    assert all(part in before for name in withdrawn for part in stored[name]), "the control: the bytes were stored"
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    with team.app.app_context():
        for name in withdrawn[1:]:
            patient_service.withdraw(references[name], clock())
    done = run(team, clock())
    assert done.scrubbed and done.counts["withdrawn requests"] == len(withdrawn) == 14
    after = on_disk(database_url, request)
    assert [name for name in withdrawn if any(part in after for part in stored[name])] == []
    assert all(part in after for name in set(names) - set(withdrawn) for part in stored[name])


def test_command_prints_a_line_for_each_kind(sqlite_url, clock):
    app = create_commands_app({"DATABASE_URL": sqlite_url, "CLOCK": clock})
    for arguments in (["purge", "--dry-run"], ["purge"], ["purge"]):
        done = app.test_cli_runner().invoke(args=arguments)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == "".join(f"{name}\t0\n" for name in NAMES)
    close(app)


def test_command_reports_a_reader_that_delays_scrubbing(sqlite_url, tmp_path, clock, monkeypatch):
    monkeypatch.setattr(engines, "SQLITE_PRAGMAS", (*engines.SQLITE_PRAGMAS, "busy_timeout = 100"))
    reader = sqlite3.connect(tmp_path / "site.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM audit_event").fetchall()
    app = create_commands_app({"DATABASE_URL": sqlite_url, "CLOCK": clock})
    done = app.test_cli_runner().invoke(args=["purge"])
    assert done.exit_code == 0 and "the next purge tries again" in done.stderr
    reader.close()
    assert app.test_cli_runner().invoke(args=["purge"]).stderr == ""
    close(app)
