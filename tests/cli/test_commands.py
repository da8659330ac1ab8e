"""The commands, run as an operator does, and the errors that refuse startup."""

from __future__ import annotations

import runpy
import stat

import pytest

from screening.cli.commands_app import create_commands_app
from screening.config import ROOT, SettingsError
from screening.questionnaires.loader import LIBRARY
from tests.support import processes
from tests.support.databases import close


@pytest.fixture
def settings(tmp_path):
    """Paths of keys and a database that do not exist yet."""
    return {"KEYS_DIR": tmp_path / "keys", "DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite"}


@pytest.fixture
def invoke(settings, clock):
    """Return a function that runs a command in this process, and returns the result of click's runner."""

    def invoke(*arguments, **changed):
        app = create_commands_app({**settings, "CLOCK": clock, **changed})
        done = app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
        close(app)
        return done

    return invoke


def test_valid_definition_prints_a_summary_line():
    done = processes.flask("questionnaire", "check", str(LIBRARY / "warning_signs.toml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "warning_signs version 1: 12 questions, 7 signs, en, es\n"


def test_invalid_definition_prints_one_error_line(invoke, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text((LIBRARY / "warning_signs.toml").read_text().replace("at_least = 1", "at_least = 9", 1))
    done = invoke("questionnaire", "check", file)
    assert done.exit_code == 1 and done.stdout == ""
    assert (
        done.stderr.startswith("bad.toml: question pain_duration: show_when.at_least:") and done.stderr.count("\n") == 1
    )


def test_keys_init_creates_private_files_only_once(invoke, tmp_path):
    done = invoke("keys", "init")
    assert done.exit_code == 0 and done.stdout == ""
    files = sorted((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == [
        *("backup.toml", "callback.toml", "draft.toml", "forms.toml", "responses.toml", "search.toml", "staff.toml")
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    before = [file.read_text() for file in files]
    assert invoke("keys", "init").exit_code == 0
    assert [file.read_text() for file in files] == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({}, "key file draft.toml is missing: run flask keys init"),
        ({"SCREENING_CLINIC_FIL": "x"}, "SCREENING_CLINIC_FIL is not a setting; did you mean SCREENING_CLINIC_FILE?"),
        ({"SCREENING_QUESTIONNAIRE_FILE": "nowhere.toml"}, "nowhere.toml: "),
    ],
)
def test_refused_start_ends_with_one_line(monkeypatch, settings, changed, message):
    for name, value in ({f"SCREENING_{name}": value for name, value in settings.items()} | changed).items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "wsgi.py"))
    (line,) = str(stopped.value).splitlines()
    assert line.startswith("The site cannot start: ") and message in line


def test_refused_start_of_a_process_prints_the_line_only(settings):
    done = processes.python("-c", "import wsgi", **{f"SCREENING_{name}": value for name, value in settings.items()})
    assert done.returncode == 1 and done.stdout == ""
    *warnings, line = done.stderr.splitlines()
    assert line == "The site cannot start: key file draft.toml is missing: run flask keys init"
    assert all(" warning " in warning for warning in warnings), "warnings such as unchecked crisis files"


def test_second_database_upgrade_changes_nothing(invoke, tmp_path):
    states = []
    for _ in range(2):
        done = invoke("db", "upgrade")
        assert done.exit_code == 0, done.stderr
        states.append({name: (tmp_path / name).read_bytes() for name in ("site.sqlite", "site-pending.sqlite")})
    assert states[0] == states[1]


def test_release_without_responses_is_refused_with_one_line(invoke, sqlite_url):
    for command in ("preview", "create"):
        done = invoke("release", command, DATABASE_URL=sqlite_url)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith("There are not enough copies for a release yet. Next try on ")
        assert done.stderr.count("\n") == 1
    assert invoke("release", "list", DATABASE_URL=sqlite_url).stdout == ""


def test_expert_determination_without_day_and_name_is_refused(monkeypatch):
    monkeypatch.setenv("SCREENING_EXPERT_DETERMINATION", "yes")
    with pytest.raises(SettingsError, match="takes a date and the expert"):
        create_commands_app()
