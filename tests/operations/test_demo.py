"""The demo: complete after one command, visibly a demo, and refused on a clinic's own data."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from screening.app import create_app
from screening.callbacks.models import CallbackRequest
from screening.clinic import DEMO
from screening.config import ROOT, SettingsError
from screening.extensions import db
from screening.operations import demo
from screening.releases.models import Release
from screening.releases.periods import last_closed_period
from screening.responses.models import ShuffledResponse
from tests.support.clock import START, Clock
from tests.support.databases import close
from tests.support.staff_client import StaffClient


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory, keys):
    """A site filled by the demo, and its accounts. Read-only, since the tests of this module share it."""
    if request.param == "postgresql":
        url = request.getfixturevalue("cluster").copy_of("template_site")
    else:
        folder = tmp_path_factory.mktemp("demo") / "database"
        shutil.copytree(request.getfixturevalue("sqlite_template"), folder)
        url = f"sqlite:///{folder}/site.sqlite"
    site = create_app({"KEYS_DIR": keys, "CLOCK": Clock(), "DATABASE_URL": url, "CLINIC_FILE": DEMO})
    yield site, demo.fill(site)
    close(site)


def months_between(first: date, last: date) -> list[str]:
    """Return every month from one to another, such as ``2026-11``."""
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]


def test_demo_has_requests_in_every_state_and_a_release(filled):
    site, _ = filled
    with site.app_context():
        states = Counter(db.session.scalars(select(CallbackRequest.state)))
        periods = Counter(db.session.scalars(select(ShuffledResponse.period)))
        answers = list(db.session.scalars(select(ShuffledResponse.answers)))
        release = db.session.scalars(select(Release)).one()
    assert sum(states.values()) == 40
    assert set(states) == {"new", "claimed", "attempted", "reached", "closed", "withdrawn"}
    zone = site.extensions["clinic"].time_zone
    today, released_at = datetime.fromtimestamp(START, zone).date(), START - demo.RELEASE_AGE_SECONDS
    waiting = months_between(
        date.fromisoformat(last_closed_period(released_at, zone) + "-01") + timedelta(days=31), today
    )
    assert sorted(periods) == waiting and 6 <= len(waiting) <= 8
    assert sum(periods.values()) + release.rows == 3000 and release.rows > 1000
    months = months_between(date(today.year - 2, 1, 1), today)[-demo.MONTHS :]
    released = {month[:4] for month in months if month < waiting[0]}
    assert set(release.tables["periods"]) == released, "trends show every past year"
    signs = [(a["sadness"] in "23", a["pain"] in "23") for a in answers if "declined" not in (a["sadness"], a["pain"])]
    with_pain = [noticed for noticed, pain in signs if pain]
    without = [noticed for noticed, pain in signs if not pain]
    assert sum(with_pain) / len(with_pain) > 1.3 * sum(without) / len(without), "pain and low mood are correlated"


def test_demo_account_can_sign_in_and_see_demo_patients(filled):
    site, logins = filled
    login = next(login for login in logins if login.email == "desk@example.org")
    member = StaffClient(site, login.email, login.password, login.secret.replace(" ", ""))
    page = member.sign_in("/staff/callbacks")
    names = [link.get_text() for link in page.main.select(".app-worklist__name a")]
    assert len(names) == 25 and all(name.startswith("Demo patient ") for name in names)


def test_demo_refuses_a_non_empty_database(filled):
    site, _ = filled
    with pytest.raises(SettingsError, match="is not empty"):
        demo.fill(site)
    with site.app_context():
        assert db.session.scalar(select(func.count()).select_from(CallbackRequest)) == 40


def test_demo_refuses_a_real_clinic(make_site, own_clinic):
    site = make_site(CLINIC_FILE=own_clinic)
    with pytest.raises(SettingsError, match="real clinic"):
        demo.fill(site)
    with site.app_context():
        assert db.session.execute(text("SELECT count(*) FROM staff_account")).scalar_one() == 0


def make_demo(folder: Path, address: str) -> None:
    """Run ``make demo`` with a stand-in for ``flask``, which writes a file of its command's name to the key folder."""
    done = subprocess.run(
        [
            "make",
            "--file",
            ROOT / "Makefile",
            "--old-file=.venv/run.done",
            f"BIN={folder}",
            "demo",
            f"ADDRESS={address}",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_make_demo_leaves_the_demo_on_another_port_alone(tmp_path):
    flask = tmp_path / "flask"
    flask.write_text(
        '#!/bin/sh\n[ "$2" = --check ] || { mkdir -p "$SCREENING_KEYS_DIR"; : >"$SCREENING_KEYS_DIR/$1"; }\n'
    )
    flask.chmod(0o755)
    make_demo(tmp_path, "127.0.0.1:8000")
    running = tmp_path / "instance" / "demo" / "8000" / "keys"
    assert {file.name for file in running.iterdir()} == {"keys", "db", "demo", "serve"}
    (running / "running").touch()
    make_demo(tmp_path, "[::1]:9000")
    assert (tmp_path / "instance" / "demo" / "9000" / "keys" / "serve").exists() and (running / "running").exists()
    make_demo(tmp_path, "8000")
    assert not (running / "running").exists(), "the control: a demo on the same port is made anew"
