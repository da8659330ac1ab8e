"""SQLite files are private, whatever the umask."""

from __future__ import annotations

import os
import stat

from tests.support.processes import flask


def test_sqlite_files_are_readable_by_their_owner_only(tmp_path):
    before = os.umask(0)
    try:
        done = flask("db", "upgrade", SCREENING_DATABASE_URL=f"sqlite:///{tmp_path}/private.sqlite")
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob("private*")}
    assert {"private.sqlite", "private-pending.sqlite"} <= set(modes) and set(modes.values()) == {0o600}


def test_missing_folder_is_an_error_of_the_database(tmp_path):
    done = flask("db", "upgrade", SCREENING_DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/site.sqlite")
    assert done.returncode != 0 and "unable to open database file" in done.stderr
