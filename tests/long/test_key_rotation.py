"""Back up, withdraw, turn the key, restore: who took a request back is nowhere to be read, the others are.

Two backups tell it. One from before the withdrawal holds the person, sealed to a key that is destroyed
a week later at the latest: restored after that, it yields nobody's request. One made while the turn
waits, as a daily backup is, holds what is kept sealed to the new key: restored, it yields everybody but
the person. As a control the old backup is opened with the key files of its own day.
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
"""Zoe takes her request back; Yan's is closed, and purged a month later."""

DAY = 24 * HOUR_SECONDS
SECRET = re.compile(rb"[A-Za-z0-9+/]{43}=")
"""32 bytes in base 64, as a key file holds them."""


def program(name):
    """One of PostgreSQL's own, beside ``initdb``."""
    return (binaries() / "initdb").resolve().with_name(name)


class House:
    """A clinic's site, its key files, and what an operator does with them."""

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
        """A backup of the database, as an operator makes it: the file, or a dump."""
        file = self.folder / f"backup {name}"
        if self.kind == "postgresql":
            subprocess.run([program("pg_dump"), "--no-owner", "--file", file, self.url], check=True)
        else:
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as live, sqlite3.connect(file) as kept:
                live.backup(kept)
            live.close(), kept.close()
        return file

    def restore(self, file):
        """A database made of a backup; its address."""
        if self.kind == "postgresql":
            url = self.request.getfixturevalue("cluster").copy_of("template0")
            command = [program("psql"), "--quiet", "--set=ON_ERROR_STOP=1", "--file", file, url]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return url
        shutil.copy(file, self.folder / f"restored {file.name}.sqlite")
        return f"sqlite:///{self.folder}/restored {file.name}.sqlite"


def looked_at(url, keys):
    """What who restores a database and holds these key files reads: names, messages, notes; requests found by number."""
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


def opened_by_any(url, files):
    """How many boxes of a database any secret opens that stands in any of these files."""
    texts = [file.read_bytes() for file in files]
    secrets = {base64.b64decode(found) for file in texts for found in SECRET.findall(file)}
    keys = [SealedBox(PrivateKey(_derived(Key("", secret, None), public_key.KEY_LABEL))) for secret in secrets]
    app, opened = create_commands_app({"DATABASE_URL": url}), 0
    with app.app_context():
        boxes = [
            *db.session.scalars(select(CallbackRequest.ciphertext)),
            *db.session.scalars(select(CallbackNote.ciphertext)),
        ]
        boxes += db.session.scalars(select(CallbackRequest.summary))
    close(app)
    for box in boxes:
        for key in keys:
            try:
                opened += box is not None and bool(key.decrypt(box))
            except CryptoError:
                continue
    return opened, len([box for box in boxes if box]), len(keys)


def phone(number):
    return f"+1303555{100 + number:04}"


def kept_of(site, keys, name):
    """Every byte string the database keeps of a person beside the request's id."""
    ring = Keyring(keys, (CALLBACK, SEARCH))
    with site.app_context():
        for request in db.session.scalars(select(CallbackRequest)).all():
            details = staff_service.decrypt(ring, request)
            if details is not None and details.name == name:
                of = CallbackContact.request_id == request.id
                hashes = list(db.session.scalars(select(CallbackContact.hash).where(of)))
                notes = db.session.scalars(select(CallbackNote.ciphertext).where(CallbackNote.request_id == request.id))
                told = [request.reference, request.digest, *hashes]
                return [part.encode() for part in told], [box[:40] for box in (request.ciphertext, *notes)]
    raise AssertionError(f"no request of {name}")


def in_bytes(file, kept):
    """Whether a file holds any of it, as bytes or written out in hex."""
    data, (texts, boxes) = file.read_bytes(), kept
    return any(part in data for part in [*texts, *boxes, *(box.hex().encode() for box in boxes)])


def people(house, ask, clock):
    """Sixty patients with messages, some with summaries; the team has laid a note by each."""
    visitors = {}
    for number in range(PATIENTS):
        name = {0: ZOE, 1: YAN}.get(number, f"Patient {number}")
        visitors[name] = visitor = Visitor(house.site)
        share = {}
        if number % 7 == 0:
            visitor.walk(sadness="3")
            visitor.disagree()
            share = {"share": "yes"}
        ask(visitor, name=name, phone=phone(number), email="", message=f"words of {name}", **share)
    ring = Keyring(house.keys, (CALLBACK, SEARCH))
    with house.site.app_context():
        for request in db.session.scalars(select(CallbackRequest)).all():
            staff_service.record_note(
                request, request.version, f"note on {staff_service.decrypt(ring, request).name}", "ann", clock()
            )
        contact_index.index_contacts(ring)
    return visitors


def close_request(house, name, now):
    """The team takes a request, and closes it."""
    ring = Keyring(house.keys, (CALLBACK, SEARCH))
    with house.site.app_context():
        found = db.session.scalars(select(CallbackRequest)).all()
        request = next(request for request in found if staff_service.decrypt(ring, request).name == name)
        staff_service.transition(
            request, request.version, lambda progress: workflow.claim(progress, "ann"), "request.claimed", "ann", now
        )
        staff_service.transition(
            request, request.version, lambda progress: workflow.close(progress, "ann"), "request.closed", "ann", now
        )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_withdrawn_request_is_unreadable_after_rotation(kind, tmp_path, request, make_site, ask, clock, report):
    house = House(kind, tmp_path, request, make_site)
    visitors = people(house, ask, clock)
    close_request(house, YAN, clock())
    before = house.back_up("before")
    of_zoe, of_yan = (kept_of(house.site, house.keys, name) for name in (ZOE, YAN))
    assert in_bytes(before, of_zoe) and in_bytes(before, of_yan)
    then = tmp_path / "keys of then"  # what docs/keys.md says to keep nowhere: the control
    shutil.copytree(house.keys, then)

    visitors[ZOE].send(visitors[ZOE].get("/consultation/status"), "/consultation/status/withdraw")
    clock.forward(31 * DAY)
    with house.site.extensions["staff"].app_context():
        done = purge(house.site.config["SETTINGS"], clock())
        assert done.wiped and done.counts["closed requests"] == done.counts["withdrawn requests"] == 1
        began = key_rotation.rotate_when_due(house.keys, clock())
    assert began.resealed >= 2 * (PATIENTS - 2) and began.unreadable == 0
    after = house.back_up("between")
    names, *_ = looked_at(house.restore(before), house.keys)
    report(f"{kind}: while the turn waits, the old backup still opens: {len(names)} of {PATIENTS} names")
    assert len(names) == PATIENTS, "within the week this is so, and docs/retention.md says it"
    for _ in range(0, EMPTY_KEY_SECONDS, HOUR_SECONDS):
        clock.forward(HOUR_SECONDS)
        with house.site.extensions["staff"].app_context():
            key_rotation.rotate_when_due(house.keys, clock())
    assert len(read_ring(house.keys, CALLBACK).keys) == 1

    names, notes, found = looked_at(house.restore(before), then)
    report(
        f"{kind}: old backup, key files of then (control): {len(names)} names, {len(notes)} notes, Zoe: {ZOE in names}"
    )
    assert len(names) == len(notes) == PATIENTS and found[0] == 1

    url = house.restore(before)
    names, notes, found = looked_at(url, house.keys)
    opened, boxes, tried = opened_by_any(url, [file for file in house.keys.iterdir() if file.is_file()])
    report(
        f"{kind}: old backup, key files of now: {len(names)} names, {len(notes)} notes, {sum(found.values())} found by number"
    )
    report(f"{kind}: {tried} secrets in the key files tried on {boxes} boxes: {opened} opened")
    assert (names, notes, set(found.values()), opened) == ({}, [], {0}, 0) and boxes > 2 * PATIENTS and tried >= 6
    every = {read_ring(house.keys, SEARCH).keys[0].secret, read_ring(house.keys, CALLBACK).keys[0].secret}
    assert not every & {key.secret for purpose in (CALLBACK, SEARCH) for key in read_ring(then, purpose).keys}

    url = house.restore(after)
    names, notes, found = looked_at(url, house.keys)
    report(
        f"{kind}: the backup of a day ago, key files of now: {len(names)} names, {len(notes)} notes, Zoe: {ZOE in names}"
    )
    live = set(visitors) - {ZOE, YAN}
    assert set(names) == live and all(names[name][0] == f"words of {name}" for name in live)
    assert sorted(notes) == sorted(f"note on {name}" for name in live)
    assert names["Patient 7"][1]["sadness"] == "3"
    assert [number for number, hits in found.items() if not hits] == [0, 1]
    assert not in_bytes(after, of_zoe) and not in_bytes(after, of_yan)


def test_restored_old_key_decrypts_the_old_backup(tmp_path, request, make_site, ask, clock, report):
    """Without this the proof above could pass because it looks wrongly."""
    house = House("sqlite", tmp_path, request, make_site)
    people(house, ask, clock)
    old = read_ring(house.keys, CALLBACK)
    before = house.back_up("before")
    clock.forward(ENCRYPTION_PERIOD_SECONDS)
    with house.site.app_context():
        key_rotation.rotate_when_due(house.keys, clock())
        key_rotation.rotate_when_due(house.keys, clock() + EMPTY_KEY_SECONDS)
    url = house.restore(before)
    now = read_ring(house.keys, CALLBACK)
    files = [file for file in house.keys.iterdir() if file.is_file()]
    assert opened_by_any(url, files)[0] == 0
    write_ring(house.keys, CALLBACK, Ring((*old.keys, *now.keys), now.active))
    opened, boxes, _ = opened_by_any(url, files)
    report(f"control: with the old key laid back, {opened} of {boxes} boxes open")
    assert opened == boxes and len(looked_at(url, house.keys)[0]) == PATIENTS
