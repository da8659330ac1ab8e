"""The release commands, as an operator on the server uses them."""

from __future__ import annotations

import json
import zipfile
from datetime import date

import pytest

from screening.cli.commands_app import create_commands_app
from screening.config_values import Determination
from tests.support import sample_responses
from tests.support.absence import assert_absent
from tests.support.databases import close


@pytest.fixture
def run(sqlite_url, clock):
    """Return a function that runs a command on a database with six hundred responses of two months of 2025."""
    app = create_commands_app({"DATABASE_URL": sqlite_url, "CLOCK": clock})
    with app.app_context():
        sample_responses.store(sample_responses.generate(600, months=("2025-08", "2025-09")))
    runner = app.test_cli_runner()

    def run(*arguments):
        return runner.invoke(args=arguments)

    run.settings, run.app = app.config["SETTINGS"], app
    yield run
    close(app)


def test_release_commands_preview_create_list_and_export(run, tmp_path):
    stated = json.loads(run("release", "preview").stdout)
    assert stated["rows"] == 600 and stated["k"]["asked"] == 11
    assert run("release", "create").stdout == "R-0001\n"
    number, _, questionnaire, version, rows = run("release", "list").stdout.rstrip("\n").split("\t")
    assert (number, questionnaire, version, rows) == ("R-0001", "warning_signs", "1", "600")
    first = run("release", "export", "R-0001")
    assert first.exit_code == 0 and first.stdout.startswith("period,age_band,") and first.stdout.count("\n") == 601
    assert run("release", "export", "1").stdout == first.stdout
    target = tmp_path / "R-0001-full.zip"
    for _ in range(2):
        done = run("release", "export", "1", "--detail", "full", "--format", "zip", "--to", str(target))
        assert (done.exit_code, done.stdout) == (0, "")
        assert "R-0001-full.csv" in zipfile.ZipFile(target).namelist()


@pytest.mark.parametrize(("ending", "beside"), [("csv", True), ("xlsx", True), ("zip", False)])
def test_exported_rows_have_their_readme_beside_them(run, tmp_path, ending, beside):
    assert run("release", "create").exit_code == 0
    file = tmp_path / f"R-0001-signs.{ending}"
    assert run("release", "export", "1", "--format", ending, "--to", str(file)).exit_code == 0
    readme = tmp_path / "R-0001-signs.README.md"
    assert sorted(tmp_path.glob("R-*")) == sorted([file, *([readme] if beside else [])])
    if beside:
        assert readme.read_text(encoding="utf-8").startswith("# R-0001, signs\n")


def test_preview_compares_the_plans_with_a_determination(run, monkeypatch):
    plain = json.loads(run("release", "preview").stdout)
    assert "without_determination" not in plain
    expert = Determination(date(2025, 10, 1), "Zentinela Expert")
    monkeypatch.setitem(run.settings, "EXPERT_DETERMINATION", expert)
    seen = json.loads(run("release", "preview").stdout)
    without = seen["without_determination"]
    assert set(without) == {"levels", "groups", "masked_rows", "ncp"}
    for key in ("levels", "groups", "masked_rows"):
        assert without[key] == plain[key]
    assert seen["ncp"] <= without["ncp"] and without["ncp"] > plain["ncp"], "the month is lost, too"


def test_preview_warns_of_a_single_month(sqlite_url, clock):
    app = create_commands_app({"DATABASE_URL": sqlite_url, "CLOCK": clock})
    runner = app.test_cli_runner()
    warning = "All these copies are from one month."
    with app.app_context():
        sample_responses.store(sample_responses.generate(200, months=("2025-08",)))
    done = runner.invoke(args=("release", "preview"))
    assert json.loads(done.stdout)["rows"] == 200 and done.stderr.startswith(warning)
    with app.app_context():
        sample_responses.store(sample_responses.generate(200, seed=2, months=("2025-09",)))
    done = runner.invoke(args=("release", "preview"))
    assert json.loads(done.stdout)["rows"] == 400
    assert_absent([warning], done.stderr)
    close(app)


def test_verify_command_passes_a_release_and_reports_tampering(run, tmp_path):
    assert run("release", "create").exit_code == 0
    done = run("release", "verify", "R-0001")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "Nothing found\n")
    file = tmp_path / "full.csv"
    assert run("release", "export", "1", "--detail", "full", "--to", str(file)).exit_code == 0
    rows = file.read_bytes().decode().split("\r\n")
    file.write_text("\r\n".join([rows[0], rows[1] + ",zentinelapatient@example.org", *rows[2:]]), newline="")
    done = run("release", "verify", str(file))
    assert done.exit_code == 1 and "full.csv" in done.stdout
    assert_absent(["zentinelapatient"], done.stdout, done.stderr)


@pytest.mark.parametrize("number", ["R-0002", "two", "²", "1" * 40])
def test_export_of_an_unknown_release_is_refused_without_a_file(run, tmp_path, number):
    done = run("release", "export", number, "--to", str(tmp_path / "file.csv"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"There is no release {number}.\n"
    assert not (tmp_path / "file.csv").exists()


def test_export_to_a_missing_directory_reports_the_error(run, tmp_path):
    assert run("release", "create").exit_code == 0
    done = run("release", "export", "1", "--to", str(tmp_path / "nowhere" / "file.csv"))
    assert done.exit_code == 1 and done.stderr.endswith("nowhere: No such file or directory\n")


def test_verify_of_a_missing_file_says_so(run, tmp_path):
    missing = str(tmp_path / "missing.csv")
    done = run("release", "verify", missing)
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"There is no file {missing}.\n")
    assert run("release", "verify", "R-0002").stderr == "There is no release R-0002.\n"


def test_preview_states_the_figures_that_the_manifest_gets(run):
    seen = json.loads(run("release", "preview").stdout)["measured_attack"]
    assert set(seen) == {"signs", "full"} and seen["signs"]["mean_percent"] < seen["full"]["mean_percent"]
    assert run("release", "create").exit_code == 0
    for detail, found in seen.items():
        mean, worst = found["mean_percent"], found["worst_percent"]
        assert f"{detail}\tmean {mean}%\tworst {worst}%\n" in run("release", "attack", "R-0001").stdout


def test_attack_on_an_exported_file_is_that_of_its_release(run, tmp_path):
    assert run("release", "create").exit_code == 0
    of_release = run("release", "attack", "1").stdout.splitlines()[0]
    file = tmp_path / "mine.csv"
    assert run("release", "export", "1", "--to", str(file)).exit_code == 0
    header, *rows = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(header + b"".join(reversed(rows)))
    assert run("release", "attack", str(file)).stdout == of_release.replace("signs", "mine.csv") + "\n"


@pytest.mark.parametrize(
    "content", ["", "name,phone\nZentinelapatient,1\n", "period,age_band,pain_duration,pain\n1,2\n"]
)
def test_attack_on_another_file_is_refused_in_one_line(run, tmp_path, content):
    file = tmp_path / "other.csv"
    file.write_text(content)
    done = run("release", "attack", str(file))
    assert (done.exit_code, done.stdout) == (1, "") and done.stderr.startswith("other.csv ")
    assert done.stderr.count("\n") == 1
    assert_absent(["Zentinelapatient"], done.stdout, done.stderr)


def test_attack_on_a_missing_file_is_refused(run):
    done = run("release", "attack", "missing.csv")
    assert (done.exit_code, done.stderr) == (1, "There is no file missing.csv.\n")


def test_release_above_the_limit_needs_the_confirm_option(run, monkeypatch):
    monkeypatch.setitem(run.settings, "MAX_ALONE_PERCENT", 1)
    done = run("release", "create")
    assert done.exit_code == 1 and "confirm it" in done.stderr and run("release", "list").stdout == ""
    assert run("release", "create", "--confirm").stdout == "R-0001\n"
    assert run("release", "export", "1", "--detail", "full").exit_code == 1
    assert run("release", "export", "1", "--detail", "full", "--format", "zip").exit_code == 1
    assert run("release", "export", "1").exit_code == run("release", "verify", "1").exit_code == 0
    assert run("release", "attack", "1").stdout.count("\n") == 1


def test_file_with_months_passes_with_the_release_it_is_of(run, tmp_path, monkeypatch):
    expert = Determination(date(2025, 7, 1), "Name of the expert")
    monkeypatch.setitem(run.settings, "EXPERT_DETERMINATION", expert)
    with run.app.app_context():
        sample_responses.store(sample_responses.generate(6000, seed=2, months=("2025-07", "2025-08", "2025-09")))
    assert run("release", "create").exit_code == 0
    file = tmp_path / "R-0001-signs.csv"
    assert run("release", "export", "1", "--to", str(file)).exit_code == 0
    assert "\n2025-08," in file.read_text(encoding="utf-8")
    without = run("release", "verify", str(file))
    assert without.exit_code == 1 and "not a period of the stated level" in without.output
    assert run("release", "verify", str(file), "--release", "R-0001").exit_code == 0
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    assert run("release", "verify", str(file), "--release", "R-0001").exit_code == 1
