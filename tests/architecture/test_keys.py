"""Keys are added, distributed and activated while visitors are on the walk."""

from __future__ import annotations

import pytest

from screening.cli.commands_app import create_commands_app
from screening.config import SettingsError
from screening.crypto import DecryptionError
from screening.crypto.keyring import BACKUP, CALLBACK, DRAFT, FORMS, PURPOSES, SEARCH, STAFF, Keyring
from tests.support.visitor import SIGNS, Visitor


@pytest.fixture
def flask(tmp_path):
    """Return a function that runs a command and returns exit code, stdout and stderr."""

    def run(*arguments, surfaces=("visitor", "staff")):
        app = create_commands_app({"KEYS_DIR": tmp_path / "keys", "SERVE": surfaces})
        done = app.test_cli_runner().invoke(args=arguments)
        return done.exit_code, done.stdout, done.stderr

    return run


def test_key_list_shows_active_and_decrypt_only_keys(flask):
    flask("keys", "init")
    (first,) = [line.split("\t")[1] for line in flask("keys", "list")[1].splitlines() if line.startswith("draft")]
    code, second, _ = flask("keys", "add", "draft")
    second = second.strip()
    assert code == 0
    lines = [line.split("\t") for line in flask("keys", "list")[1].splitlines() if line.startswith("draft")]
    assert [(line[1], line[3]) for line in lines] == [(first, "active"), (second, "decrypt-only")]
    assert flask("keys", "activate", "draft", second)[0] == 0
    lines = [line.split("\t") for line in flask("keys", "list")[1].splitlines() if line.startswith("draft")]
    assert [(line[1], line[3]) for line in lines] == [(first, "decrypt-only"), (second, "active")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "doors"), "Unknown key purpose doors on this machine"),
        (("activate", "draft", "00000000"), "draft has no key 00000000: flask keys list"),
        (("activate", "doors", "00000000"), "Unknown key purpose doors"),
    ],
)
def test_invalid_key_command_is_refused_and_changes_nothing(flask, tmp_path, arguments, words):
    flask("keys", "init")
    before = {file: file.read_bytes() for file in (tmp_path / "keys").iterdir()}
    code, printed, stderr = flask("keys", *arguments)
    assert code == 1 and printed == "" and words in stderr and stderr.count("\n") == 1
    assert {file: file.read_bytes() for file in (tmp_path / "keys").iterdir()} == before


def test_visitor_node_keys_decrypt_no_staff_data(flask, tmp_path):
    flask("keys", "init", surfaces=("visitor",))
    key_folder = tmp_path / "keys"
    assert {file.stem for file in key_folder.iterdir()} == {DRAFT, FORMS}
    node_folder = tmp_path / "elsewhere"
    key_folder.rename(node_folder)
    flask("keys", "init")
    full_ring = Keyring(key_folder, tuple(p for surface in PURPOSES.values() for p in surface))
    public = Keyring(node_folder, PURPOSES["visitor"])
    for purpose in (STAFF, CALLBACK, SEARCH, BACKUP):
        sealed = full_ring.encrypt(purpose, b"secret", b"place")
        for own in (DRAFT, FORMS):
            with pytest.raises(DecryptionError):
                public.decrypt(own, sealed, b"place")
        with pytest.raises(SettingsError, match="is missing"):
            Keyring(node_folder, (purpose,))


def test_key_purpose_decrypts_no_data_of_another_purpose(flask, tmp_path):
    flask("keys", "init")
    purposes = tuple(p for surface in PURPOSES.values() for p in surface)
    ring = Keyring(tmp_path / "keys", purposes)
    for one in purposes:
        sealed = ring.encrypt(one, b"secret", b"place")
        for other in purposes:
            if other != one:
                with pytest.raises(DecryptionError):
                    ring.decrypt(other, sealed, b"place")


def test_draft_key_rotation_loses_no_answer(flask, tmp_path, make_site):
    """Two nodes share the key files. Each visitor changes nodes at every step, and keys are rotated in between."""
    flask("keys", "init")
    nodes = [make_site(KEYS_DIR=tmp_path / "keys") for _ in range(2)]
    visitors = [Visitor(nodes[0]) for _ in range(6)]
    for visitor in visitors:
        visitor.get("/check/sadness")
    for number, sign in enumerate(SIGNS):
        if number in (2, 4):
            fresh = flask("keys", "add", "draft")[1].strip()
            flask("keys", "activate", "draft", fresh)
            nodes[number % 2] = make_site(KEYS_DIR=tmp_path / "keys")  # one node restarts, the other loads the new key
        for position, visitor in enumerate(visitors):
            cookie = visitor.client.get_cookie("draft")
            assert cookie is not None
            visitor.client = nodes[(number + position) % 2].test_client()
            visitor.client.set_cookie("draft", cookie.value)
            page = visitor.answer(sign, "1")
            assert "We don’t have your earlier answers" not in page.words
    for visitor in visitors:
        for sign in SIGNS:
            assert visitor.get(f"/check/{sign}").chosen() == ["1"]


def test_form_token_key_rotation_refuses_no_form(flask, tmp_path, make_site):
    """One node signs with the new key, which the other only verifies with; forms of each are sent to the other."""
    flask("keys", "init")
    fresh = flask("keys", "add", FORMS)[1].strip()
    still_old = make_site(KEYS_DIR=tmp_path / "keys")
    flask("keys", "activate", FORMS, fresh)
    nodes = [still_old, make_site(KEYS_DIR=tmp_path / "keys")]
    visitors = [Visitor(nodes[0]), Visitor(nodes[1])]
    for visitor in visitors:
        visitor.get("/check/sadness")
    for number, sign in enumerate(SIGNS):
        for position, visitor in enumerate(visitors):
            page = visitor.get(f"/check/{sign}")
            cookie = visitor.client.get_cookie("draft")
            visitor.client = nodes[(number + position) % 2].test_client()
            visitor.client.set_cookie("draft", cookie.value)
            assert visitor.send(page, f"/check/{sign}", follow=False, **{sign: "1"}).status == 303, sign
