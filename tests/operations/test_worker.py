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
from tests.outbox.conftest import FROM, ROSA, TEAM, Desk, mailing, serve, server  # noqa: F401 (fixtures)
from tests.visitor import Visitor


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
    return make_site(DATABASE_URL=database_url)


@pytest.fixture
def hire(site, clock):
    """A worker with jobs; it works for so many rounds."""

    def hire(*jobs, rounds=0):
        return Worker(site.extensions["staff"], Quiet(clock, rounds), jobs)

    return hire


def noted(runs, name, every):
    return Job(name, every, lambda go_on: runs.append(name))


def test_each_job_runs_on_its_own_schedule_and_a_restart_neither_loses_nor_repeats_one(hire, clock):
    runs = []
    often, daily = noted(runs, "often", EACH_ROUND), noted(runs, "daily", DAY)
    hire(often, daily, rounds=3).work()
    assert runs == ["often", "daily", "often", "often", "often"]
    hire(often, daily).work()
    assert runs.count("daily") == 1
    clock.forward(DAY - 5 * PAUSE - 1)
    hire(daily).work(once=True)
    assert runs.count("daily") == 1
    clock.forward(1)
    hire(daily).work(once=True)
    assert runs.count("daily") == 2


def test_a_job_that_fails_is_logged_by_its_kind_and_tried_later_while_the_others_run(hire, clock, caplog):
    runs = []

    def fail(go_on):
        runs.append("bad")
        raise ValueError("zentinela@example.org")

    bad, good = Job("bad", DAY, fail), noted(runs, "good", EACH_ROUND)
    hire(bad, good, rounds=2).work()
    assert runs == ["bad", "good", "good", "good"]
    assert "the job bad failed: ValueError < fail" in caplog.text and "zentinela" not in caplog.text
    clock.forward(RETRY)
    hire(bad, good).work()
    assert runs.count("bad") == 2


def test_after_a_failure_it_is_not_forgotten_when_the_job_last_ran(hire, clock, site):
    runs, fails = [], []

    def step(go_on):
        runs.append(1)
        if fails:
            raise ValueError

    first = int(clock())
    hire(Job("mixed", DAY, step)).work()
    clock.forward(DAY)
    fails.append(1)
    second = int(clock())
    hire(Job("mixed", DAY, step)).work()
    with site.extensions["staff"].app_context():
        row = db.session.execute(text("SELECT ran_at, failed_at FROM worker_job")).one()
    assert tuple(row) == (first, second)


def test_a_clock_that_is_put_back_stops_nothing(hire, clock):
    runs = []
    clock.forward(10 * DAY)
    hire(noted(runs, "daily", DAY)).work()
    clock.forward(-9 * DAY)
    hire(noted(runs, "daily", DAY)).work()
    assert runs == ["daily", "daily"]


def test_one_works_and_the_next_takes_over_when_it_ends_or_dies(hire, clock):
    runs, tried = [], []
    second = hire(noted(runs, "second", EACH_ROUND))
    first = hire(Job("first", EACH_ROUND, lambda go_on: tried.append(second.work(once=True))))
    first.work(once=True)
    assert tried == [False] and runs == []
    assert second.work(once=True) and runs == ["second"]

    def die(go_on):
        raise SystemExit  # nothing catches it, as nothing catches a SIGKILL

    with pytest.raises(SystemExit):
        hire(Job("deadly", EACH_ROUND, die)).work()
    clock.forward(LEASE - 1)
    assert not second.work(once=True)
    clock.forward(1)
    assert second.work(once=True)


def test_a_worker_at_a_long_job_keeps_the_lease_by_asking_whether_to_go_on(hire, clock):
    asked = []

    def long(go_on):
        for _ in range(10):
            clock.forward(LEASE // 2)
            asked.append((go_on(), other.work(once=True)))

    other = hire(noted([], "other", EACH_ROUND))
    hire(Job("long", DAY, long)).work()
    assert asked == [(True, False)] * 10


def test_with_the_database_away_it_waits_and_goes_on_when_it_is_back(hire, site, caplog):
    runs = []
    app = site.extensions["staff"]

    def rename(old, new):
        with app.app_context():
            db.session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))
            db.session.commit()

    rename("worker_lease", "lease_away")
    assert not hire(noted(runs, "job", EACH_ROUND), rounds=1).work()
    assert runs == [] and "the worker cannot reach its database" in caplog.text
    rename("lease_away", "worker_lease")
    assert hire(noted(runs, "job", EACH_ROUND)).work() and runs == ["job"]


def test_its_own_jobs_mix_and_purge(make_site, database_url, clock, monkeypatch):
    site = make_site(DATABASE_URL=database_url, K=1)
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
def flask_worker(tmp_path, keys, database_url, server):  # noqa: F811
    """Starts ``flask worker`` against the database, with this mail server."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCREENING_")} | {
        "SCREENING_KEYS": str(keys),
        "SCREENING_DATABASE_URL": database_url,
        "SCREENING_CLINIC": str(tmp_path / "none.toml"),
        "SCREENING_SITE_URL": "https://check.example.org",
        "SCREENING_MAIL_HOST": "127.0.0.1",
        "SCREENING_MAIL_PORT": str(server.port),
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
def waiting(mailing, server):  # noqa: F811
    """The desk of a clinic where three requests, with six mails, have come in by the real clock."""
    desk = Desk(mailing(server.port, CLOCK=time.time), time.time)
    for _ in range(3):
        desk.ask(ROSA)
    return desk


def test_the_command_delivers_once_and_ends(flask_worker, waiting, server):  # noqa: F811
    done = flask_worker("--once")
    assert done.communicate(timeout=60) == ("", "") and done.returncode == 0
    assert len(server.arrived) == 6 and {state for _, state, _ in waiting.states()} == {SENT}


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_between_two_mails(flask_worker, waiting, server, ending):  # noqa: F811
    process = flask_worker()

    def end():
        if len(server.told) == 2:
            process.send_signal(ending)

    server.on_arrival = end
    assert process.communicate(timeout=60) == ("", "") and process.returncode == 0
    assert len(server.arrived) == 2
    assert sorted(state for _, state, _ in waiting.states()) == sorted([SENT] * 2 + [WAITING] * 4)
    server.on_arrival = lambda: None
    assert flask_worker("--once").wait(60) == 0 and len(server.arrived) == 6


def test_it_ends_with_the_process_it_was_started_beside(flask_worker, waiting):
    process = flask_worker("--beside", str(os.getpid() + 1))
    assert process.wait(60) == 0
    assert {state for _, state, _ in waiting.states()} == {WAITING}


def test_a_password_file_that_is_missing_stops_it_with_one_line(flask_worker, tmp_path):
    settings = {"SCREENING_MAIL_USER": "clinic", "SCREENING_MAIL_TLS": "tls"}
    process = flask_worker(SCREENING_MAIL_PASSWORD_FILE=str(tmp_path / "none"), **settings)
    assert process.communicate(timeout=60)[1] == "SCREENING_MAIL_PASSWORD_FILE: none cannot be read\n"
    assert process.returncode == 1


def test_a_visitor_only_machine_has_no_worker():
    app = create_commands_app({"SURFACES": ("visitor",)})
    assert "worker" not in app.cli.commands and "worker" in create_commands_app().cli.commands
