"""The call-back key is turned: nothing kept is lost on the way, and nothing opens what went before."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from screening import keyring
from screening.callback import desk, reference, sealing, turning
from screening.callback.models import CallbackKey, CallbackNote, CallbackRequest
from screening.callback.turning import DAY, HOUR, KEPT_EMPTY, SEALS_FOR, WEEK
from screening.cli import create_commands_app
from screening.extensions import db
from screening.keyring import CALLBACK, SEARCH, Keyring, read_ring, ring_file
from tests.support.databases import close
from tests.support.sample_patient import FORM, reference_on
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

pytestmark = pytest.mark.each_database

PHONE = "+13035550144"


class KilledError(Exception):
    """Stands for SIGKILL."""


@pytest.fixture
def folder(keys, tmp_path):
    """Key files of our own, to be turned."""
    shutil.copytree(keys, tmp_path / "keys")
    return tmp_path / "keys"


@pytest.fixture
def site(make_site, database_url, folder):
    return make_site(KEYS=folder)


@pytest.fixture
def patients(site, folder, ask):
    """Three requests, one with a shared summary, each with a note; the patients by name."""
    found = {}
    for name in ("Ann", "Bea", "Cleo"):
        found[name] = visitor = Visitor(site)
        if name == "Bea":
            visitor.walk(sadness="3")
            visitor.disagree()
        ask(visitor, name=name, **({"share": "yes"} if name == "Bea" else {}))
    ring = Keyring(folder, (CALLBACK, SEARCH))
    with site.app_context():
        for request in db.session.scalars(select(CallbackRequest)).all():
            desk.note(request, request.version, f"note {desk.opened(ring, request).name}", "ann", 1)
        desk.index_new(ring)
    return found


def opened(site, folder):
    """What who holds the key files reads: name, sadness of a shared summary, notes; of each request, by name."""
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


def test_rotation_reencrypts_all_and_destroys_keys_a_day_later(site, folder, patients, clock):
    [old], [old_search] = ids(folder), ids(folder, SEARCH)
    secrets = [ring_file(folder, purpose).read_text().split('"')[-2] for purpose in (CALLBACK, SEARCH)]
    before = Keyring(folder, (CALLBACK, SEARCH))
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
    everything = b"".join(file.read_bytes() for file in folder.iterdir())
    assert not any(secret.encode() in everything for secret in secrets)
    with site.app_context():
        assert [row.id for row in db.session.scalars(select(CallbackKey))] == ids(folder)
        assert len(desk.with_contact(Keyring(folder, (CALLBACK, SEARCH)), PHONE)) == 3
        hashes = set(db.session.execute(text("SELECT hash FROM callback_contact")).scalars())
        assert desk._hash(before, PHONE) not in hashes and len(hashes) == 2


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


def test_request_encrypted_to_old_key_in_rotation_is_not_lost(site, folder, patients, clock, ask):
    """A visitor's process has read the old public key, and stores what it sealed only after the turn."""
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


@pytest.mark.parametrize("what", ["withdraw", "change", "note"])
def test_concurrent_update_is_not_overwritten_by_rotation(site, folder, patients, clock, monkeypatch, what):
    """It happens after the box was read and before it is stored anew; patient and team see nothing of the turn."""
    visitor = patients["Bea"]
    page = visitor.get("/consultation/status")
    if what == "change":
        page = visitor.send(page, "/consultation/status/change")
        again = {**FORM, "name": "Bea", "phone": "303 555 0166"}
        page = visitor.fill(page, "/consultation/review", **again)
        clock.forward(5)
    ring, whole, done = Keyring(folder, (CALLBACK, SEARCH)), sealing.reseal, []
    with site.app_context():
        found = db.session.scalars(select(CallbackRequest)).all()
        bea = next(request.id for request in found if desk.opened(ring, request).name == "Bea")

    def meanwhile():
        if what == "withdraw":
            visitor.send(page, "/consultation/status/withdraw")
        elif what == "change":
            assert visitor.fill(page, "/consultation/sent").status == 200
        else:
            with site.app_context():
                request = db.session.get(CallbackRequest, bea)
                desk.note(request, request.version, "second note", "ann", 2)

    def reseal(keyring, place, box, key_id):
        anew = whole(keyring, place, box, key_id)
        if place == bea and not done:
            done.append(True)
            meanwhile()
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
    *((turning, "_reseal", n) for n in (1, 2, 4, 7)),
    *((desk, "forget_hashes", 1), (desk, "index_new", 1), (desk, "_store_hashes", 2), (turning, "_empty_since", 1)),
]
ENDING = [
    *((turning, "destroy_keys", n) for n in (1, 2)),
    *((keyring, "write_ring", 1), (keyring, "_overwrite", 1), (turning, "_forget_destroyed", 2)),
]


def kill_at(patch, module, name, number):
    whole, calls = getattr(module, name), []

    def killed(*arguments, **options):
        calls.append(name)
        if len(calls) == number:
            raise KilledError
        return whole(*arguments, **options)

    patch.setattr(module, name, killed)


@pytest.mark.parametrize(("module", "name", "number"), STEPS, ids=lambda part: str(getattr(part, "__name__", part)))
def test_rotation_killed_midway_loses_nothing_and_resumes(
    site, folder, patients, clock, monkeypatch, ask, module, name, number
):
    [old] = ids(folder)
    with monkeypatch.context() as patch:
        patch.setattr(turning, "BATCH", 1)
        kill_at(patch, module, name, number)
        with pytest.raises(KilledError):
            turn(site, folder, clock())
    assert opened(site, folder) == ALL
    turn(site, folder, clock())
    assert turn(site, folder, clock() + KEPT_EMPTY).destroyed == 1
    assert opened(site, folder) == ALL and old not in ids(folder)
    ask(Visitor(site), name="Dora")
    assert "Dora" in [name for name, *_ in opened(site, folder)]


@pytest.mark.parametrize(("module", "name", "number"), ENDING, ids=lambda part: str(getattr(part, "__name__", part)))
def test_killed_key_destruction_resumes_to_a_single_key(
    site, folder, patients, clock, monkeypatch, module, name, number
):
    [old] = ids(folder)
    turn(site, folder, clock())
    with monkeypatch.context() as patch:
        kill_at(patch, module, name, number)
        with pytest.raises(KilledError):
            turn(site, folder, clock() + KEPT_EMPTY)
    assert opened(site, folder) == ALL
    with site.app_context():
        turning.turn_when_due(folder, clock() + KEPT_EMPTY)
        assert [row.id for row in db.session.scalars(select(CallbackKey))] == ids(folder)
    assert len(ids(folder)) == len(ids(folder, SEARCH)) == 1 and old not in ids(folder)
    assert opened(site, folder) == ALL


def test_destroyed_key_remains_in_no_file(site, folder, clock):
    """Neither the file that lay there before, by its other name, nor one that a killed process half wrote."""
    secret = ring_file(folder, CALLBACK).read_text().split('"')[-2].encode()
    turn(site, folder, clock())
    (folder / "callback.0a0b0c0d.new").write_bytes(ring_file(folder, CALLBACK).read_bytes())
    other = folder.parent / "the same file"
    os.link(ring_file(folder, CALLBACK), other)
    assert secret in other.read_bytes()
    turn(site, folder, clock() + KEPT_EMPTY)
    assert set(other.read_bytes()) == {0} and not list(folder.glob("*.new"))
    assert not any(secret in file.read_bytes() for file in folder.iterdir())


def test_stopped_rotation_resumes_in_the_next_run(site, folder, patients, clock, monkeypatch):
    monkeypatch.setattr(turning, "BATCH", 2)
    answers = iter([True, True, False])
    done = turn(site, folder, clock(), go_on=lambda: next(answers))
    assert 0 < done.resealed < 7 and done.waits_until is None
    rest = turn(site, folder, clock())
    assert done.resealed + rest.resealed == 7 and opened(site, folder) == ALL


def test_parallel_rotations_create_a_single_key_and_lose_nothing(site, folder, patients, clock, database_url):
    def run(_):
        app = create_commands_app({"DATABASE_URL": database_url, "KEYS": folder})
        with app.app_context():
            try:
                turning.turn(folder, clock())
            except Exception as error:  # a locked database is an answer too: the next run goes on
                assert "locked" in str(error), error
        close(app)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    turn(site, folder, clock())
    assert len(ids(folder)) == 2 and opened(site, folder) == ALL
    with ThreadPoolExecutor(3) as pool:
        clock.forward(KEPT_EMPTY)
        list(pool.map(run, range(3)))
    assert opened(site, folder) == ALL


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
    laid = keyring.add_key(folder, CALLBACK, read_ring(folder, CALLBACK).keys[0].made)
    turn(site, folder, clock() + KEPT_EMPTY)
    assert ids(folder)[1] == laid.id and opened(site, folder) == ALL


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
        """The public key that came with it belongs to a private key that is gone."""
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
        team = Team(site)
        ann = team.add("ann", "callbacks")
        ann.sign_in()
        names = {link.get_text() for link in ann.get("/staff/callbacks").main.select(".app-queue__name a")}
        turn(site, folder, clock())
        turn(site, folder, clock() + KEPT_EMPTY)
        reference_shown = reference_on(ask(Visitor(site), name="Dora"))
        shown = {link.get_text() for link in ann.get("/staff/callbacks").main.select(".app-queue__name a")}
        assert shown == names | {"Dora"}
        page = ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact="303 555 0144")
        assert "4 requests found" in page.words
        visitor = Visitor(site)
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference_shown)
        assert "We have your request" in page.words and reference.read(reference_shown)


def test_rotate_command_prints_its_counts(site, folder, patients, database_url):
    app = create_commands_app({"DATABASE_URL": database_url, "KEYS": folder})
    done = app.test_cli_runner().invoke(args=["keys", "turn", "callback"])
    assert (done.exit_code, done.stdout) == (0, "resealed\t7\nhashed\t3\nunreadable\t0\ndestroyed\t0\n")
    assert "The old key is destroyed by the worker, or by this command, from " in done.stderr
    refused = app.test_cli_runner().invoke(args=["keys", "turn", "draft"])
    assert refused.exit_code == 1 and refused.stderr.startswith("only callback is turned") and not refused.stdout
    close(app)
    assert isinstance(folder, Path) and opened(site, folder) == ALL
