"""Rotation of the call-back key: no stored request is lost, and no remaining key decrypts deleted data."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import delete, event, select, text, update
from sqlalchemy.exc import OperationalError

from screening.callbacks import (
    clinic_calendar,
    contact_index,
    key_rotation,
    patient_service,
    public_key,
    reference_code,
    staff_service,
)
from screening.callbacks.key_rotation import EMPTY_KEY_SECONDS, ENCRYPTION_PERIOD_SECONDS, ROTATION_SECONDS
from screening.callbacks.models import CallbackKey, CallbackNote, CallbackRequest
from screening.cli.commands_app import create_commands_app
from screening.crypto import key_files
from screening.crypto.key_files import read_ring, ring_file
from screening.crypto.keyring import CALLBACK, SEARCH, Keyring, StaleKeysError
from screening.durations import DAY_SECONDS, HOUR_SECONDS
from screening.extensions import db
from tests.support.absence import assert_absent
from tests.support.databases import close
from tests.support.sample_patient import FORM, PHONE, ROSA, reference_on
from tests.support.staff_client import Team
from tests.support.threads import run_in_own_sites, run_together
from tests.support.visitor import Visitor


class KilledError(Exception):
    """Stands for SIGKILL."""


@pytest.fixture
def folder(keys, tmp_path):
    """Key files for this test only, to be rotated."""
    shutil.copytree(keys, tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def site(make_site, folder):
    return make_site(KEYS_DIR=folder)


@pytest.fixture
def patients(site, folder, clock):
    """Send three requests, one with a shared summary, each with a note; return the references by name."""
    references = {}
    ring = Keyring(folder, (CALLBACK, SEARCH))
    with site.app_context():
        calendar = clinic_calendar.current_calendar(site.extensions["clinic"])
        for name in ("Ann", "Bea", "Cleo"):
            shared = {"answers": {"sadness": "3"}, "version": 1} if name == "Bea" else {}
            details = replace(ROSA, name=name, **shared)
            receipt = patient_service.submit(
                patient_service.fresh_secret(), details, calendar, clock(), False, mails=False
            )
            references[name] = receipt.reference
            request = patient_service.find_by_reference(receipt.reference)
            staff_service.record_note(request, request.version, f"note {name}", "ann", clock())
        contact_index.index_contacts(ring)
    return references


def decrypted(site, folder):
    """Return name, sadness of a shared summary, and notes of each request, decrypted with these key files."""
    ring = Keyring(folder, (CALLBACK, SEARCH))
    with site.app_context():
        found = []
        for request in db.session.scalars(select(CallbackRequest).where(CallbackRequest.ciphertext.is_not(None))).all():
            details = staff_service.decrypt(ring, request)
            notes = [note for _, note in staff_service.notes(ring, request)]
            found.append((details and details.name, ((details and details.answers) or {}).get("sadness"), notes))
        db.session.rollback()
    return sorted(found, key=str)


ALL = [("Ann", None, ["note Ann"]), ("Bea", "3", ["note Bea"]), ("Cleo", None, ["note Cleo"])]


def rotate_keys(site, folder, now, **options):
    with site.app_context():
        return key_rotation.rotate(folder, now, **options)


def ids(folder, purpose=CALLBACK):
    return [key.id for key in read_ring(folder, purpose).keys]


def key_id(site):
    with site.app_context():
        found = set(db.session.scalars(select(CallbackRequest.key_id)))
        found |= set(db.session.scalars(select(CallbackRequest.summary_key_id)))
        return (found | set(db.session.scalars(select(CallbackNote.key_id)))) - {None}


def contact_hashes(site):
    with site.app_context():
        return set(db.session.execute(text("SELECT hash FROM callback_contact")).scalars())


def secret_of(folder, purpose):
    """Return the last secret of a key file, as stored in the file."""
    return ring_file(folder, purpose).read_text().split('"')[-2]


@pytest.mark.each_database
def test_rotation_reencrypts_all_and_destroys_keys_a_day_later(site, folder, patients, clock):
    [old], [old_search] = ids(folder), ids(folder, SEARCH)
    secrets = [secret_of(folder, purpose) for purpose in (CALLBACK, SEARCH)]
    hashes = contact_hashes(site)
    done = rotate_keys(site, folder, clock())
    assert (done.reencrypted, done.hashed, done.unreadable, done.destroyed) == (7, 3, 0, 0)
    assert done.waits_until == clock() + EMPTY_KEY_SECONDS
    assert old not in key_id(site) and decrypted(site, folder) == ALL
    assert ids(folder)[0] == old, "the old key outlasts a daily backup"
    assert rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS - 1).destroyed == 0
    done = rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS)
    assert (done.reencrypted, done.destroyed, done.waits_until) == (0, 1, None)
    assert decrypted(site, folder) == ALL
    assert old not in ids(folder) and old_search not in ids(folder, SEARCH) and len(ids(folder)) == 1
    assert_absent(secrets, folder)
    with site.app_context():
        assert [row.id for row in db.session.scalars(select(CallbackKey))] == ids(folder)
        assert len(staff_service.find_by_contact(Keyring(folder, (CALLBACK, SEARCH)), ROSA.phone)) == 3
    assert len(hashes) == len(contact_hashes(site)) == 2 and not hashes & contact_hashes(site)


def test_worker_rotation_starts_when_due_and_ends_in_a_week(site, folder, clock):
    first = ids(folder)
    with site.app_context():
        at = clock()
        assert (
            key_rotation.rotate_when_due(folder, at + ENCRYPTION_PERIOD_SECONDS - 1) == key_rotation.Rotation()
            and ids(folder) == first
        )
        key_rotation.rotate_when_due(folder, at + ENCRYPTION_PERIOD_SECONDS)
        assert len(ids(folder)) == 2 and not key_rotation.is_overdue(at + ROTATION_SECONDS)
        for hour in range(0, EMPTY_KEY_SECONDS, HOUR_SECONDS):
            key_rotation.rotate_when_due(folder, at + ENCRYPTION_PERIOD_SECONDS + hour)
        assert ids(folder)[0] == first[0] and key_rotation.is_overdue(at + ROTATION_SECONDS + DAY_SECONDS + 1)
        assert key_rotation.rotate_when_due(folder, at + ROTATION_SECONDS).destroyed == 1
        assert first[0] not in ids(folder) and not key_rotation.is_overdue(at + ROTATION_SECONDS + DAY_SECONDS + 1)


@pytest.mark.each_database
def test_request_encrypted_to_old_key_in_rotation_is_not_lost(site, folder, patients, clock, request_call):
    """A visitor process reads the old public key before the rotation, and stores the ciphertext after it."""
    [old] = ids(folder)
    rotate_keys(site, folder, clock())
    with site.app_context():
        db.session.execute(update(CallbackKey).values(active=CallbackKey.id == old))
        db.session.commit()
        request_call(Visitor(site), name="Dora")
        db.session.execute(update(CallbackKey).values(active=CallbackKey.id != old))
        db.session.commit()
    assert old in key_id(site)
    late = clock() + EMPTY_KEY_SECONDS
    done = rotate_keys(site, folder, late)
    assert (done.reencrypted, done.destroyed) == (1, 0), "no backup contains it under the new key yet"
    assert rotate_keys(site, folder, late + EMPTY_KEY_SECONDS).destroyed == 1
    assert [name for name, *_ in decrypted(site, folder)] == ["Ann", "Bea", "Cleo", "Dora"]


@pytest.mark.each_database
def test_row_reverted_to_old_key_is_reencrypted_in_same_run(site, folder, patients, clock, monkeypatch):
    """In the same run; otherwise the key could be destroyed while the row still needs it."""
    [old], before, original, done = ids(folder), Keyring(folder, (CALLBACK,)), public_key.reencrypt, []

    def reseal(keyring, place, box, key_id):
        new_box = original(keyring, place, box, key_id)
        if not done:
            done.append(place)
            with site.app_context():
                again = original(before, place, box, old)
                db.session.execute(update(CallbackRequest).where(CallbackRequest.id == place).values(ciphertext=again))
                db.session.commit()
        return new_box

    monkeypatch.setattr(public_key, "reencrypt", reseal)
    assert rotate_keys(site, folder, clock()).reencrypted == 7
    assert done and old not in key_id(site) and decrypted(site, folder) == ALL


@pytest.mark.each_database
@pytest.mark.parametrize("what", ["withdraw", "change", "note"])
def test_concurrent_update_is_not_overwritten_by_rotation(site, folder, patients, clock, monkeypatch, what):
    """The update occurs after the ciphertext was read, and before the new one is stored."""
    visitor = Visitor(site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=patients["Bea"])
    if what == "change":
        page = visitor.send(page, "/consultation/status/change")
        again = {**FORM, "name": "Bea", "phone": "303 555 0166"}
        page = visitor.fill(page, "/consultation/review", **again)
        clock.forward(5)
    ring, original, done = Keyring(folder, (CALLBACK, SEARCH)), public_key.reencrypt, []
    with site.app_context():
        found = db.session.scalars(select(CallbackRequest)).all()
        bea = next(request.id for request in found if staff_service.decrypt(ring, request).name == "Bea")

    def update_meanwhile():
        if what == "withdraw":
            visitor.send(page, "/consultation/status/withdraw")
        elif what == "change":
            assert visitor.fill(page, "/consultation/sent").status == 200
        else:
            with site.app_context():
                request = db.session.get(CallbackRequest, bea)
                staff_service.record_note(request, request.version, "second note", "ann", clock() + 1)

    def reseal(keyring, place, box, key_id):
        new_box = original(keyring, place, box, key_id)
        if place == bea and not done:
            done.append(True)
            update_meanwhile()
        return new_box

    monkeypatch.setattr(key_rotation, "BATCH", 1)
    monkeypatch.setattr(public_key, "reencrypt", reseal)
    rotate_keys(site, folder, clock())
    assert done and rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS).destroyed == 1
    names = {name: (sadness, notes) for name, sadness, notes in decrypted(site, folder)}
    assert set(names) == ({"Ann", "Cleo"} if what == "withdraw" else {"Ann", "Bea", "Cleo"})
    with site.app_context():
        found = len(staff_service.find_by_contact(Keyring(folder, (CALLBACK, SEARCH)), "+13035550166"))
        sealed = db.session.get(CallbackRequest, bea).ciphertext
    assert found == (1 if what == "change" else 0) and (sealed is None) == (what == "withdraw")
    if what != "withdraw":
        assert names["Bea"] == ("3", ["note Bea", "second note"] if what == "note" else ["note Bea"])


STEPS = [
    *((key_rotation, "rotate_key", n) for n in (1, 2)),
    *((public_key, "publish", n) for n in (1, 2)),
    *((public_key, "reencrypt", n) for n in (1, 4)),
    *(
        (contact_index, "delete_contact_hashes", 1),
        (contact_index, "index_contacts", 1),
        ("INSERT INTO callback_contact", "", 1),
    ),
]
WITHIN_TRANSACTIONS = [
    *((public_key, "reencrypt", n) for n in (2, 7)),
    *(("INSERT INTO callback_contact", "", 2), ("UPDATE callback_key SET empty_since", "", 4)),
]
"""Functions and SQL statements: a rotation is killed at the call of this number."""

ENDING = [
    *((key_rotation, "destroy_keys", n) for n in (1, 2)),
    *((key_files, "write_ring", 1), (os, "fsync", 2), (os, "fsync", 4), ("DELETE FROM callback_key", "", 2)),
]
"""The same for the run that destroys the old keys."""


def name_of(part):
    return str(getattr(part, "__name__", part))


@contextmanager
def killed_at(site, monkeypatch, module, name, number):
    """Raise KilledError at a call of a module's function, or at an SQL statement that begins with ``module``."""
    calls = []

    def count():
        calls.append(name)
        if len(calls) == number:
            raise KilledError

    def count_statement(connection, cursor, statement, *arguments):
        if statement.startswith(module):
            count()

    def count_call(*arguments, **options):
        count()
        return original(*arguments, **options)

    if name:
        original = getattr(module, name)
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(module, name, count_call)
            yield
        return
    with site.app_context():
        engine = db.engines[None]
    event.listen(engine, "before_cursor_execute", count_statement)
    try:
        with pytest.raises(KilledError):
            yield
    finally:
        event.remove(engine, "before_cursor_execute", count_statement)


def check_killed_rotation(site, folder, clock, monkeypatch, module, name, number):
    [old] = ids(folder)
    with monkeypatch.context() as patch, killed_at(site, patch, module, name, number):
        patch.setattr(key_rotation, "BATCH", 1)
        rotate_keys(site, folder, clock())
    assert decrypted(site, folder) == ALL
    rotate_keys(site, folder, clock())
    assert rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS).destroyed == 1
    assert decrypted(site, folder) == ALL and old not in ids(folder)
    with site.app_context():
        calendar = clinic_calendar.current_calendar(site.extensions["clinic"])
        patient_service.submit(
            patient_service.fresh_secret(), replace(ROSA, name="Dora"), calendar, clock(), False, mails=False
        )
    assert "Dora" in [name for name, *_ in decrypted(site, folder)]


@pytest.mark.parametrize(("module", "name", "number"), STEPS, ids=name_of)
def test_rotation_killed_midway_loses_nothing_and_resumes(
    site, folder, patients, clock, monkeypatch, module, name, number
):
    check_killed_rotation(site, folder, clock, monkeypatch, module, name, number)


@pytest.mark.each_database
@pytest.mark.parametrize(("module", "name", "number"), WITHIN_TRANSACTIONS, ids=name_of)
def test_rotation_killed_in_a_transaction_loses_nothing(
    site, folder, patients, clock, monkeypatch, module, name, number
):
    check_killed_rotation(site, folder, clock, monkeypatch, module, name, number)


@pytest.mark.parametrize(("module", "name", "number"), ENDING, ids=name_of)
def test_killed_key_destruction_resumes_to_a_single_key(
    site, folder, patients, clock, monkeypatch, module, name, number
):
    [old] = ids(folder)
    rotate_keys(site, folder, clock())
    with killed_at(site, monkeypatch, module, name, number):
        rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS)
    assert decrypted(site, folder) == ALL
    with site.app_context():
        key_rotation.rotate_when_due(folder, clock() + EMPTY_KEY_SECONDS)
        assert [row.id for row in db.session.scalars(select(CallbackKey))] == ids(folder)
    assert len(ids(folder)) == len(ids(folder, SEARCH)) == 1 and old not in ids(folder)
    assert decrypted(site, folder) == ALL


def test_destroyed_key_remains_in_no_file(site, folder, clock):
    """Neither in the replaced file under its other name, nor in one that a killed process wrote partly."""
    secret = secret_of(folder, CALLBACK)
    rotate_keys(site, folder, clock())
    (folder / "callback.0a0b0c0d.new").write_bytes(ring_file(folder, CALLBACK).read_bytes())
    other = folder.parent / "the same file"
    os.link(ring_file(folder, CALLBACK), other)
    assert secret.encode() in other.read_bytes()
    rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS)
    assert set(other.read_bytes()) == {0} and not list(folder.glob("*.new"))
    assert_absent([secret], folder, other)


def test_stopped_rotation_resumes_in_the_next_run(site, folder, patients, clock, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH", 2)
    answers = iter([True, True, False])
    done = rotate_keys(site, folder, clock(), go_on=lambda: next(answers))
    assert 0 < done.reencrypted < 7 and done.waits_until is None
    rest = rotate_keys(site, folder, clock())
    assert done.reencrypted + rest.reencrypted == 7 and decrypted(site, folder) == ALL


@pytest.mark.each_database
def test_parallel_rotations_create_a_single_key_and_lose_nothing(site, folder, patients, clock, database_url):
    [old], [old_search] = ids(folder), ids(folder, SEARCH)
    secrets = [secret_of(folder, purpose) for purpose in (CALLBACK, SEARCH)]

    def make():
        return create_commands_app({"DATABASE_URL": database_url, "KEYS_DIR": folder, "CLOCK": clock})

    def resumable(step):
        def run(_site):
            try:
                step(folder, clock())
            except OperationalError as error:  # the next run resumes
                assert "locked" in str(error), error

        return run

    run_in_own_sites(3, make, resumable(key_rotation.rotate))
    rotate_keys(site, folder, clock())
    assert len(ids(folder)) == 2 and ids(folder)[0] == old and decrypted(site, folder) == ALL
    clock.forward(EMPTY_KEY_SECONDS)
    run_in_own_sites(3, make, resumable(key_rotation.rotate_when_due))
    run_in_own_sites(1, make, resumable(key_rotation.rotate_when_due))
    assert len(ids(folder)) == len(ids(folder, SEARCH)) == 1
    assert old not in ids(folder) and old_search not in ids(folder, SEARCH)
    assert_absent(secrets, folder)
    assert old not in key_id(site) and decrypted(site, folder) == ALL


@pytest.mark.each_database
def test_key_published_twice_at_once_is_published_once(make_site, folder, clock):
    """Containers on several machines start together on an empty database, each with a copy of the key files."""
    sites, ring, actions = [make_site(KEYS_DIR=folder), make_site(KEYS_DIR=folder)], Keyring(folder, (CALLBACK,)), []

    def publish(number):
        with sites[number].app_context():
            return public_key.publish(ring, clock())

    def meanwhile(_connection, _cursor, statement, *_rest):
        if actions and statement.startswith(last):
            run_together(1, actions.pop())

    with sites[0].app_context():
        db.session.execute(delete(CallbackKey))
        db.session.commit()
        engine = db.engines[None]
    last = "INSERT" if engine.dialect.name == "postgresql" else "UPDATE"  # from where on SQLite lets no one else write
    event.listen(engine, "before_cursor_execute", meanwhile)
    actions.append(lambda _number: publish(1))
    assert [publish(0)] == ids(folder) and not actions
    with sites[0].app_context():
        assert [(key.id, key.active) for key in db.session.scalars(select(CallbackKey))] == [(*ids(folder), True)]


def test_damaged_ciphertext_does_not_block_key_destruction(site, folder, patients, clock):
    with site.app_context():
        note = db.session.scalars(select(CallbackNote)).first()
        note.ciphertext = note.ciphertext[:-1] + bytes([note.ciphertext[-1] ^ 1])
        db.session.commit()
    done = rotate_keys(site, folder, clock())
    assert (done.reencrypted, done.unreadable) == (6, 1)
    assert rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS).destroyed == 1


def test_added_key_awaiting_activation_is_not_destroyed(site, folder, patients, clock):
    rotate_keys(site, folder, clock())
    added = key_files.add_key(folder, CALLBACK, read_ring(folder, CALLBACK).keys[0].made)
    rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS)
    assert ids(folder)[1] == added.id and decrypted(site, folder) == ALL


class TestSeveralNodes:
    def test_stale_key_file_raises_and_publishes_nothing(self, site, folder, patients, clock, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(folder, other)
        clock.forward(ENCRYPTION_PERIOD_SECONDS)
        rotate_keys(site, folder, clock())
        with site.app_context():
            with pytest.raises(StaleKeysError, match="copy it from the machine that rotated the key"):
                key_rotation.rotate(other, clock())
            with pytest.raises(StaleKeysError):
                public_key.publish(Keyring(other, (CALLBACK,)), clock())
        assert len(ids(other)) == 1
        shutil.copytree(folder, other, dirs_exist_ok=True)
        assert rotate_keys(site, other, clock()).reencrypted == 0 and decrypted(site, other) == ALL

    def test_requests_after_backup_restore_are_decryptable(self, site, folder, clock, request_call):
        """The public key in the backup belongs to a private key that has been destroyed since."""
        with site.app_context():
            rows = [(row.id, row.public) for row in db.session.scalars(select(CallbackKey))]
        clock.forward(ENCRYPTION_PERIOD_SECONDS)
        rotate_keys(site, folder, clock())
        rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS)
        with site.app_context():
            db.session.execute(CallbackKey.__table__.delete())
            for id_, public in rows:
                db.session.add(
                    CallbackKey(id=id_, public=public, active=True, published_at=int(clock() - ROTATION_SECONDS))
                )
            db.session.commit()
            key_rotation.rotate_when_due(folder, clock() + EMPTY_KEY_SECONDS)
        request_call(Visitor(site), name="Dora")
        assert [name for name, *_ in decrypted(site, folder)] == ["Dora"]
        with site.app_context():
            assert not key_rotation.is_overdue(clock() + EMPTY_KEY_SECONDS)

    def test_copied_key_file_lets_a_running_process_decrypt(self, site, folder, patients, clock, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(folder, other)
        other_ring = Keyring(other, (CALLBACK, SEARCH))
        rotate_keys(site, folder, clock())
        with site.app_context():
            request = db.session.scalars(select(CallbackRequest)).first()
            assert staff_service.decrypt(other_ring, request) is None
            shutil.copytree(folder, other, dirs_exist_ok=True)
            assert staff_service.decrypt(other_ring, request) is not None

    def test_rotation_is_transparent_to_staff_and_patients(self, site, folder, patients, clock, request_call):
        ann = Team(site).sign_in("ann", "callbacks")
        names = {link.get_text() for link in ann.get("/staff/callbacks").main.select(".app-worklist__name a")}
        rotate_keys(site, folder, clock())
        rotate_keys(site, folder, clock() + EMPTY_KEY_SECONDS)
        reference_shown = reference_on(request_call(Visitor(site), name="Dora"))
        shown = {link.get_text() for link in ann.get("/staff/callbacks").main.select(".app-worklist__name a")}
        assert shown == names | {"Dora"}
        page = ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact=PHONE)
        assert "4 requests found" in page.words
        visitor = Visitor(site)
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference_shown)
        assert "We have your request" in page.words and reference_code.parse(reference_shown)


@pytest.mark.each_database
def test_rotate_command_prints_its_counts(site, folder, patients, clock, database_url):
    app = create_commands_app({"DATABASE_URL": database_url, "KEYS_DIR": folder, "CLOCK": clock})
    done = app.test_cli_runner().invoke(args=["keys", "rotate", "callback"])
    assert (done.exit_code, done.stdout) == (0, "reencrypted\t7\nhashed\t3\nunreadable\t0\ndestroyed\t0\n")
    assert "The old key is destroyed by the worker, or by this command, from " in done.stderr
    refused = app.test_cli_runner().invoke(args=["keys", "rotate", "draft"])
    assert refused.exit_code == 1 and refused.stderr.startswith("Only callback can be rotated") and not refused.stdout
    close(app)
    assert len(ids(folder)) == 2 and decrypted(site, folder) == ALL
