"""Back in Firefox: no page asks to resend a form, with the back-forward cache on, with and without scripts."""

from __future__ import annotations

import pytest

from tests.support.firefox import Firefox, MarionetteError
from tests.support.live_server import LiveServer

STRIP = 'class="app-strip"'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LiveServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def firefox(request, tmp_path):
    with Firefox(tmp_path / "profile", scripts=request.param) as running:
        yield running


def back(firefox: Firefox, server: LiveServer, path: str, words: str = "") -> None:
    """Go back, and check that this page of the site is shown."""
    firefox.back()
    source = firefox.source
    assert firefox.address.removeprefix(server.address).partition("?")[0] == path
    assert STRIP in source and words in source


def test_back_in_the_walk_finds_the_help_page(firefox, server):
    firefox.open(f"{server.address}/check/sadness")
    for sign in ("sadness", "sleep"):
        firefox.press("main form button")
        assert "nhsuk-error-summary" in firefox.source
        firefox.choose(f"input[name={sign}][value='1']")
        firefox.press("main form button")
    back(firefox, server, "/check/sleep")
    firefox.press("main form button")
    firefox.choose("input[name=hopelessness][value='3']")
    firefox.press("main form button")
    assert "Thank you for telling us" in firefox.source
    firefox.press(".app-strip__text a")
    back(firefox, server, "/check/hopelessness", "Thank you for telling us")
    firefox.press("main form button")
    assert firefox.address.endswith("/check/interest")
    back(firefox, server, "/check/hopelessness", "Thank you for telling us")
    back(firefox, server, "/check/hopelessness")


def test_back_in_the_callback_form_shows_typed_text(firefox, server):
    firefox.open(f"{server.address}/consultation")
    firefox.press("#ask > button")
    assert "nhsuk-error-summary" in firefox.source
    firefox.type("#name", "Zentinelarosa")
    firefox.type("#phone", "303 555 0144")
    firefox.choose("input[name=patient]")
    firefox.press("#ask > button")
    assert firefox.address.endswith("/consultation/review")
    firefox.press(".app-footer a[href='/privacy']")
    back(firefox, server, "/consultation/review", "Zentinelarosa")
    firefox.press("#change button")
    firefox.press("#ask > button")
    back(firefox, server, "/consultation", "Zentinelarosa")


def test_missing_element_is_an_error(firefox, server):
    firefox.open(server.address)
    with pytest.raises(MarionetteError):
        firefox.find("#nothing-of-this-name")
