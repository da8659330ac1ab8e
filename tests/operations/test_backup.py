"""Backups: backup and restore on both databases, their contents, and refusal of damaged files."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import stat
from select import POLLOUT, poll

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import exists, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from screening.callbacks.models import CallbackRequest
from screening.cli.commands_app import create_commands_app
from screening.crypto.key_files import Ring, activate_key, add_key, read_ring, write_ring
from screening.crypto.keyring import BACKUP, PURPOSES, Keyring
from screening.extensions import db
from screening.operations.backup import BackupError, create, encryption, file_format, restore
from screening.operations.backup.table_lists import BACKED_UP, EXCLUDED, TABLES
from screening.staff.models import StaffSession
from tests.support import release_factory
from tests.support.absence import assert_absent
from tests.support.clock import NOON, machine_time
from tests.support.databases import close, pending_responses, plain_engine
from tests.support.processes import TEST_TIMEOUT, start_flask
from tests.support.queue_pages import names_in, open_request, press
from tests.support.sample_patient import NAME
from tests.support.sample_responses import generate, store
from tests.support.staff_client import StaffClient, Team
from tests.support.tampering import change, rows_in
from tests.support.visitor import Visitor

BEGINS = encryption.HEADER_LINE_BYTES + 24
"""The offset of the first chunk."""


@pytest.fixture
def commands(keys, clock):
    """Return a function that creates the command-line application of a database, as ``flask`` does."""
    apps = []

    def make_app(url, keys=keys, clock=clock):
        apps.append(create_commands_app({"DATABASE_URL": url, "KEYS_DIR": keys, "CLOCK": clock}))
        return apps[-1]

    yield make_app
    for app in apps:
        close(app)


def flask(app, *arguments):
    """Run a command; return exit code, stdout and stderr."""
    done = app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def counted(rows):
    """Return the rows by table in the format of the command's output."""
    return "".join(f"{table}\t{number}\n" for table, number in rows.items())


def back_up(app, file, **options):
    with app.app_context():
        return create.create(file, Keyring(app.config["SETTINGS"]["KEYS_DIR"], (BACKUP,)), NOON, **options)


def restore_backup(app, file):
    with app.app_context():
        return restore.restore(file, Keyring(app.config["SETTINGS"]["KEYS_DIR"], (BACKUP,)), NOON)


# Backup and restore.


def clinic_in_use(team, request_call, questionnaire):
    """A clinic with two requests, a note, a release with a built package, and a pending response.

    Returns the call-back staff member, an administrator with the releases role, and the package.
    """
    ann, rita = team.sign_in("ann", "callbacks"), team.sign_in("rita", "responses", "rows", "admin")
    for name in (NAME, "Jo Second"):
        request_call(Visitor(team.site), name=name)
    press(ann, open_request(ann), "note", note="zentinelnotetext")
    with team.app.app_context():
        release_factory.release(questionnaire)
        store(generate(30))
    agreed = Visitor(team.site)
    agreed.walk(sadness="2")
    agreed.agree()
    return ann, rita, package(rita)


def package(member):
    return member.client.get("/staff/releases/1/full.zip").data


@pytest.mark.parametrize(
    ("kind", "into"), [("sqlite", "sqlite"), ("postgresql", "postgresql"), ("sqlite", "postgresql")]
)
def test_restored_backup_preserves_every_row_and_account(
    kind, into, make_site, commands, empty_database, request_call, questionnaire, tmp_path
):
    old, file = empty_database(kind), tmp_path / "backup"
    assert flask(commands(old), "keys", "publish")[0] == 0
    team = Team(make_site(DATABASE_URL=old))
    ann, rita, release = clinic_in_use(team, request_call, questionnaire)
    before, changes = rows_in(old), []

    def change_site(_rows):
        """After the first rows are written, a visitor sends a request and a staff member adds a note."""
        if not changes:
            changes.append(request_call(Visitor(team.site), name="Too Late"))
            press(ann, open_request(ann, "Jo Second"), "claim")

    stated = back_up(commands(old), file, progress=change_site)
    assert rows_in(old)["callback_request"] != before["callback_request"]
    assert stated.rows == {table: len(rows) for table, rows in before.items()}

    new = empty_database(into)
    code, counts, words = flask(commands(new, clock=machine_time), "restore", file)
    assert (code, counts) == (0, counted(stated.rows)), words
    steps = [line.split("  ")[0] for line in words.splitlines()[-3:]]
    assert steps == ["1. flask keys publish", "2. flask purge", "3. /staff/accounts"]
    after = rows_in(new)
    assert after["audit_event"].pop()[3] == "backup.restored" and after == before
    with commands(new).app_context():
        assert db.session.scalars(select(StaffSession)).all() == []
    assert len(pending_responses(old)) == 1 and pending_responses(new) == []

    assert [flask(commands(new), *step)[0] for step in (("keys", "publish"), ("purge",))] == [0, 0]
    site = make_site(DATABASE_URL=new)
    attacker = StaffClient(site, ann.email)
    attacker.cookie = ann.cookie
    assert ann.is_signed_in() and not attacker.is_signed_in()
    ann, rita = (StaffClient(site, member.email, secret=member.secret) for member in (ann, rita))
    for member in (ann, rita):
        member.sign_in()
    assert sorted(names_in(ann.get("/staff/callbacks"))) == sorted(["Jo Second", NAME])
    assert "zentinelnotetext" in open_request(ann).words
    assert package(rita) == release
    seen = rita.get("/staff/audit").words
    assert "Database restored from a backup" in seen and "Signed in" in seen

    request_call(Visitor(site), name="Jo Next")
    assert "Jo Next" in names_in(ann.get("/staff/callbacks"))
    with site.app_context():
        assert release_factory.release(questionnaire).id == 2, "ids continue after the restored ones"
    for statement in ("UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event WHERE action = 'backup.restored'"):
        with pytest.raises(SQLAlchemyError, match="audit events are"):
            change(new, statement)


def test_backup_and_restore_are_audited_with_the_file_hash(commands, empty_database, keys, tmp_path):
    first_url, second_url, file = empty_database("sqlite"), empty_database("sqlite"), tmp_path / "backup"
    done = flask(commands(first_url), "backup", file)
    assert done == (0, counted(dict.fromkeys(TABLES, 0)), f"{file} is written, and was read back whole\n")
    assert flask(commands(second_url), "restore", file)[0] == 0
    number = file_format.check_header(file, Keyring(keys, (BACKUP,))).sha256[:16]
    for url, action in ((first_url, "backup.made"), (second_url, "backup.restored")):
        assert rows_in(url)["audit_event"][-1][2:] == ("command", action, number, {"rows": "0"})


# Contents.


def test_every_table_is_backed_up_or_excluded():
    """A new table must be added to one of the lists."""
    known = {table.name for metadata in db.metadatas.values() for table in metadata.sorted_tables}
    backed_up, left_out = ({model.__tablename__ for model in models} for models in (BACKED_UP, EXCLUDED))
    assert backed_up | left_out == known and not backed_up & left_out and backed_up == set(TABLES)


@pytest.mark.each_database
def test_backup_columns_match_the_database(database_url):
    with plain_engine(database_url) as engine:
        for name, table in TABLES.items():
            assert {column["name"] for column in inspect(engine).get_columns(name)} == set(table.columns.keys())


def lines_of(file, keys):
    """Return the decrypted lines of a backup."""
    with (
        file.open("rb") as source,
        gzip.GzipFile(fileobj=encryption.DecryptingReader(source, Keyring(keys, (BACKUP,)))) as lines,
    ):
        return lines.read()


def test_backup_is_encrypted_and_excludes_keys_and_sessions(
    team, ann, commands, sqlite_url, keys, request_call, tmp_path
):
    request_call(Visitor(team.site))
    open_request(ann)
    agreed = Visitor(team.site)
    agreed.walk()
    agreed.agree()
    file = tmp_path / "backup"
    back_up(commands(sqlite_url), file)
    with team.app.app_context():
        session = db.session.scalars(select(StaffSession)).one()
        secrets = [session.id, session.data, pending_responses(sqlite_url)[0]["id_hash"]]
        request = db.session.scalars(select(CallbackRequest)).one()
    for purpose in (purpose for surface in PURPOSES.values() for purpose in surface):
        secrets += [
            line.split('"')[1] for line in (keys / f"{purpose}.toml").read_text().splitlines() if "secret" in line
        ]
    assert len(secrets) == 10
    decrypted = lines_of(file, keys)
    assert ann.email.encode() in decrypted and request.reference.encode() in decrypted, (
        "the control: the search finds an account"
    )
    assert_absent(secrets, decrypted)
    assert_absent((ann.email, request.reference, "callback_request", "request.viewed", "warning_signs", NAME), file)


def test_backup_rows_are_sorted_by_primary_key(commands, sqlite_url, keys, tmp_path):
    """The storage order would reveal when rows were added."""
    app = commands(sqlite_url)
    with app.app_context():
        store(generate(120))
    back_up(app, tmp_path / "backup")
    parts = [json.loads(line) for line in lines_of(tmp_path / "backup", keys).splitlines()]
    ids = [row[0] for each in parts if each.get("table") == "shuffled_response" for row in each["rows"]]
    assert len(ids) == 120 and ids == sorted(ids)


# The file.


def test_backup_is_private_and_overwrites_only_with_replace(commands, sqlite_url, tmp_path):
    app, file = commands(sqlite_url), tmp_path / "backups" / "today"
    file.parent.mkdir()
    assert flask(app, "backup", file)[0] == 0 and stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_bytes()
    code, counts, words = flask(app, "backup", file)
    assert (code, counts, file.read_bytes()) == (1, "", first) and words.count("\n") == 1 and "--replace" in words
    assert flask(app, "backup", file, "--replace")[0] == 0 and file.read_bytes() != first
    code, counts, words = flask(app, "backup", tmp_path / "none" / "today")
    assert (code, counts) == (1, "") and words.endswith("No such file or directory\n")
    assert list(file.parent.iterdir()) == [file]


def test_backup_that_fails_verification_replaces_nothing(commands, sqlite_url, tmp_path, monkeypatch):
    app, file = commands(sqlite_url), tmp_path / "backups" / "today"
    file.parent.mkdir()
    back_up(app, file)
    first, events = file.read_bytes(), rows_in(sqlite_url)["audit_event"]

    def bad_disk(target):
        target.seek(BEGINS + 40)
        target.write(bytes(1))

    def wrong_file(target):
        target.seek(0)
        target.write(first)
        target.truncate()

    monkeypatch.setattr(create, "_sync", bad_disk)
    with pytest.raises(BackupError, match="damaged"):
        back_up(app, file, replace=True)
    monkeypatch.setattr(create, "_sync", wrong_file)
    with pytest.raises(BackupError, match="differs from what was written"):
        back_up(app, file, replace=True)
    assert file.read_bytes() == first and list(file.parent.iterdir()) == [file]
    assert rows_in(sqlite_url)["audit_event"] == events


def test_old_backup_can_be_decrypted_while_its_key_exists(commands, sqlite_url, empty_database, keys, tmp_path):
    key_folder = tmp_path / "keys"
    shutil.copytree(keys, key_folder)
    old, new = tmp_path / "old", tmp_path / "new"
    back_up(commands(sqlite_url, key_folder), old)
    first = read_ring(key_folder, BACKUP)
    key = add_key(key_folder, BACKUP, first.keys[0].made)
    activate_key(key_folder, BACKUP, key.id)
    back_up(commands(sqlite_url, key_folder), new)
    assert key.id.encode() in new.read_bytes() and first.active.encode() in old.read_bytes()
    for file in (old, new):
        restore_backup(commands(empty_database("sqlite"), key_folder), file)
    write_ring(key_folder, BACKUP, Ring((key,), key.id))
    app = commands(sqlite_url, key_folder)
    assert flask(app, "restore", "--check", new)[0] == 0
    code, counts, words = flask(app, "restore", "--check", old)
    assert (code, counts) == (1, "") and f"key {first.active}, which is not in backup.toml" in words


@pytest.fixture(scope="module")
def several_chunks(sqlite_template, keys, tmp_path_factory):
    """A backup of several chunks, and an empty database to restore it to."""
    folder = tmp_path_factory.mktemp("tampered")
    for name in ("full", "empty"):
        shutil.copytree(sqlite_template, folder / name)
    full, empty = (f"sqlite:///{folder}/{name}/site.sqlite" for name in ("full", "empty"))
    change(empty, "DELETE FROM callback_key")
    apps = [create_commands_app({"DATABASE_URL": url, "KEYS_DIR": keys}) for url in (full, empty)]
    with apps[0].app_context():
        store(generate(7000))
    back_up(apps[0], folder / "backup")
    back_up(apps[0], folder / "another")
    with plain_engine(empty) as engine:
        whole, another = ((folder / name).read_bytes() for name in ("backup", "another"))
        yield Tampered(apps[1], engine, whole, another, folder / "tampered")
    for app in apps:
        close(app)


class Tampered:
    """A file that is modified in many ways, and never restored."""

    def __init__(self, app, engine, whole, another, file):
        self.app, self.engine, self.whole, self.another, self.file = app, engine, whole, another, file
        self.begin, rest = whole[:BEGINS], whole[BEGINS:]
        self.chunks = [
            rest[at : at + encryption.ENCRYPTED_CHUNK_BYTES]
            for at in range(0, len(rest), encryption.ENCRYPTED_CHUNK_BYTES)
        ]

    def is_refused(self, data):
        """Return whether checking and restoring refuse the data, and leave nothing behind."""
        assert data != self.whole
        self.file.write_bytes(data)
        with self.app.app_context(), pytest.raises(BackupError):
            file_format.check_header(self.file, Keyring(self.app.config["SETTINGS"]["KEYS_DIR"], (BACKUP,)))
        with pytest.raises(BackupError):
            restore_backup(self.app, self.file)
        with self.engine.connect() as connection:
            return not any(connection.scalar(select(exists(select(table)))) for table in TABLES.values())


def test_unchanged_backup_is_restored(several_chunks, commands, empty_database):
    assert len(several_chunks.chunks) >= 3
    several_chunks.file.write_bytes(several_chunks.whole)
    restore_backup(commands(empty_database("sqlite")), several_chunks.file)


@settings(max_examples=40)
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_changed_byte_is_refused(several_chunks, where, flip):
    data = bytearray(several_chunks.whole)
    data[int(where * len(data))] ^= flip
    assert several_chunks.is_refused(bytes(data))


@pytest.mark.parametrize("place", range(0, BEGINS + 1, 5))
def test_changed_header_byte_is_refused(several_chunks, place):
    data = bytearray(several_chunks.whole)
    data[place] ^= 1
    assert several_chunks.is_refused(bytes(data))


def test_truncated_or_extended_backup_is_refused(several_chunks):
    ends = [0, 5, encryption.HEADER_LINE_BYTES, BEGINS - 1, BEGINS, BEGINS + 5, len(several_chunks.whole) - 1]
    ends += [BEGINS + number * encryption.ENCRYPTED_CHUNK_BYTES for number in range(1, len(several_chunks.chunks))]
    for end in ends:
        assert several_chunks.is_refused(several_chunks.whole[:end]), end
    for more in (b"\0", several_chunks.chunks[-1], several_chunks.whole):
        assert several_chunks.is_refused(several_chunks.whole + more)


def test_reordered_missing_or_foreign_chunks_are_refused(several_chunks):
    begin, chunks = several_chunks.begin, several_chunks.chunks
    first, second, *rest = chunks
    for moved in (
        [second, first, *rest],
        [first, *rest, second],
        [rest[-1], second, *rest[:-1], first],
        [first, first, *rest],
        [first, first, second, *rest],
        [second, *rest],
        [first, *rest],
        [*chunks, *rest],
    ):
        assert several_chunks.is_refused(begin + b"".join(moved))
    other = several_chunks.another
    end = BEGINS + encryption.ENCRYPTED_CHUNK_BYTES
    assert several_chunks.is_refused(other[:end] + several_chunks.whole[end:])
    assert several_chunks.is_refused(other[:BEGINS] + several_chunks.whole[BEGINS:])


# Refused targets.


@pytest.mark.each_database
def test_restore_refuses_a_non_empty_database(commands, database_url, empty_database, tmp_path):
    file = tmp_path / "backup"
    back_up(commands(empty_database("sqlite")), file)
    before = rows_in(database_url)
    code, counts, words = flask(commands(database_url), "restore", file)
    assert (code, counts) == (1, "") and words.count("\n") == 1
    assert words.startswith("callback_key is not empty: ") and "flask db upgrade" in words
    assert rows_in(database_url) == before


def test_backup_and_restore_refuse_an_outdated_schema(commands, sqlite_url, empty_database, tmp_path):
    good, file, outdated = tmp_path / "good", tmp_path / "backup", empty_database("sqlite")
    back_up(commands(sqlite_url), good)
    change(outdated, "UPDATE alembic_version_main SET version_num = '0000'")
    code, counts, words = flask(commands(outdated), "backup", file)
    assert (code, counts) == (1, "") and words.endswith("run flask db upgrade\n") and not file.exists()
    code, counts, words = flask(commands(outdated), "restore", good)
    assert (code, counts) == (1, "") and words.endswith("run flask db upgrade\n") and words.count("\n") == 1
    assert not any(rows_in(outdated).values())


def test_backup_of_another_migration_passes_check_not_restore(commands, empty_database, keys, tmp_path):
    file, app = tmp_path / "backup", commands(empty_database("sqlite"))
    with file.open("wb") as target:
        file_format.write_backup(target, Keyring(keys, (BACKUP,)), int(NOON), "0000", [], [])
    code, _, words = flask(app, "restore", "--check", file)
    assert code == 0 and "at migration 0000" in words
    code, _, words = flask(app, "restore", file)
    assert code == 1 and words.count("\n") == 1
    assert words.startswith("The backup is of migration 0000, this version of the site has 00")


def test_restore_check_needs_no_database(commands, sqlite_url, tmp_path):
    file = tmp_path / "backup"
    stated = back_up(commands(sqlite_url), file)
    code, counts, words = flask(commands("postgresql://nobody@127.0.0.1:9/none"), "restore", "--check", file)
    assert (code, counts) == (0, counted(stated.rows)) and words.startswith(f"{file} is whole, made 2026-11-23 ")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_unreachable_database_gives_a_single_line_error(commands, sqlite_url, tmp_path, command):
    back_up(commands(sqlite_url), tmp_path / "backup")
    app = commands("postgresql://nobody:zentinelpassword@127.0.0.1:9/none")
    code, counts, words = flask(app, command, tmp_path / "backup", *["--replace"][: command == "backup"])
    assert (code, counts) == (1, "") and "(OperationalError)" in words
    assert words.count("\n") == 1
    assert_absent(["zentinelpassword"], words)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_restore_stores_nothing(kind, several_chunks, commands, empty_database, keys, tmp_path):
    """The file is an endless pipe, so the command is running when it is killed."""
    url, pipe = empty_database(kind), tmp_path / "pipe"
    os.mkfifo(pipe)
    process = start_flask("restore", str(pipe), SCREENING_DATABASE_URL=url, SCREENING_KEYS_DIR=keys)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # opens without a reader, so that a dead command is noticed
    try:
        poller = poll()
        poller.register(end, POLLOUT)
        rest = memoryview(several_chunks.whole[: -encryption.CHUNK_BYTES // 2])
        while rest:
            free = poller.poll(1000)
            assert process.poll() is None, process.communicate()[1]
            rest = rest[os.write(end, rest[:4096]) :] if free else rest
        assert process.poll() is None
        process.kill()
        process.communicate(timeout=TEST_TIMEOUT)
        assert process.returncode == -signal.SIGKILL
    finally:
        os.close(end)
    assert not any(rows_in(url).values())
    several_chunks.file.write_bytes(several_chunks.whole)
    assert restore_backup(commands(url), several_chunks.file).rows["shuffled_response"] == 7000
