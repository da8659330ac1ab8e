"""Rotation of the call-back key: no stored request is lost, and no key decrypts what was erased before."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.exc import OperationalError

from screening import keyring
from screening.callback import desk, opening, reference, requests, sealing, turning
from screening.callback.models import CallbackKey, CallbackNote, CallbackRequest
from screening.callback.turning import DAY, HOUR, KEPT_EMPTY, SEALS_FOR, WEEK
from screening.cli import create_commands_app
from screening.extensions import db
from screening.keyring import CALLBACK, SEARCH, Keyring, read_ring, ring_file
from tests.support.absence import assert_absent
from tests.support.databases import close
from tests.support.sample_patient import FORM, PHONE, ROSA, reference_on
from tests.support.staff_client import Team
from tests.support.threads import run_together
from tests.support.visitor import Visitor


class KilledError(Exception):
    """Stands for SIGKILL."""


@pytest.fixture
def folder(keys, tmp_path):
    """Key files of this test alone, to be rotated."""
    shutil.copytree(keys, tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def site(make_site, folder):
    return make_site(KEYS=folder)


@pytest.fixture
def patients(site, folder, clock):
    """Three requests, one with a shared summary, each with a note; the references by name."""
    references = {}
    ring = Keyring(folder, (CALLBACK, SEARCH))
    with site.app_context():
        calendar = opening.calendar(site.extensions["clinic"])
        for name in ("Ann", "Bea", "Cleo"):
            shared = {"answers": {"sadness": "3"}, "version": 1} if name == "Bea" else {}
            details = replace(ROSA, name=name, **shared)
            receipt = requests.submit(requests.fresh_secret(), details, calendar, clock(), False)
            references[name] = receipt.reference
            request = requests.find(receipt.reference)
            desk.note(request, request.version, f"note {name}", "ann", clock())
        desk.index_new(ring)
    return references


def opened(site, folder):
    """Name, sadness of a shared summary, and notes of each request, decrypted with these key files, by name."""
    ring = Keyring(folder, (CALLBACK, SEARCH))
    with site.app_context():
        found = []
        for request in db.session.scalars(select(CallbackRequest).where(CallbackRequest.sealed.is_not(None))).all():
            details = desk.opened(ring, request)
            notes = [note for _, note in desk.notes(ring, request)]
            found.append((details and details.name, ((details and details.answers) or {}).get("sadness"), notes))
        db.session.rollback()
    return sorted(found, key=str)


ALL = [("Ann", None, ["note Ann"]), ("Bea", "3", ["note Bea"]), ("Cleo", None, ["note Cleo"])]


def turn(site, folder, now, **options):
    with site.app_context():
        return turning.turn(folder, now, **options)


def ids(folder, purpose=CALLBACK):
    return [key.id for key in read_ring(folder, purpose).keys]


def sealed_with(site):
    with site.app_context():
        found = set(db.session.scalars(select(CallbackRequest.sealed_with)))
        found |= set(db.session.scalars(select(CallbackRequest.summary_with)))
        return (found | set(db.session.scalars(select(CallbackNote.sealed_with)))) - {None}


def contact_hashes(site):
    with site.app_context():
        return set(db.session.execute(text("SELECT hash FROM callback_contact")).scalars())


def secret_of(folder, purpose):
    """The last key of a key file, as it is written there."""
    return ring_file(folder, purpose).read_text().split('"')[-2]


@pytest.mark.each_database
def test_rotation_reencrypts_all_and_destroys_keys_a_day_later(site, folder, patients, clock):
    [old], [old_search] = ids(folder), ids(folder, SEARCH)
    secrets = [secret_of(folder, purpose) for purpose in (CALLBACK, SEARCH)]
    hashes = contact_hashes(site)
    done = turn(site, folder, clock())
    assert (done.resealed, done.hashed, done.unreadable, done.destroyed) == (7, 3, 0, 0)
    assert done.waits_until == clock() + KEPT_EMPTY
    assert old not in sealed_with(site) and opened(site, folder) == ALL
    assert ids(folder)[0] == old, "a daily backup falls in between"
    assert turn(site, folder, clock() + KEPT_EMPTY - 1).destroyed == 0
    done = turn(site, folder, clock() + KEPT_EMPTY)
    assert (done.resealed, done.destroyed, done.waits_until) == (0, 1, None)
    assert opened(site, folder) == ALL
    assert old not in ids(folder) and old_search not in ids(folder, SEARCH) and len(ids(folder)) == 1
    assert_absent(secrets, folder)
    with site.app_context():
        assert [row.id for row in db.session.scalars(select(CallbackKey))] == ids(folder)
        assert len(desk.with_contact(Keyring(folder, (CALLBACK, SEARCH)), ROSA.phone)) == 3
    assert len(hashes) == len(contact_hashes(site)) == 2 and not hashes & contact_hashes(site)


def test_worker_rotation_starts_when_due_and_ends_in_a_week(site, folder, clock):
    first = ids(folder)
    with site.app_context():
        at = clock()
        assert turning.turn_when_due(folder, at + SEALS_FOR - 1) == turning.Turned() and ids(folder) == first
        turning.turn_when_due(folder, at + SEALS_FOR)
        assert len(ids(folder)) == 2 and not turning.is_late(at + WEEK)
        for hour in range(0, KEPT_EMPTY, HOUR):
            turning.turn_when_due(folder, at + SEALS_FOR + hour)
        assert ids(folder)[0] == first[0] and turning.is_late(at + WEEK + DAY + 1)
        assert turning.turn_when_due(folder, at + WEEK).destroyed == 1
        assert first[0] not in ids(folder) and not turning.is_late(at + WEEK + DAY + 1)


@pytest.mark.each_database
def test_request_encrypted_to_old_key_in_rotation_is_not_lost(site, folder, patients, clock, ask):
    """A visitor's process reads the old public key before the rotation, and stores what it encrypted afterwards."""
    [old] = ids(folder)
    turn(site, folder, clock())
    with site.app_context():
        db.session.execute(update(CallbackKey).values(active=CallbackKey.id == old))
        db.session.commit()
        ask(Visitor(site), name="Dora")
        db.session.execute(update(CallbackKey).values(active=CallbackKey.id != old))
        db.session.commit()
    assert old in sealed_with(site)
    late = clock() + KEPT_EMPTY
    done = turn(site, folder, late)
    assert (done.resealed, done.destroyed) == (1, 0), "no backup holds it yet under the new key"
    assert turn(site, folder, late + KEPT_EMPTY).destroyed == 1
    assert [name for name, *_ in opened(site, folder)] == ["Ann", "Bea", "Cleo", "Dora"]


@pytest.mark.each_database
def test_row_reverted_to_old_key_is_reencrypted_in_same_run(site, folder, patients, clock, monkeypatch):
    """In the same run: else the key could be destroyed under it."""
    [old], before, whole, done = ids(folder), Keyring(folder, (CALLBACK,)), sealing.reseal, []

    def reseal(keyring, place, box, key_id):
        anew = whole(keyring, place, box, key_id)
        if not done:
            done.append(place)
            with site.app_context():
                again = whole(before, place, box, old)
                db.session.execute(update(CallbackRequest).where(CallbackRequest.id == place).values(sealed=again))
                db.session.commit()
        return anew

    monkeypatch.setattr(sealing, "reseal", reseal)
    assert turn(site, folder, clock()).resealed == 7
    assert done and old not in sealed_with(site) and opened(site, folder) == ALL


@pytest.mark.each_database
@pytest.mark.parametrize("what", ["withdraw", "change", "note"])
def test_concurrent_update_is_not_overwritten_by_rotation(site, folder, patients, clock, monkeypatch, what):
    """The update comes after the ciphertext was read, and before the new one is stored."""
    visitor = Visitor(site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=patients["Bea"])
    if what == "change":
        page = visitor.send(page, "/consultation/status/change")
        again = {**FORM, "name": "Bea", "phone": "303 555 0166"}
        page = visitor.fill(page, "/consultation/review", **again)
        clock.forward(5)
    ring, whole, done = Keyring(folder, (CALLBACK, SEARCH)), sealing.reseal, []
    with site.app_context():
        found = db.session.scalars(select(CallbackRequest)).all()
        bea = next(request.id for request in found if desk.opened(ring, request).name == "Bea")

    def update_meanwhile():
        if what == "withdraw":
            visitor.send(page, "/consultation/status/withdraw")
        elif what == "change":
            assert visitor.fill(page, "/consultation/sent").status == 200
        else:
            with site.app_context():
                request = db.session.get(CallbackRequest, bea)
                desk.note(request, request.version, "second note", "ann", clock() + 1)

    def reseal(keyring, place, box, key_id):
        anew = whole(keyring, place, box, key_id)
        if place == bea and not done:
            done.append(True)
            update_meanwhile()
        return anew

    monkeypatch.setattr(turning, "BATCH", 1)
    monkeypatch.setattr(sealing, "reseal", reseal)
    turn(site, folder, clock())
    assert done and turn(site, folder, clock() + KEPT_EMPTY).destroyed == 1
    names = {name: (sadness, notes) for name, sadness, notes in opened(site, folder)}
    assert set(names) == ({"Ann", "Cleo"} if what == "withdraw" else {"Ann", "Bea", "Cleo"})
    with site.app_context():
        found = len(desk.with_contact(Keyring(folder, (CALLBACK, SEARCH)), "+13035550166"))
        sealed = db.session.get(CallbackRequest, bea).sealed
    assert found == (1 if what == "change" else 0) and (sealed is None) == (what == "withdraw")
    if what != "withdraw":
        assert names["Bea"] == ("3", ["note Bea", "second note"] if what == "note" else ["note Bea"])


STEPS = [
    *((turning, "turn_key", n) for n in (1, 2)),
    *((sealing, "publish", n) for n in (1, 2)),
    *((sealing, "reseal", n) for n in (1, 4)),
    *((desk, "forget_hashes", 1), (desk, "index_new", 1), ("INSERT INTO callback_contact", "", 1)),
]
WITHIN_TRANSACTIONS = [
    *((sealing, "reseal", n) for n in (2, 7)),
    *(("INSERT INTO callback_contact", "", 2), ("UPDATE callback_key SET empty_since", "", 4)),
]
"""Functions and SQL statements: at the call of this number a rotation is killed."""

ENDING = [
    *((turning, "destroy_keys", n) for n in (1, 2)),
    *((keyring, "write_ring", 1), (os, "fsync", 2), (os, "fsync", 4), ("DELETE FROM callback_key", "", 2)),
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
        return whole(*arguments, **options)

    if name:
        whole = getattr(module, name)
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
        patch.setattr(turning, "BATCH", 1)
        turn(site, folder, clock())
    assert opened(site, folder) == ALL
    turn(site, folder, clock())
    assert turn(site, folder, clock() + KEPT_EMPTY).destroyed == 1
    assert opened(site, folder) == ALL and old not in ids(folder)
    with site.app_context():
        calendar = opening.calendar(site.extensions["clinic"])
        requests.submit(requests.fresh_secret(), replace(ROSA, name="Dora"), calendar, clock(), False)
    assert "Dora" in [name for name, *_ in opened(site, folder)]


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
    turn(site, folder, clock())
    with killed_at(site, monkeypatch, module, name, number):
        turn(site, folder, clock() + KEPT_EMPTY)
    assert opened(site, folder) == ALL
    with site.app_context():
        turning.turn_when_due(folder, clock() + KEPT_EMPTY)
        assert [row.id for row in db.session.scalars(select(CallbackKey))] == ids(folder)
    assert len(ids(folder)) == len(ids(folder, SEARCH)) == 1 and old not in ids(folder)
    assert opened(site, folder) == ALL


def test_destroyed_key_remains_in_no_file(site, folder, clock):
    """Neither the replaced file, by its other name, nor one that a killed process wrote in part."""
    secret = secret_of(folder, CALLBACK)
    turn(site, folder, clock())
    (folder / "callback.0a0b0c0d.new").write_bytes(ring_file(folder, CALLBACK).read_bytes())
    other = folder.parent / "the same file"
    os.link(ring_file(folder, CALLBACK), other)
    assert secret.encode() in other.read_bytes()
    turn(site, folder, clock() + KEPT_EMPTY)
    assert set(other.read_bytes()) == {0} and not list(folder.glob("*.new"))
    assert_absent([secret], folder, other)


def test_stopped_rotation_resumes_in_the_next_run(site, folder, patients, clock, monkeypatch):
    monkeypatch.setattr(turning, "BATCH", 2)
    answers = iter([True, True, False])
    done = turn(site, folder, clock(), go_on=lambda: next(answers))
    assert 0 < done.resealed < 7 and done.waits_until is None
    rest = turn(site, folder, clock())
    assert done.resealed + rest.resealed == 7 and opened(site, folder) == ALL


@pytest.mark.each_database
def test_parallel_rotations_create_a_single_key_and_lose_nothing(site, folder, patients, clock, database_url):
    [old], [old_search] = ids(folder), ids(folder, SEARCH)
    secrets = [secret_of(folder, purpose) for purpose in (CALLBACK, SEARCH)]

    def run(step):
        app = create_commands_app({"DATABASE_URL": database_url, "KEYS": folder, "CLOCK": clock})
        with app.app_context():
            try:
                step(folder, clock())
            except OperationalError as error:  # the next run resumes
                assert "locked" in str(error), error
        close(app)

    run_together(3, lambda _number: run(turning.turn))
    turn(site, folder, clock())
    assert len(ids(folder)) == 2 and ids(folder)[0] == old and opened(site, folder) == ALL
    clock.forward(KEPT_EMPTY)
    run_together(3, lambda _number: run(turning.turn_when_due))
    run(turning.turn_when_due)
    assert len(ids(folder)) == len(ids(folder, SEARCH)) == 1
    assert old not in ids(folder) and old_search not in ids(folder, SEARCH)
    assert_absent(secrets, folder)
    assert old not in sealed_with(site) and opened(site, folder) == ALL


def test_damaged_ciphertext_does_not_block_key_destruction(site, folder, patients, clock):
    with site.app_context():
        note = db.session.scalars(select(CallbackNote)).first()
        note.sealed = note.sealed[:-1] + bytes([note.sealed[-1] ^ 1])
        db.session.commit()
    done = turn(site, folder, clock())
    assert (done.resealed, done.unreadable) == (6, 1)
    assert turn(site, folder, clock() + KEPT_EMPTY).destroyed == 1


def test_added_key_awaiting_activation_is_not_destroyed(site, folder, patients, clock):
    turn(site, folder, clock())
    added = keyring.add_key(folder, CALLBACK, read_ring(folder, CALLBACK).keys[0].made)
    turn(site, folder, clock() + KEPT_EMPTY)
    assert ids(folder)[1] == added.id and opened(site, folder) == ALL


class TestSeveralMachines:
    def test_stale_key_file_raises_and_publishes_nothing(self, site, folder, patients, clock, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(folder, other)
        clock.forward(SEALS_FOR)
        turn(site, folder, clock())
        with site.app_context():
            with pytest.raises(sealing.StaleKeysError, match="copy it from the machine that turned the key"):
                turning.turn(other, clock())
            with pytest.raises(sealing.StaleKeysError):
                sealing.publish(Keyring(other, (CALLBACK,)), clock())
        assert len(ids(other)) == 1
        shutil.copytree(folder, other, dirs_exist_ok=True)
        assert turn(site, other, clock()).resealed == 0 and opened(site, other) == ALL

    def test_requests_after_backup_restore_are_decryptable(self, site, folder, clock, ask):
        """The public key in the backup belongs to a private key that was destroyed since."""
        with site.app_context():
            rows = [(row.id, row.public) for row in db.session.scalars(select(CallbackKey))]
        clock.forward(SEALS_FOR)
        turn(site, folder, clock())
        turn(site, folder, clock() + KEPT_EMPTY)
        with site.app_context():
            db.session.execute(CallbackKey.__table__.delete())
            for id_, public in rows:
                db.session.add(CallbackKey(id=id_, public=public, active=True, published_at=int(clock() - WEEK)))
            db.session.commit()
            turning.turn_when_due(folder, clock() + KEPT_EMPTY)
        ask(Visitor(site), name="Dora")
        assert [name for name, *_ in opened(site, folder)] == ["Dora"]
        with site.app_context():
            assert not turning.is_late(clock() + KEPT_EMPTY)

    def test_copied_key_file_lets_a_running_process_decrypt(self, site, folder, patients, clock, tmp_path):
        other = tmp_path / "other"
        shutil.copytree(folder, other)
        there = Keyring(other, (CALLBACK, SEARCH))
        turn(site, folder, clock())
        with site.app_context():
            request = db.session.scalars(select(CallbackRequest)).first()
            assert desk.opened(there, request) is None
            shutil.copytree(folder, other, dirs_exist_ok=True)
            assert desk.opened(there, request) is not None

    def test_rotation_is_transparent_to_staff_and_patients(self, site, folder, patients, clock, ask):
        ann = Team(site).sign_in("ann", "callbacks")
        names = {link.get_text() for link in ann.get("/staff/callbacks").main.select(".app-queue__name a")}
        turn(site, folder, clock())
        turn(site, folder, clock() + KEPT_EMPTY)
        reference_shown = reference_on(ask(Visitor(site), name="Dora"))
        shown = {link.get_text() for link in ann.get("/staff/callbacks").main.select(".app-queue__name a")}
        assert shown == names | {"Dora"}
        page = ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact=PHONE)
        assert "4 requests found" in page.words
        visitor = Visitor(site)
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference_shown)
        assert "We have your request" in page.words and reference.read(reference_shown)


@pytest.mark.each_database
def test_rotate_command_prints_its_counts(site, folder, patients, clock, database_url):
    app = create_commands_app({"DATABASE_URL": database_url, "KEYS": folder, "CLOCK": clock})
    done = app.test_cli_runner().invoke(args=["keys", "turn", "callback"])
    assert (done.exit_code, done.stdout) == (0, "resealed\t7\nhashed\t3\nunreadable\t0\ndestroyed\t0\n")
    assert "The old key is destroyed by the worker, or by this command, from " in done.stderr
    refused = app.test_cli_runner().invoke(args=["keys", "turn", "draft"])
    assert refused.exit_code == 1 and refused.stderr.startswith("only callback is turned") and not refused.stdout
    close(app)
    assert len(ids(folder)) == 2 and opened(site, folder) == ALL
