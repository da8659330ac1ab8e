"""The commands, run as a person runs them."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import zipfile

import pytest

from screening.cli import create_commands_app
from screening.config import ROOT
from screening.questionnaire.loader import LIBRARY
from tests.conftest import close
from tests.responses import crowd

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


def test_a_good_definition_is_told_on_stdout(run):
    done = run(*FLASK, "questionnaire", "check", str(LIBRARY / "warning_signs.toml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "warning_signs version 1: 12 questions, 7 signs, en, es\n"


def test_a_bad_definition_is_told_on_stderr_in_one_line(run, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text((LIBRARY / "warning_signs.toml").read_text().replace("at_least = 1", "at_least = 9", 1))
    done = run(*FLASK, "questionnaire", "check", str(file))
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr.startswith("bad.toml: question pain_duration: show_when.at_least:") and done.stderr.count("\n") == 1
    )


def test_keys_are_made_once_for_their_owner_only(run, tmp_path):
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
def test_what_stops_the_start_is_one_line(run, settings, message):
    done = run(sys.executable, "-c", "import wsgi", **settings)
    assert done.returncode == 1
    assert done.stderr.startswith("The site cannot start: ") and message in done.stderr
    assert done.stderr.count("\n") == 1


def test_upgrading_twice_changes_nothing(run, tmp_path):
    for _ in range(2):
        done = run(*FLASK, "db", "upgrade")
        assert done.returncode == 0, done.stderr
    assert {"site.sqlite", "site-inbox.sqlite"} <= {file.name for file in tmp_path.iterdir()}


def test_a_release_is_refused_in_one_line_while_there_are_no_copies(run):
    assert run(*FLASK, "db", "upgrade").returncode == 0
    for command in ("preview", "create"):
        done = run(*FLASK, "release", command)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("There are not enough copies for a release yet. Next try on ")
        assert done.stderr.count("\n") == 1
    assert run(*FLASK, "release", "list").stdout == ""


def test_an_expert_determination_names_day_and_expert(run):
    done = run(*FLASK, "release", "preview", SCREENING_EXPERT_DETERMINATION="yes")
    assert done.returncode != 0 and "takes a day and who it was" in done.stderr


@pytest.fixture
def with_copies(run, tmp_path):
    """A database in which six hundred copies of last year wait."""
    assert run(*FLASK, "db", "upgrade").returncode == 0
    app = create_commands_app({"DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite"})
    with app.app_context():
        crowd.store(crowd.crowd(600, months=("2025-08", "2025-09")))
    close(app)


def test_a_release_is_previewed_made_listed_and_exported(run, with_copies, tmp_path):
    stated = json.loads(run(*FLASK, "release", "preview").stdout)
    assert stated["rows"] == 600 and stated["k"]["asked"] == 11
    assert run(*FLASK, "release", "create").stdout == "R-0001\n"
    number, _, questionnaire, version, rows = run(*FLASK, "release", "list").stdout.rstrip("\n").split("\t")
    assert (number, questionnaire, version, rows) == ("R-0001", "warning_signs", "1", "600")
    first = run(*FLASK, "release", "export", "R-0001")
    assert first.returncode == 0 and first.stdout.startswith("period,age_band,") and first.stdout.count("\n") == 601
    assert run(*FLASK, "release", "export", "1").stdout == first.stdout
    target = tmp_path / "R-0001-full.zip"
    for _ in range(2):
        done = run(*FLASK, "release", "export", "1", "--detail", "full", "--format", "zip", "--to", str(target))
        assert (done.returncode, done.stdout) == (0, "")
        assert "R-0001-full.csv" in zipfile.ZipFile(target).namelist()


def test_the_verifier_passes_what_was_made_and_finds_what_was_changed(run, with_copies, tmp_path):
    assert run(*FLASK, "release", "create").returncode == 0
    done = run(*FLASK, "release", "verify", "R-0001")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Nothing found\n")
    file = tmp_path / "full.csv"
    assert run(*FLASK, "release", "export", "1", "--detail", "full", "--to", str(file)).returncode == 0
    rows = file.read_bytes().decode().split("\r\n")
    file.write_text("\r\n".join([rows[0], rows[1] + ",rosa@example.org", *rows[2:]]), newline="")
    done = run(*FLASK, "release", "verify", str(file))
    assert done.returncode == 1 and "full.csv" in done.stdout and "rosa" not in done.stdout


@pytest.mark.parametrize("number", ["R-0002", "two", "²", "1" * 40])
def test_exporting_what_is_not_there_is_refused_and_writes_nothing(run, with_copies, tmp_path, number):
    done = run(*FLASK, "release", "export", number, "--to", str(tmp_path / "file.csv"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"There is no release {number}.\n"
    assert not (tmp_path / "file.csv").exists()


def test_an_export_that_cannot_be_written_says_so(run, with_copies, tmp_path):
    assert run(*FLASK, "release", "create").returncode == 0
    done = run(*FLASK, "release", "export", "1", "--to", str(tmp_path / "nowhere" / "file.csv"))
    assert done.returncode == 1 and done.stderr.endswith("nowhere: No such file or directory\n")
