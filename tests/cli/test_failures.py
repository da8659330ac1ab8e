"""Every command under every fault of its surroundings: one line that says what to do, and no traceback."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from flask.cli import FlaskGroup, ScriptInfo

from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.crypto.key_files import read_ring
from screening.questionnaires.loader import LIBRARY
from tests.support.absence import assert_absent
from tests.support.databases import close
from tests.support.processes import TEST_TIMEOUT, environment, flask

PR_CAPBSET_DROP = 24
OVERRIDES = (1, 2)
"""The capabilities by which root ignores the mode of files: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""

NO_DATABASE = "postgresql://rosa:zentinelpassword@127.0.0.1:9/site"

FLASK = {"routes", "run", "shell"}
"""Flask's own commands, for developers."""

DEVELOPERS = {f"db {name}" for name in ("edit", "init", "list-templates", "merge", "migrate", "revision")}
"""Commands that write migrations."""

WITHOUT_STATE = {
    "db branches": (),
    "db heads": (),
    "db history": (),
    "db show": (),
    "nginx error-page": (),
    "nginx headers": (),
    "questionnaire check": (str(LIBRARY / "warning_signs.toml"),),
    "serve": ("--check", "0.0.0.0:1"),
}
"""Commands that need neither keys nor database, with arguments."""

ON_KEYS = {"keys init": (), "keys list": (), "keys add": ("draft",)}
"""Commands that need the key files only."""

ON_DATABASE = {
    "backup": ("new.backup",),
    "db check": (),
    "db current": (),
    "db downgrade": (),
    "db stamp": ("head",),
    "db upgrade": (),
    "demo": (),
    "doctor": (),
    "keys activate": ("callback", "active id"),
    "keys publish": (),
    "keys rotate": ("callback",),
    "purge": (),
    "release attack": ("R-0001",),
    "release create": (),
    "release export": ("1",),
    "release list": (),
    "release preview": (),
    "release verify": ("R-0001",),
    "responses discard-unreadable": (),
    "responses shuffle": (),
    "restore": ("old.backup",),
    "staff add": ("ann@clinic.example", "--name", "Ann", "--role", "admin"),
    "staff disable": ("ada@clinic.example",),
    "staff reset": ("ada@clinic.example",),
    "worker": ("--once",),
}
COMMANDS = WITHOUT_STATE | ON_KEYS | ON_DATABASE


def leaves(command: click.Command, context: click.Context, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the full name of each command below this one."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, context, (*path, name))
    else:
        yield " ".join(path)


def test_every_command_of_the_click_tree_is_tested():
    app = create_commands_app()
    with click.Context(click.Command("flask"), obj=ScriptInfo(create_app=lambda: app)) as context:
        assert set(leaves(FlaskGroup(), context)) == {*COMMANDS, *DEVELOPERS, *FLASK}
    close(app)


def without_override() -> None:
    """Take from a process that is about to start root's right to ignore the mode of files, if it has it."""
    for capability in OVERRIDES:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability)


class Folder:
    """The files of a site, and the commands run on them under a fault."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        self.active_id = read_ring(folder / "keys", "callback").active

    def run(self, *words: str, before: Callable[[], None] | None = None) -> dict[str, dict[str, Any]]:
        """Run every command in one process; return the results by command. The files must be as before."""
        stands_for = {
            "new.backup": f"{self.folder}/new.backup",
            "old.backup": f"{self.folder}/old.backup",
            "active id": self.active_id,
        }
        commands = [[*name.split(), *(stands_for.get(each, each) for each in rest)] for name, rest in COMMANDS.items()]
        old = self.contents()
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.command_runner", *words],
            cwd=ROOT,
            env=environment(SCREENING_KEYS_DIR=self.folder / "keys", SCREENING_DATABASE_URL=self.database),
            input=json.dumps(commands),
            capture_output=True,
            text=True,
            preexec_fn=before,
            timeout=TEST_TIMEOUT,
        )
        assert done.returncode == 0, done.stderr
        results = dict(zip(COMMANDS, json.loads(done.stdout.splitlines()[-1]), strict=True))
        new = self.contents()
        if results["keys add"]["code"] == 0:
            assert new.pop(f"{self.folder}/keys/draft.toml") != old.pop(f"{self.folder}/keys/draft.toml")
        assert new == old
        return results

    def contents(self) -> dict[str, bytes]:
        """Return every file's content, except what SQLite writes beside a database."""
        files = [file for file in self.folder.rglob("*") if file.is_file() and file.suffix != ".sqlite-shm"]
        return {str(file): file.read_bytes() for file in files if not file.name.endswith(("-shm", "-wal"))}


@pytest.fixture(scope="module")
def made_backup(tmp_path_factory, keys, sqlite_template):
    file = tmp_path_factory.mktemp("backup") / "old.backup"
    for database in sqlite_template.glob("*.sqlite"):
        shutil.copy(database, file.parent / database.name)
    app = create_commands_app({"KEYS_DIR": keys, "DATABASE_URL": f"sqlite:///{file.parent}/site.sqlite"})
    done = app.test_cli_runner().invoke(args=["backup", str(file)])
    assert done.exit_code == 0, done.stderr
    close(app)
    return file


@pytest.fixture(scope="module")
def make_folder(tmp_path_factory, keys, sqlite_template, made_backup):
    """Return a function that creates the files of a site."""

    def make(database=""):
        folder = tmp_path_factory.mktemp("site")
        shutil.copytree(keys, folder / "keys")
        for file in sqlite_template.glob("*.sqlite"):
            shutil.copy(file, folder / file.name)
        shutil.copy(made_backup, folder / "old.backup")
        return Folder(folder, database or f"sqlite:///{folder}/site.sqlite")

    return make


@pytest.fixture(scope="module")
def without_database(make_folder):
    return make_folder(NO_DATABASE).run()


@pytest.fixture(scope="module")
def without_room(make_folder):
    return make_folder().run("no-room")


@pytest.fixture(scope="module")
def read_only(make_folder):
    site = make_folder()
    folders = (site.folder, site.folder / "keys")
    for folder in folders:
        for file in folder.glob("*.*"):
            file.chmod(0o400)
        folder.chmod(0o500)
    yield site.run(before=without_override)
    for folder in folders:
        folder.chmod(0o700)


@pytest.fixture(scope="module")
def of_another_user(make_folder):
    site = make_folder()
    folder = site.folder / "keys"
    if os.geteuid() == 0:
        for file in (*folder.iterdir(), *site.folder.glob("*.sqlite")):
            os.chown(file, 65534, 65534)
    else:
        for file in (*folder.iterdir(), *site.folder.glob("*.sqlite")):
            file.chmod(0o000)
    return site.run(before=without_override)


def failed_in_one_line(done: dict[str, Any]) -> bool:
    """Return whether a command failed; its stderr must not be a traceback, and end with one line if it failed."""
    assert_absent(["Traceback (most", "zentinelpassword", "by a mistake in the site"], done["stderr"], done["stdout"])
    if done["code"]:
        lines = [line for line in done["stderr"].splitlines() if "[alembic" not in line and " warning " not in line]
        assert len(lines) == 1 and len(lines[0]) > 12, done
    return bool(done["code"])


@pytest.mark.parametrize("command", COMMANDS)
def test_command_without_database_fails_in_one_line(without_database, command):
    assert failed_in_one_line(without_database[command]) == (command in ON_DATABASE)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_without_room_on_the_disk_fails_in_one_line(without_room, command):
    assert failed_in_one_line(without_room[command]) == (command in {*ON_DATABASE, "keys add"})


@pytest.mark.parametrize("command", COMMANDS)
def test_command_in_a_read_only_folder_fails_in_one_line(read_only, command):
    assert failed_in_one_line(read_only[command]) == (command in {*ON_DATABASE, "keys add"})


@pytest.mark.parametrize("command", COMMANDS)
def test_command_on_files_of_another_user_fails_in_one_line(of_another_user, command):
    assert failed_in_one_line(of_another_user[command]) == (command in {*ON_DATABASE, "keys add", "keys list"})


@pytest.mark.parametrize("words", [("db", "upgrade"), ("worker", "--once")])
def test_process_without_database_prints_no_traceback(tmp_path, keys, words):
    done = flask(*words, SCREENING_KEYS_DIR=keys, SCREENING_DATABASE_URL=NO_DATABASE)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("The database cannot be used (connection")
    assert_absent(["Traceback (most", "zentinelpassword"], done.stderr)


def test_output_on_a_full_disk_is_one_line(keys):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "flask", "keys", "list"],
            cwd=ROOT,
            env=environment(SCREENING_KEYS_DIR=keys),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TEST_TIMEOUT,
        )
    assert done.returncode == 1
    assert done.stderr == "No space left on device: make room on its disk\n"
