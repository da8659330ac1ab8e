"""Compression: only pages that do not reflect form input."""

from __future__ import annotations

import gzip

import pytest

from tests.support.sample_patient import FORM, NAME
from tests.support.visitor import Visitor

FIRST_WINDOW = 10 * 1460
"""Bytes that a server sends before the first acknowledgement (RFC 6928)."""


@pytest.fixture
def visitor(site):
    visitor = Visitor(site)
    visitor.walk(sadness="2", pain="3")
    visitor.disagree()
    return visitor


def fetch(visitor, address, takes="gzip, deflate, br", **options):
    method = visitor.client.post if options else visitor.client.get
    return method(address, headers={"Accept-Encoding": takes}, base_url="http://localhost", **options)


@pytest.mark.parametrize("address", ["/", "/summary", "/consultation"])
def test_large_page_is_gzip_compressed_and_not_stored(visitor, address):
    plain, compressed = fetch(visitor, address, ""), fetch(visitor, address)
    assert "Content-Encoding" not in plain.headers and compressed.headers["Content-Encoding"] == "gzip"
    assert int(compressed.headers["Content-Length"]) == len(compressed.data) < len(plain.data) / 2
    text = gzip.decompress(compressed.data).decode()
    assert (
        text.lower().startswith("<!doctype html>")
        and "988" in text
        and text.count("<h1") == plain.text.count("<h1") == 1
    )
    for answer in (plain, compressed):
        assert answer.headers["Vary"] == "Accept-Encoding" and answer.headers["Cache-Control"] == "no-store"


def test_page_is_uncompressed_unless_gzip_is_accepted(visitor):
    for takes in ("identity", "gzip;q=0", "br"):
        assert "Content-Encoding" not in fetch(visitor, "/summary", takes).headers, takes


@pytest.mark.parametrize(
    "address", ["/check/sadness", "/check/review", "/help-now", "/nowhere", "/privacy", "/healthz"]
)
def test_page_within_first_tcp_window_is_not_compressed(visitor, address):
    answer = fetch(visitor, address)
    assert "Content-Encoding" not in answer.headers and len(answer.data) < FIRST_WINDOW


def test_page_echoing_form_input_is_never_compressed(visitor):
    form = visitor.get("/consultation").typed("/consultation/review")
    answer = fetch(visitor, "/consultation/review", data={**form, **FORM})
    assert answer.status_code == 303
    answer = fetch(visitor, "/consultation/review")
    assert NAME in answer.text and "Content-Encoding" not in answer.headers
