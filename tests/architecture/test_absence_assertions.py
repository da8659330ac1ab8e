"""``assert_absent``: which spellings of a secret it finds, and which secrets it refuses."""

from __future__ import annotations

import pytest

from tests.support.absence import assert_absent

SECRET = "zentinelasecret"
PHONE = "(303) 555-0144"


@pytest.mark.parametrize(
    ("secret", "haystack"),
    [
        (SECRET, "a line with zentinelasecret in it"),
        (SECRET, "a line with ZentinelaSecret in it"),
        (SECRET, b"\x00\xffzentinelasecret\x00"),
        ("zentinela secret", "q=zentinela+secret"),
        ("zentinela secret", "q=zentinela%20secret"),
        ("zentinelañsecret", "zentinela\\xf1secret"),
        *((PHONE, written) for written in ("3035550144", "+13035550144", "303-555-0144", "303.555.0144")),
        *((PHONE, written) for written in ("(303) 555-0144", "%28303%29+555-0144", "303 555 0144", "%2B13035550144")),
    ],
)
def test_secret_is_found_in_any_spelling(secret, haystack):
    with pytest.raises(AssertionError, match="stands in haystack 2"):
        assert_absent([secret], "nothing", haystack)


def test_secret_is_found_in_files_of_a_folder(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "site.log").write_text(f"... {SECRET} ...")
    with pytest.raises(AssertionError, match=r"site\.log"):
        assert_absent([SECRET], tmp_path)


def test_absent_secrets_pass(tmp_path):
    (tmp_path / "site.log").write_text("01445550303 0144 zentinel")
    assert_absent([SECRET, PHONE], "0144", b"555", tmp_path)


@pytest.mark.parametrize("needle", ["0144", "555-0144", "Rosita", "0f1e2d3c4b5", "zentinela"])
def test_secret_that_random_text_could_contain_is_refused(needle):
    with pytest.raises(ValueError, match="too short"):
        assert_absent([needle], "anything")


@pytest.mark.parametrize("arguments", [([], "anything"), ([SECRET],)])
def test_missing_secret_or_haystack_is_refused(arguments):
    with pytest.raises(ValueError, match="nothing to seek"):
        assert_absent(*arguments)
