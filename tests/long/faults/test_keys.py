"""Key files are missing, empty or replaced: startup is refused with the reason, and a running site keeps working."""

from __future__ import annotations

import shutil
from datetime import date

import pytest

from screening.callbacks import key_rotation
from screening.callbacks.patient_views import MIN_FORM_SECONDS
from screening.config import SettingsError
from screening.crypto.key_files import activate_key, add_key, create_ring, ring_file
from screening.crypto.keyring import CALLBACK, DRAFT, FORMS, PURPOSES, RESPONSES, SEARCH, STAFF
from screening.responses import shuffling
from tests.support.absence import assert_absent
from tests.support.faults import FIRST_NAME, NOTE, SENTINELS, SiteUsers
from tests.support.sample_patient import FORM, reference_on
from tests.support.visitor import Visitor

ALL_PURPOSES = (*PURPOSES["visitor"], *PURPOSES["staff"])
"""The purposes of a site that serves visitors and staff, without those of the worker."""
LATER = date(2026, 11, 23)
DAMAGES = {
    "missing": lambda file: file.unlink(),
    "emptied": lambda file: file.write_bytes(b""),
    "cut short": lambda file: file.write_bytes(file.read_bytes()[:-20]),
    "of another kind": lambda file: file.write_text("active = 1"),
}


@pytest.fixture
def folder(keys, tmp_path):
    """Key files to damage."""
    shutil.copytree(keys, tmp_path / "keys")
    return tmp_path / "keys"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("purpose", ALL_PURPOSES)
def test_damaged_key_file_refuses_startup_and_shows_no_key(make_site, folder, purpose, damage):
    secret = ring_file(folder, purpose).read_text().partition('secret = "')[2][:20]
    DAMAGES[damage](ring_file(folder, purpose))
    with pytest.raises(SettingsError) as stopped:
        make_site(KEYS_DIR=folder)
    line = str(stopped.value)
    assert line.startswith(f"key file {purpose}.toml is ") and "\n" not in line and secret not in line
    assert line.endswith("run flask keys init" if damage == "missing" else "restore it from a backup")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_worker_key_file_stops_shuffling_alone(make_site, folder, clock, damage):
    DAMAGES[damage](ring_file(folder, RESPONSES))
    site = make_site(KEYS_DIR=folder)
    users = SiteUsers(site, clock)
    assert "anonymous copy is kept apart for one to two days" in users.agree(users.walk()).words
    with site.app_context(), pytest.raises(SettingsError, match=r"key file responses\.toml is "):
        shuffling.shuffle(folder, 1, int(clock()))


@pytest.mark.parametrize("damage", DAMAGES)
def test_running_site_uses_loaded_keys_after_file_damage(make_site, folder, clock, caplog, damage):
    """All key files at once: the site works with the keys in memory, and ``/readyz`` reports that it is not ready."""
    site = make_site(KEYS_DIR=folder)
    users = SiteUsers(site, clock)
    users.prepare()
    for purpose in ALL_PURPOSES:
        DAMAGES[damage](ring_file(folder, purpose))
    assert site.test_client().get("/readyz").text.splitlines()[1] == "keys missing"
    users.agree(users.walk())
    assert reference_on(users.send())
    opened = users.member.get(users.request_page.address)
    assert FIRST_NAME in opened.text, "the loaded keys still decrypt"
    added = users.member.fill(opened, f"{opened.address}/note", note=NOTE)
    assert added.status == 200 and NOTE in added.main.get_text()
    assert_absent(SENTINELS, caplog.text)


def test_replaced_key_loses_the_draft_and_nothing_else(make_site, folder, clock, tmp_path):
    """A restart with other keys: the walk starts again with a notice; the typed form is shown again."""
    site = make_site(KEYS_DIR=folder)
    users = SiteUsers(site, clock)
    users.prepare()
    walker = users.walk()
    for purpose in (DRAFT, FORMS):
        ring_file(folder, purpose).unlink()
        create_ring(folder, purpose, LATER)
    restarted = make_site(KEYS_DIR=folder)
    for visitor in (walker, users.patient):
        cookie = visitor.client.get_cookie("draft")
        visitor.client = restarted.test_client()
        visitor.client.set_cookie("draft", cookie.value)
    page = walker.get("/check/motivation")
    assert page.status == 200 and "We don’t have your earlier answers anymore" in page.words
    back = users.send()
    assert back.address == "/consultation/review" and back.typed("/consultation/sent")["name"] == [FORM["name"]]
    users.review = back
    clock.forward(MIN_FORM_SECONDS + 1)
    page = users.send()
    if page.address == "/consultation/review":  # the form counts as opened just now
        users.review = page
        clock.forward(MIN_FORM_SECONDS + 1)
        page = users.send()
    assert reference_on(page)


def test_rotated_keys_are_loaded_without_a_restart(make_site, folder, clock):
    """A node with the old keys in memory decrypts drafts, staff sessions and requests of a node with the new ones."""
    old = make_site(KEYS_DIR=folder)
    users = SiteUsers(old, clock)
    users.prepare()
    for purpose in (DRAFT, STAFF):
        activate_key(folder, purpose, add_key(folder, purpose, LATER).id)
    with old.extensions["staff"].app_context():
        key_rotation.rotate(folder, clock())
    new = make_site(KEYS_DIR=folder)
    visitor = Visitor(new)
    visitor.walk(sadness="2")
    cookie = visitor.client.get_cookie("draft")
    old_visitor = Visitor(old)
    old_visitor.client.set_cookie("draft", cookie.value)
    assert old_visitor.get("/check/sadness").chosen() == ["2"]
    fresh = Visitor(new)
    review = fresh.fill(fresh.get("/consultation"), "/consultation/review", **{**FORM, "name": "Zentinelnewer One"})
    clock.forward(MIN_FORM_SECONDS + 1)
    fresh.fill(review, "/consultation/sent")
    names = [link.get_text() for link in users.member.get("/staff/callbacks").main.select(".app-worklist__name a")]
    assert sorted(names) == [FIRST_NAME, "Zentinelnewer One"]


def test_outdated_callback_key_file_refuses_rotation(make_site, folder, clock, tmp_path):
    """An old copy overwrites the rotated key file: requests are undecryptable but stored, and none uses the old key."""
    site = make_site(KEYS_DIR=folder)
    users = SiteUsers(site, clock)
    users.prepare()
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    clock.forward(key_rotation.ENCRYPTION_PERIOD_SECONDS)
    with site.extensions["staff"].app_context():
        key_rotation.rotate(folder, clock())
        clock.forward(key_rotation.EMPTY_KEY_SECONDS + 1)
        key_rotation.rotate(folder, clock())
    saved = {purpose: ring_file(folder, purpose).read_bytes() for purpose in (CALLBACK, SEARCH)}
    for purpose in saved:
        shutil.copy(ring_file(old, purpose), ring_file(folder, purpose))
    restarted = make_site(KEYS_DIR=folder)
    users.member.client = restarted.test_client()
    users.member.site = restarted
    queue = users.member.sign_in("/staff/callbacks")
    assert queue.status == 200 and FIRST_NAME not in queue.text
    older = r"callback\.toml here is older than the published key"
    with restarted.extensions["staff"].app_context(), pytest.raises(SettingsError, match=older):
        key_rotation.rotate(folder, clock())
    for purpose, text in saved.items():
        ring_file(folder, purpose).write_bytes(text)
    assert FIRST_NAME in users.member.get("/staff/callbacks").text
