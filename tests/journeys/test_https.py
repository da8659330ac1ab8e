"""The site over https, with the headers that Chromium sends."""

from __future__ import annotations

import pytest

from tests.support.certificates import self_signed
from tests.support.live_server import LiveServer


@pytest.fixture(scope="module")
def https(tmp_path_factory):
    folder = tmp_path_factory.mktemp("https")
    certificate, key = self_signed(folder)
    tls = ("--ssl-certificate", str(certificate), "--ssl-keyfile", str(key))
    with LiveServer(folder, *tls, scheme="https", SCREENING_HTTPS="true") as running:
        yield running


def test_walk_over_https_uses_secure_host_cookies(browser_visitor, https):
    visitor = browser_visitor(https.address)
    sent = []
    visitor.context.on("request", lambda request: sent.append(request) if request.method == "POST" else None)
    visitor.walk("es", pain="1")
    visitor.finish(agree=False)
    assert {cookie["name"] for cookie in visitor.context.cookies()} == {"__Host-draft", "__Host-lang"}
    assert all(cookie["secure"] and cookie["sameSite"] == "Lax" for cookie in visitor.context.cookies())
    headers = sent[-1].all_headers()
    assert headers["origin"] == https.address and headers["referer"].startswith(https.address)
    visitor.leave()
    assert visitor.context.cookies() == []
