"""The worker: each job at its time, by one worker at a time, and no failure that stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from screening.cli import create_commands_app
from screening.config import ROOT
from screening.extensions import db
from screening.operations import jobs
from screening.operations.jobs import DAY, EACH_ROUND, Job
from screening.operations.worker import LEASE, PAUSE, RETRY, Worker
from screening.outbox.models import SENT, WAITING
from screening.responses.models import MixedCopy
from tests.support.mail_site import FROM, TEAM, MailSite
from tests.support.sample_patient import ROSA
from tests.support.visitor import Visitor

pytestmark = pytest.mark.each_database


class Quiet:
    """No signal for so many rounds, each as long as the pause between two; then one."""

    def __init__(self, clock, rounds=0):
        self.clock, self.rounds = clock, rounds

    def came_within(self, seconds):
        if seconds:
            self.rounds -= 1
            self.clock.forward(seconds)
        return self.rounds < 0


@pytest.fixture
def site(make_site, database_url):
    return make_site()


@pytest.fixture
def make_worker(site, clock):
    """A worker with jobs; it works for so many rounds."""

    def make_worker(*jobs, rounds=0):
        return Worker(site.extensions["staff"], Quiet(clock, rounds), jobs)

    return make_worker


def noted(runs, name, every):
    return Job(name, every, lambda go_on: runs.append(name))


def test_job_schedules_survive_a_restart(make_worker, clock):
    runs = []
    often, daily = noted(runs, "often", EACH_ROUND), noted(runs, "daily", DAY)
    make_worker(often, daily, rounds=3).work()
    assert runs == ["often", "daily", "often", "often", "often"]
    make_worker(often, daily).work()
    assert runs.count("daily") == 1
    clock.forward(DAY - 5 * PAUSE - 1)
    make_worker(daily).work(once=True)
    assert runs.count("daily") == 1
    clock.forward(1)
    make_worker(daily).work(once=True)
    assert runs.count("daily") == 2


def test_failed_job_is_logged_by_type_and_retried_later(make_worker, clock, caplog):
    runs = []

    def fail(go_on):
        runs.append("bad")
        raise ValueError("zentinela@example.org")

    bad, good = Job("bad", DAY, fail), noted(runs, "good", EACH_ROUND)
    make_worker(bad, good, rounds=2).work()
    assert runs == ["bad", "good", "good", "good"]
    assert "the job bad failed: ValueError < fail" in caplog.text and "zentinela" not in caplog.text
    clock.forward(RETRY)
    make_worker(bad, good).work()
    assert runs.count("bad") == 2


def test_failed_job_preserves_the_time_of_its_last_run(make_worker, clock, site):
    runs, fails = [], []

    def step(go_on):
        runs.append(1)
        if fails:
            raise ValueError

    first = int(clock())
    make_worker(Job("mixed", DAY, step)).work()
    clock.forward(DAY)
    fails.append(1)
    second = int(clock())
    make_worker(Job("mixed", DAY, step)).work()
    with site.extensions["staff"].app_context():
        row = db.session.execute(text("SELECT ran_at, failed_at FROM worker_job")).one()
    assert tuple(row) == (first, second)


def test_clock_set_back_does_not_stop_jobs(make_worker, clock):
    runs = []
    clock.forward(10 * DAY)
    make_worker(noted(runs, "daily", DAY)).work()
    clock.forward(-9 * DAY)
    make_worker(noted(runs, "daily", DAY)).work()
    assert runs == ["daily", "daily"]


def test_lease_is_exclusive_until_exit_or_expiry(make_worker, clock):
    runs, tried = [], []
    second = make_worker(noted(runs, "second", EACH_ROUND))
    first = make_worker(Job("first", EACH_ROUND, lambda go_on: tried.append(second.work(once=True))))
    first.work(once=True)
    assert tried == [False] and runs == []
    assert second.work(once=True) and runs == ["second"]

    def die(go_on):
        raise SystemExit  # nothing catches it, as nothing catches a SIGKILL

    with pytest.raises(SystemExit):
        make_worker(Job("deadly", EACH_ROUND, die)).work()
    clock.forward(LEASE - 1)
    assert not second.work(once=True)
    clock.forward(1)
    assert second.work(once=True)


def test_long_job_renews_the_lease(make_worker, clock):
    asked = []

    def long(go_on):
        for _ in range(10):
            clock.forward(LEASE // 2)
            asked.append((go_on(), other.work(once=True)))

    other = make_worker(noted([], "other", EACH_ROUND))
    make_worker(Job("long", DAY, long)).work()
    assert asked == [(True, False)] * 10


def test_worker_resumes_after_a_database_outage(make_worker, site, caplog):
    runs = []
    app = site.extensions["staff"]

    def rename(old, new):
        with app.app_context():
            db.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
            db.session.commit()

    rename("worker_lease", "lease_away")
    assert not make_worker(noted(runs, "job", EACH_ROUND), rounds=1).work()
    assert runs == [] and "the worker cannot reach its database" in caplog.text
    rename("lease_away", "worker_lease")
    assert make_worker(noted(runs, "job", EACH_ROUND)).work() and runs == ["job"]


def test_default_jobs_shuffle_and_purge(make_site, database_url, clock, monkeypatch):
    site = make_site(K=1)
    visitor = Visitor(site)
    visitor.walk()
    visitor.agree()
    purged = []
    monkeypatch.setattr(jobs, "purge", purged.append)
    Worker(site.extensions["staff"], Quiet(clock)).work()
    with site.app_context():
        assert db.session.query(MixedCopy).count() == 1
    assert purged == [clock() - PAUSE]


@pytest.fixture
def flask_worker(tmp_path, keys, database_url, mail_server):
    """Starts ``flask worker`` against the database, with this mail server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCREENING_")} | {
        "SCREENING_KEYS": str(keys),
        "SCREENING_DATABASE_URL": database_url,
        "SCREENING_CLINIC": str(tmp_path / "none.toml"),
        "SCREENING_SITE_URL": "https://check.example.org",
        "SCREENING_MAIL_HOST": "127.0.0.1",
        "SCREENING_MAIL_PORT": str(mail_server.port),
        "SCREENING_MAIL_TLS": "none",
        "SCREENING_MAIL_FROM": FROM,
        "SCREENING_MAIL_TEAM": TEAM,
    }
    started = []

    def start(*arguments, **settings):
        command = [sys.executable, "-m", "flask", "worker", *arguments]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, env=environment | settings, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=20)


@pytest.fixture
def waiting(make_mail_site, mail_server):
    """The desk of a clinic where three requests, with six mails, have come in by the real clock."""
    mail_site = MailSite(make_mail_site(mail_server.port, CLOCK=time.time), time.time)
    for _ in range(3):
        mail_site.ask(ROSA)
    return mail_site


def test_once_option_delivers_mail_and_exits(flask_worker, waiting, mail_server):
    done = flask_worker("--once")
    assert done.communicate(timeout=60) == ("", "") and done.returncode == 0
    assert len(mail_server.arrived) == 6 and {state for _, state, _ in waiting.states()} == {SENT}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_worker_between_two_mails(flask_worker, waiting, mail_server, ending):
    process = flask_worker()

    def end():
        if len(mail_server.acknowledged) == 2:
            process.send_signal(ending)

    mail_server.on_arrival = end
    assert process.communicate(timeout=60) == ("", "") and process.returncode == 0
    assert len(mail_server.arrived) == 2
    assert sorted(state for _, state, _ in waiting.states()) == sorted([SENT] * 2 + [WAITING] * 4)
    mail_server.on_arrival = lambda: None
    assert flask_worker("--once").wait(60) == 0 and len(mail_server.arrived) == 6


def test_worker_exits_when_its_parent_process_is_gone(flask_worker, waiting):
    process = flask_worker("--beside", str(os.getpid() + 1))
    assert process.wait(60) == 0
    assert {state for _, state, _ in waiting.states()} == {WAITING}


def test_missing_password_file_stops_the_worker_with_an_error(flask_worker, tmp_path):
    settings = {"SCREENING_MAIL_USER": "clinic", "SCREENING_MAIL_TLS": "tls"}
    process = flask_worker(SCREENING_MAIL_PASSWORD_FILE=str(tmp_path / "none"), **settings)
    assert process.communicate(timeout=60)[1] == "SCREENING_MAIL_PASSWORD_FILE: none cannot be read\n"
    assert process.returncode == 1


def test_visitor_node_has_no_worker_command():
    app = create_commands_app({"SURFACES": ("visitor",)})
    assert "worker" not in app.cli.commands and "worker" in create_commands_app().cli.commands
