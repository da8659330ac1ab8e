"""Back up, withdraw, rotate the key, restore: the withdrawn request is unreadable everywhere, the others are readable.

Two backups are tested. One made before the withdrawal contains the request, encrypted to a key that is destroyed within
a week: restored later, no request in it is decryptable. One made during the rotation, as a daily backup is, contains
requests re-encrypted to the new key: restored, all but the withdrawn one are decryptable. As a control, the first
backup is decrypted with the key files of its own day.
"""

from __future__ import annotations

import base64
import re
import shutil
import sqlite3
import subprocess

import pytest
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from sqlalchemy import select

from screening.callbacks import contact_index, key_rotation, public_key, staff_service, workflow
from screening.callbacks.key_rotation import EMPTY_KEY_SECONDS, ENCRYPTION_PERIOD_SECONDS
from screening.callbacks.models import CallbackContact, CallbackNote, CallbackRequest
from screening.cli.commands_app import create_commands_app
from screening.clinic import DEMO, load
from screening.crypto.key_files import Key, Ring, read_ring, write_ring
from screening.crypto.keyring import CALLBACK, SEARCH, Keyring, _derived
from screening.durations import HOUR_SECONDS
from screening.extensions import db
from screening.operations.purge import purge
from tests.support.databases import close
from tests.support.postgres import binaries
from tests.support.visitor import Visitor

PATIENTS = 60
ZOE, YAN = "Zentinelazoe Ruiz", "Zentinelayan Ruiz"
"""Zoe withdraws her request; Yan's is closed, and purged a month later."""

DAY = 24 * HOUR_SECONDS
SECRET = re.compile(rb"[A-Za-z0-9+/]{43}=")
"""32 bytes in base 64, as in a key file."""


def program(name):
    """Return the path of a PostgreSQL program, beside ``initdb``."""
    return (binaries() / "initdb").resolve().with_name(name)


class Clinic:
    """A clinic's site, its key files, and the tasks of an operator."""

    def __init__(self, kind, tmp_path, request, make_site):
        self.kind, self.folder, self.request = kind, tmp_path, request
        self.keys = tmp_path / "keys"
        shutil.copytree(request.getfixturevalue("keys"), self.keys)
        if kind == "sqlite":
            self.url = request.getfixturevalue("sqlite_url")
        else:
            self.url = request.getfixturevalue("cluster").copy_of("template_site")
        self.site = make_site(DATABASE_URL=self.url, KEYS_DIR=self.keys, RATE_LIMIT_REQUESTS="1000 per hour")

    def back_up(self, name):
        """Back up the database as an operator does; return the file or dump."""
        file = self.folder / f"backup {name}"
        if self.kind == "postgresql":
            subprocess.run([program("pg_dump"), "--no-owner", "--file", file, self.url], check=True)
        else:
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as live, sqlite3.connect(file) as stored:
                live.backup(stored)
            live.close(), stored.close()
        return file

    def restore(self, file):
        """Create a database from a backup; return its URL."""
        if self.kind == "postgresql":
            url = self.request.getfixturevalue("cluster").copy_of("template0")
            command = [program("psql"), "--quiet", "--set=ON_ERROR_STOP=1", "--file", file, url]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return url
        shutil.copy(file, self.folder / f"restored {file.name}.sqlite")
        return f"sqlite:///{self.folder}/restored {file.name}.sqlite"


def decryptable(url, keys):
    """Return what these key files decrypt in a database: names and notes; and how many requests each number finds."""
    app = create_commands_app({"DATABASE_URL": url, "KEYS_DIR": keys})
    ring = Keyring(keys, (CALLBACK, SEARCH))
    names, notes, found = {}, [], {}
    with app.app_context():
        for request in db.session.scalars(select(CallbackRequest)).all():
            details = staff_service.decrypt(ring, request)
            notes += [note for _, note in staff_service.notes(ring, request) if note is not None]
            if details is not None:
                names[details.name] = (details.message, details.answers)
        for number in range(PATIENTS):
            found[number] = len(staff_service.find_by_contact(ring, phone(number)))
    close(app)
    return names, notes, found


def count_decryptable(url, files):
    """Return how many ciphertexts of a database any secret in any of these files decrypts."""
    texts = [file.read_bytes() for file in files]
    secrets = {base64.b64decode(found) for file in texts for found in SECRET.findall(file)}
    keys = [SealedBox(PrivateKey(_derived(Key("", secret, None), public_key.KEY_LABEL))) for secret in secrets]
    app, decrypted = create_commands_app({"DATABASE_URL": url}), 0
    with app.app_context():
        ciphertexts = [
            *db.session.scalars(select(CallbackRequest.ciphertext)),
            *db.session.scalars(select(CallbackNote.ciphertext)),
        ]
        ciphertexts += db.session.scalars(select(CallbackRequest.summary))
    close(app)
    for sealed in ciphertexts:
        for key in keys:
            try:
                decrypted += sealed is not None and bool(key.decrypt(sealed))
            except CryptoError:
                continue
    return decrypted, len([sealed for sealed in ciphertexts if sealed]), len(keys)


def phone(number):
    return f"+1303555{100 + number:04}"


def stored_values(site, keys, name):
    """Return every byte string that the database stores about a person, except the request's id."""
    ring = Keyring(keys, (CALLBACK, SEARCH))
    with site.app_context():
        for request in db.session.scalars(select(CallbackRequest)).all():
            details = staff_service.decrypt(ring, request)
            if details is not None and details.name == name:
                of = CallbackContact.request_id == request.id
                hashes = list(db.session.scalars(select(CallbackContact.hash).where(of)))
                notes = db.session.scalars(select(CallbackNote.ciphertext).where(CallbackNote.request_id == request.id))
                hashed = [request.reference, request.digest, *hashes]
                return [part.encode() for part in hashed], [sealed[:40] for sealed in (request.ciphertext, *notes)]
    raise AssertionError(f"no request of {name}")


def file_contains(file, stored):
    """Return whether a file contains any of them, as bytes or in hex."""
    data, (texts, ciphertexts) = file.read_bytes(), stored
    return any(part in data for part in [*texts, *ciphertexts, *(sealed.hex().encode() for sealed in ciphertexts)])


def send_requests(clinic, request_call, clock):
    """Send sixty requests with messages, some with summaries; add a note to each."""
    visitors = {}
    for number in range(PATIENTS):
        name = {0: ZOE, 1: YAN}.get(number, f"Patient {number}")
        visitors[name] = visitor = Visitor(clinic.site)
        share = {}
        if number % 7 == 0:
            visitor.walk(sadness="3")
            visitor.disagree()
            share = {"share": "yes"}
        request_call(visitor, name=name, phone=phone(number), email="", message=f"words of {name}", **share)
    ring = Keyring(clinic.keys, (CALLBACK, SEARCH))
    with clinic.site.app_context():
        for request in db.session.scalars(select(CallbackRequest)).all():
            staff_service.record_note(
                request, request.version, f"note on {staff_service.decrypt(ring, request).name}", "ann", clock()
            )
        contact_index.index_contacts(ring)
    return visitors


def close_request(clinic, name, now):
    """Claim and close a request as staff."""
    ring = Keyring(clinic.keys, (CALLBACK, SEARCH))
    with clinic.site.app_context():
        found = db.session.scalars(select(CallbackRequest)).all()
        request = next(request for request in found if staff_service.decrypt(ring, request).name == name)
        staff_service.transition(
            request, request.version, lambda progress: workflow.claim(progress, "ann"), "request.claimed", "ann", now
        )
        staff_service.transition(
            request, request.version, lambda progress: workflow.close(progress, "ann"), "request.closed", "ann", now
        )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_withdrawn_request_is_unreadable_after_rotation(
    kind, tmp_path, request, make_site, request_call, clock, report
):
    clinic = Clinic(kind, tmp_path, request, make_site)
    visitors = send_requests(clinic, request_call, clock)
    close_request(clinic, YAN, clock())
    before = clinic.back_up("before")
    zoe_values, yan_values = (stored_values(clinic.site, clinic.keys, name) for name in (ZOE, YAN))
    assert file_contains(before, zoe_values) and file_contains(before, yan_values)
    old_keys = tmp_path / "keys of then"  # never to be archived, says docs/keys.md: the control
    shutil.copytree(clinic.keys, old_keys)

    visitors[ZOE].send(visitors[ZOE].get("/consultation/status"), "/consultation/status/withdraw")
    clock.forward(31 * DAY)
    with clinic.site.extensions["staff"].app_context():
        done = purge(clinic.site.config["SETTINGS"], load(DEMO), clock())
        assert done.scrubbed and done.counts["closed requests"] == done.counts["withdrawn requests"] == 1
        began = key_rotation.rotate_when_due(clinic.keys, clock())
    assert began.reencrypted >= 2 * (PATIENTS - 2) and began.unreadable == 0
    after = clinic.back_up("between")
    names, *_ = decryptable(clinic.restore(before), clinic.keys)
    report(f"{kind}: during the rotation, the old backup is still decryptable: {len(names)} of {PATIENTS} names")
    assert len(names) == PATIENTS, "documented: the old key exists for a week"
    for _ in range(0, EMPTY_KEY_SECONDS, HOUR_SECONDS):
        clock.forward(HOUR_SECONDS)
        with clinic.site.extensions["staff"].app_context():
            key_rotation.rotate_when_due(clinic.keys, clock())
    assert len(read_ring(clinic.keys, CALLBACK).keys) == 1

    names, notes, found = decryptable(clinic.restore(before), old_keys)
    report(f"{kind}: old backup, old key files (control): {len(names)} names, {len(notes)} notes, Zoe: {ZOE in names}")
    assert len(names) == len(notes) == PATIENTS and found[0] == 1

    url = clinic.restore(before)
    names, notes, found = decryptable(url, clinic.keys)
    decrypted, ciphertexts, secrets_tried = count_decryptable(
        url, [file for file in clinic.keys.iterdir() if file.is_file()]
    )
    report(
        f"{kind}: old backup, current key files: {len(names)} names, {len(notes)} notes, {sum(found.values())} found by number"
    )
    report(
        f"{kind}: {secrets_tried} secrets in the key files tried on {ciphertexts} ciphertexts: {decrypted} decrypted"
    )
    assert (
        (names, notes, set(found.values()), decrypted) == ({}, [], {0}, 0)
        and ciphertexts > 2 * PATIENTS
        and secrets_tried >= 6
    )
    new_secrets = {read_ring(clinic.keys, SEARCH).keys[0].secret, read_ring(clinic.keys, CALLBACK).keys[0].secret}
    assert not new_secrets & {key.secret for purpose in (CALLBACK, SEARCH) for key in read_ring(old_keys, purpose).keys}

    url = clinic.restore(after)
    names, notes, found = decryptable(url, clinic.keys)
    report(
        f"{kind}: backup of a day ago, current key files: {len(names)} names, {len(notes)} notes, Zoe: {ZOE in names}"
    )
    live = set(visitors) - {ZOE, YAN}
    assert set(names) == live and all(names[name][0] == f"words of {name}" for name in live)
    assert sorted(notes) == sorted(f"note on {name}" for name in live)
    assert names["Patient 7"][1]["sadness"] == "3"
    assert [number for number, hits in found.items() if not hits] == [0, 1]
    assert not file_contains(after, zoe_values) and not file_contains(after, yan_values)


def test_restored_old_key_decrypts_the_old_backup(tmp_path, request, make_site, request_call, clock, report):
    """The control: the test above finds requests if the old key still exists."""
    clinic = Clinic("sqlite", tmp_path, request, make_site)
    send_requests(clinic, request_call, clock)
    old = read_ring(clinic.keys, CALLBACK)
    before = clinic.back_up("before")
    clock.forward(ENCRYPTION_PERIOD_SECONDS)
    with clinic.site.app_context():
        key_rotation.rotate_when_due(clinic.keys, clock())
        key_rotation.rotate_when_due(clinic.keys, clock() + EMPTY_KEY_SECONDS)
    url = clinic.restore(before)
    now = read_ring(clinic.keys, CALLBACK)
    files = [file for file in clinic.keys.iterdir() if file.is_file()]
    assert count_decryptable(url, files)[0] == 0
    write_ring(clinic.keys, CALLBACK, Ring((*old.keys, *now.keys), now.active))
    decrypted, ciphertexts, _ = count_decryptable(url, files)
    report(f"control: with the old key restored, {decrypted} of {ciphertexts} ciphertexts are decrypted")
    assert decrypted == ciphertexts and len(decryptable(url, clinic.keys)[0]) == PATIENTS
