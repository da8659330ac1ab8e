"""Keys, and encryption with them."""

from __future__ import annotations

import stat
from datetime import date
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.config import SettingsError
from screening.crypto import DecryptionError
from screening.crypto.key_files import Key, Ring, activate_key, add_key, create_ring, read_ring, ring_file, write_ring
from screening.crypto.keyring import DRAFT, FORMS, Keyring
from tests.support.absence import assert_absent

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyring")
    for purpose in (DRAFT, FORMS):
        create_ring(folder, purpose, TODAY)
    return Keyring(folder, (DRAFT, FORMS))


@given(text=st.binary(max_size=2000), place=st.binary(max_size=20))
def test_ciphertext_is_bound_to_purpose_and_associated_data(ring, text, place):
    sealed = ring.encrypt(DRAFT, text, place)
    assert ring.decrypt(DRAFT, sealed, place) == text
    with pytest.raises(DecryptionError):
        ring.decrypt(FORMS, sealed, place)
    with pytest.raises(DecryptionError):
        ring.decrypt(DRAFT, sealed, place + b"!")


def test_derived_keys_cover_every_key_with_active_key_first(tmp_path):
    create_ring(tmp_path, DRAFT, TODAY)
    before = Keyring(tmp_path, (DRAFT,)).derive(DRAFT, "a use")
    fresh = add_key(tmp_path, DRAFT, TODAY).id
    activate_key(tmp_path, DRAFT, fresh)
    ring = Keyring(tmp_path, (DRAFT,))
    derived = ring.derive_all(DRAFT, "a use")
    assert next(iter(derived)) == fresh and derived[fresh] == ring.derive(DRAFT, "a use")
    assert list(derived.values())[1:] == [before] and ring.derive_all(DRAFT, "another")[fresh] != derived[fresh]


@given(st.data())
def test_modified_ciphertext_is_refused(ring, data):
    sealed = ring.encrypt(DRAFT, b"answers", b"draft")
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters().filter(lambda character: character != sealed[at]))
    changed = sealed[:at] + other + sealed[at + 1 :]
    try:
        assert ring.decrypt(DRAFT, changed, b"draft") == b"answers"  # the last letter has unused bits
        assert at == len(sealed) - 1
    except DecryptionError:
        pass


@given(st.text(max_size=200))
def test_arbitrary_text_raises_a_decryption_error(ring, text):
    with pytest.raises(DecryptionError):
        ring.decrypt(DRAFT, text, b"draft")


def test_encrypting_twice_gives_different_ciphertexts(ring):
    assert ring.encrypt(DRAFT, b"same", b"") != ring.encrypt(DRAFT, b"same", b"")


def test_key_file_must_be_readable_only_by_its_owner(tmp_path):
    create_ring(tmp_path, DRAFT, TODAY)
    assert stat.S_IMODE(ring_file(tmp_path, DRAFT).stat().st_mode) == 0o600
    ring_file(tmp_path, DRAFT).chmod(0o640)
    with pytest.raises(SettingsError, match=r"draft\.toml can be read by others: run chmod 600"):
        Keyring(tmp_path, (DRAFT,))


def test_creating_an_existing_key_file_changes_nothing(tmp_path):
    assert create_ring(tmp_path, DRAFT, TODAY)
    before = read_ring(tmp_path, DRAFT)
    assert not create_ring(tmp_path, DRAFT, TODAY)
    assert read_ring(tmp_path, DRAFT) == before


def test_missing_or_damaged_key_file_error_hides_the_secret(tmp_path):
    with pytest.raises(SettingsError, match=r"draft\.toml is missing: run flask keys init"):
        Keyring(tmp_path, (DRAFT,))
    create_ring(tmp_path, DRAFT, TODAY)
    text = ring_file(tmp_path, DRAFT).read_text()
    secret = text.split('"')[-2]
    for damaged in (text[:-10], text.replace("active", "actve"), text.replace(secret, secret[:8]), "\0", "keys = 1"):
        ring_file(tmp_path, DRAFT).write_text(damaged)
        with pytest.raises(SettingsError, match=r"draft\.toml is damaged") as refusal:
            Keyring(tmp_path, (DRAFT,))
        assert_absent((secret,), str(refusal.value))


def test_key_added_after_start_is_loaded_on_first_use(tmp_path):
    create_ring(tmp_path, DRAFT, TODAY)
    old = read_ring(tmp_path, DRAFT)
    first_ring = Keyring(tmp_path, (DRAFT,))
    fresh = Key.fresh(TODAY)
    write_ring(tmp_path, DRAFT, Ring((*old.keys, fresh), fresh.id))
    second_ring = Keyring(tmp_path, (DRAFT,))
    assert first_ring.decrypt(DRAFT, second_ring.encrypt(DRAFT, b"new", b""), b"") == b"new"
    assert second_ring.decrypt(DRAFT, first_ring.encrypt(DRAFT, b"old", b""), b"") == b"old"


def test_key_file_of_another_user_is_not_called_damaged(tmp_path, monkeypatch):
    create_ring(tmp_path, DRAFT, TODAY)
    monkeypatch.setattr(Path, "read_text", Mock(side_effect=PermissionError))
    with pytest.raises(SettingsError, match=r"draft\.toml cannot be read: chown it"):
        read_ring(tmp_path, DRAFT)
