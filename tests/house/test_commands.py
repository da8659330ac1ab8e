"""The commands, run as a person runs them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from screening.config import ROOT
from screening.questionnaire.loader import LIBRARY

FLASK = [sys.executable, "-m", "flask"]


@pytest.fixture
def run(tmp_path):
    def run(*arguments, **settings):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SCREENING_")}
        environment |= {
            "SCREENING_KEYS": str(tmp_path / "keys"),
            "SCREENING_DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite",
        }
        environment |= settings
        return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    return run


def test_valid_questionnaire_is_described_on_stdout(run):
    done = run(*FLASK, "questionnaire", "check", str(LIBRARY / "warning_signs.toml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "warning_signs version 1: 12 questions, 7 signs, en, es\n"


def test_invalid_questionnaire_gives_a_single_line_error(run, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text((LIBRARY / "warning_signs.toml").read_text().replace("at_least = 1", "at_least = 9", 1))
    done = run(*FLASK, "questionnaire", "check", str(file))
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr.startswith("bad.toml: question pain_duration: show_when.at_least:") and done.stderr.count("\n") == 1
    )


def test_keys_are_created_once_with_owner_only_permissions(run, tmp_path):
    done = run(*FLASK, "keys", "init")
    assert done.returncode == 0 and done.stdout == ""
    files = sorted((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == [
        *("backup.toml", "callback.toml", "draft.toml", "forms.toml", "search.toml", "staff.toml")
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    before = [file.read_text() for file in files]
    assert run(*FLASK, "keys", "init").returncode == 0
    assert [file.read_text() for file in files] == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "key file draft.toml is missing: run flask keys init"),
        ({"SCREENING_CLINIK": "x"}, "SCREENING_CLINIK is not a setting; did you mean SCREENING_CLINIC?"),
        ({"SCREENING_QUESTIONNAIRE": "nowhere.toml"}, "nowhere.toml: "),
    ],
)
def test_startup_error_is_a_single_line(run, settings, message):
    done = run(sys.executable, "-c", "import wsgi", **settings)
    assert done.returncode == 1
    assert done.stderr.startswith("The site cannot start: ") and message in done.stderr
    assert done.stderr.count("\n") == 1


def test_database_upgrade_succeeds_twice(run, tmp_path):
    for _ in range(2):
        done = run(*FLASK, "db", "upgrade")
        assert done.returncode == 0, done.stderr
    assert {"site.sqlite", "site-inbox.sqlite"} <= {file.name for file in tmp_path.iterdir()}


def test_release_without_responses_gives_a_single_line_error(run):
    assert run(*FLASK, "db", "upgrade").returncode == 0
    for command in ("preview", "create"):
        done = run(*FLASK, "release", command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("There are not enough copies for a release yet. Next try on ")
        assert done.stderr.count("\n") == 1
    assert run(*FLASK, "release", "list").stdout == ""


def test_expert_determination_requires_day_and_expert(run):
    done = run(*FLASK, "release", "preview", SCREENING_EXPERT_DETERMINATION="yes")
    assert done.returncode != 0 and "takes a day and who it was" in done.stderr
