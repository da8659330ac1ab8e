"""The worker: jobs run on schedule, in one worker at a time, and no failure stops it."""

from __future__ import annotations

import signal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from screening.cli.commands_app import create_commands_app
from screening.durations import DAY_SECONDS, HOUR_SECONDS
from screening.extensions import db
from screening.mail.models import PENDING, SENT
from screening.operations import jobs
from screening.operations.jobs import EACH_ROUND, Job
from screening.operations.worker import LEASE_SECONDS, POLL_SECONDS, RETRY_SECONDS, Worker
from screening.responses.models import ShuffledResponse
from screening.web.repeated_line import THINNED_SECONDS
from tests.support.absence import assert_absent
from tests.support.clock import process_time
from tests.support.databases import close
from tests.support.mail_site import MailSite, mail_settings
from tests.support.processes import TEST_TIMEOUT, start_flask
from tests.support.quiet_signals import QuietSignals
from tests.support.sample_patient import ROSA
from tests.support.visitor import Visitor


@pytest.fixture
def make_worker(site, clock):
    """Return a function that creates a worker with these jobs, which stops after so many rounds."""

    def make_worker(*jobs, rounds=0):
        return Worker(site.extensions["staff"], QuietSignals(clock, rounds), jobs)

    return make_worker


def recording_job(runs, name, every):
    return Job(name, every, lambda go_on: runs.append(name))


@pytest.mark.each_database
def test_job_schedules_survive_a_restart(make_worker, clock):
    runs = []
    often, daily = recording_job(runs, "often", EACH_ROUND), recording_job(runs, "daily", DAY_SECONDS)
    make_worker(often, daily, rounds=3).work()
    assert runs == ["often", "daily", "often", "often", "often"]
    make_worker(often, daily).work()
    assert runs.count("daily") == 1
    clock.forward(DAY_SECONDS - 5 * POLL_SECONDS - 1)
    make_worker(daily).work(once=True)
    assert runs.count("daily") == 1
    clock.forward(1)
    make_worker(daily).work(once=True)
    assert runs.count("daily") == 2


def test_failed_job_is_logged_by_type_and_retried_later(make_worker, clock, caplog):
    runs = []

    def fail(go_on):
        runs.append("bad")
        raise ValueError("zentinelapatient@example.org")

    failing, succeeding = Job("bad", DAY_SECONDS, fail), recording_job(runs, "good", EACH_ROUND)
    make_worker(failing, succeeding, rounds=2).work()
    assert runs == ["bad", "good", "good", "good"]
    assert "the job bad failed: ValueError < fail" in caplog.text
    assert_absent(["zentinelapatient"], caplog.text)
    clock.forward(RETRY_SECONDS)
    make_worker(failing, succeeding).work()
    assert runs.count("bad") == 2


@pytest.mark.each_database
def test_failed_job_preserves_the_time_of_its_last_run(make_worker, clock, site):
    runs, fails = [], []

    def step(go_on):
        runs.append(1)
        if fails:
            raise ValueError

    first = int(clock())
    make_worker(Job("mixed", DAY_SECONDS, step)).work()
    clock.forward(DAY_SECONDS)
    fails.append(1)
    second = int(clock())
    make_worker(Job("mixed", DAY_SECONDS, step)).work()
    with site.extensions["staff"].app_context():
        row = db.session.execute(text("SELECT ran_at, failed_at FROM worker_job")).one()
    assert tuple(row) == (first, second)


def test_error_that_repeats_each_round_is_logged_once(make_worker, clock, site, caplog):
    with site.extensions["staff"].app_context():
        db.session.execute(text("ALTER TABLE worker_lease RENAME TO former"))
        db.session.commit()
    rounds = THINNED_SECONDS // POLL_SECONDS
    make_worker(rounds=rounds).work()
    lines = [record.getMessage() for record in caplog.records]
    once = "the worker cannot reach its database: OperationalError"
    assert lines == [once, f"{once} (repeated {rounds - 1} times)"]


@pytest.mark.each_database
def test_single_run_without_its_database_raises(make_worker, site):
    with site.extensions["staff"].app_context():
        db.session.execute(text("ALTER TABLE worker_lease RENAME TO former"))
        db.session.commit()
    with pytest.raises(SQLAlchemyError):
        make_worker().work(once=True)


def test_clock_set_back_does_not_stop_jobs(make_worker, clock):
    runs = []
    clock.forward(10 * DAY_SECONDS)
    make_worker(recording_job(runs, "daily", DAY_SECONDS)).work()
    clock.forward(-9 * DAY_SECONDS)
    make_worker(recording_job(runs, "daily", DAY_SECONDS)).work()
    assert runs == ["daily", "daily"]


@pytest.mark.each_database
def test_lease_is_exclusive_until_exit_or_expiry(make_worker, clock):
    runs, attempts = [], []
    second = make_worker(recording_job(runs, "second", EACH_ROUND))
    first = make_worker(Job("first", EACH_ROUND, lambda go_on: attempts.append(second.work(once=True))))
    first.work(once=True)
    assert attempts == [False] and runs == []
    assert second.work(once=True) and runs == ["second"]

    def interrupt(go_on):
        raise SystemExit  # not an Exception, so nothing catches it, as with SIGKILL

    with pytest.raises(SystemExit):
        make_worker(Job("deadly", EACH_ROUND, interrupt)).work()
    clock.forward(LEASE_SECONDS - 1)
    assert not second.work(once=True)
    clock.forward(1)
    assert second.work(once=True)


def test_long_job_renews_the_lease(make_worker, clock):
    asked = []

    def long(go_on):
        for _ in range(10):
            clock.forward(LEASE_SECONDS // 2)
            asked.append((go_on(), other.work(once=True)))

    other = make_worker(recording_job([], "other", EACH_ROUND))
    make_worker(Job("long", DAY_SECONDS, long)).work()
    assert asked == [(True, False)] * 10


@pytest.mark.each_database
def test_worker_resumes_after_a_database_outage(make_worker, site, caplog):
    runs = []
    app = site.extensions["staff"]

    def rename(old, new):
        with app.app_context():
            db.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
            db.session.commit()

    rename("worker_lease", "lease_away")
    assert not make_worker(recording_job(runs, "job", EACH_ROUND), rounds=1).work()
    assert runs == [] and "the worker cannot reach its database" in caplog.text
    rename("lease_away", "worker_lease")
    assert make_worker(recording_job(runs, "job", EACH_ROUND)).work() and runs == ["job"]


@pytest.mark.each_database
def test_default_jobs_shuffle_and_purge(make_site, clock, monkeypatch, own_keys):
    site = make_site(MIN_GROUP_SIZE=1, KEYS_DIR=own_keys)
    visitor = Visitor(site)
    visitor.walk()
    visitor.agree()
    purged = []
    monkeypatch.setattr(jobs, "purge", lambda *given: purged.append(given))
    for hours in (0, 24, 24):  # the key is replaced a day after it was published, and its response ripe a day later
        clock.forward(hours * HOUR_SECONDS)
        with site.app_context():
            assert db.session.query(ShuffledResponse).count() == 0
        Worker(site.extensions["staff"], QuietSignals(clock)).work()
    with site.app_context():
        assert db.session.query(ShuffledResponse).count() == 1
    assert [given[0] for given in purged] == 3 * [site.config["SETTINGS"]]
    assert purged[-1][2] == clock() - POLL_SECONDS


def test_shuffling_and_key_rotation_run_each_hour():
    assert {job.name: job.every for job in jobs.JOBS if job.name in ("shuffle", "rotate")} == dict.fromkeys(
        ("shuffle", "rotate"), HOUR_SECONDS
    )


@pytest.fixture
def flask_worker(tmp_path, own_keys, database_url, mail_server):
    """Return a function that starts ``flask worker`` on the database, with this mail server."""
    settings = {"KEYS_DIR": own_keys, "DATABASE_URL": database_url, "CLINIC_FILE": tmp_path / "none.toml"}
    settings |= mail_settings(mail_server.port)
    started = []

    def start(*arguments):
        started.append(start_flask("worker", *arguments, **{f"SCREENING_{name}": v for name, v in settings.items()}))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=TEST_TIMEOUT)


def ended(process):
    """Wait for a process; return exit code, stdout, and stderr without the reminder to check the crisis files."""
    stdout, stderr = process.communicate(timeout=TEST_TIMEOUT)
    return process.returncode, stdout, [line for line in stderr.splitlines() if "crisis file" not in line]


@pytest.fixture
def pending_mail(make_mail_site, mail_server, own_keys):
    """A clinic with three requests and six mails, dated by the clock of the processes that tests start."""
    mail_site = MailSite(make_mail_site(mail_server.port, CLOCK=process_time, KEYS_DIR=own_keys), process_time)
    for _ in range(3):
        mail_site.request_call(ROSA)
    return mail_site


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_once_option_delivers_mail_and_exits(flask_worker, pending_mail, mail_server):
    assert ended(flask_worker("--once")) == (0, "", [])
    assert len(mail_server.arrived) == 6 and {state for _, state, _ in pending_mail.states()} == {SENT}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_worker_between_two_mails(flask_worker, pending_mail, mail_server, clock, ending):
    process = flask_worker()

    def end():
        if len(mail_server.acknowledged) == 2:
            process.send_signal(ending)

    mail_server.on_arrival = end
    assert ended(process) == (0, "", [])
    assert len(mail_server.arrived) == 2
    assert sorted(state for _, state, _ in pending_mail.states()) == sorted([SENT] * 2 + [PENDING] * 4)
    mail_server.on_arrival = lambda: None
    assert Worker(pending_mail.app, QuietSignals(clock)).work(once=True), "the lease is free again"
    assert len(mail_server.arrived) == 6


def test_missing_password_file_stops_the_worker_with_an_error(tmp_path, sqlite_url, clock, monkeypatch):
    monkeypatch.setattr(signal, "pthread_sigmask", lambda how, signals: set())  # unblocks pytest's signals
    settings = mail_settings(25) | {"MAIL_USER": "clinic", "MAIL_TLS": "tls"}
    settings |= {"MAIL_PASSWORD_FILE": tmp_path / "none", "DATABASE_URL": sqlite_url, "CLOCK": clock}
    app = create_commands_app(settings)
    done = app.test_cli_runner().invoke(args=["worker"])
    close(app)
    assert done.stderr == "SCREENING_MAIL_PASSWORD_FILE: none cannot be read\n"
    assert (done.exit_code, done.stdout) == (1, "")


def test_visitor_node_has_no_worker_command():
    app = create_commands_app({"SERVE": ("visitor",)})
    assert "worker" not in app.cli.commands and "worker" in create_commands_app().cli.commands
