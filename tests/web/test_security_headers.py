"""The headers of every response."""

from __future__ import annotations

import pytest

from tests.support.visitor import Visitor

ADDRESSES = [
    *("/", "/check/sadness", "/check/nothing", "/check/review", "/summary", "/help-now", "/worried", "/about"),
    *("/privacy", "/accessibility", "/brand.css", "/healthz", "/leave", "/staff/", "/nowhere", "/static/nowhere.css"),
]


def policy(response) -> dict[str, str]:
    parts = [part.split(" ", 1) for part in response.headers["Content-Security-Policy"].split("; ")]
    return {part[0]: part[1] for part in parts}


@pytest.fixture
def answers(site):
    client = site.test_client()
    found = {address: client.get(address) for address in ADDRESSES}
    css = client.get("/").text.split('stylesheet" href="')[1].split('"')[0]
    return found | {
        "static": client.get(css, buffered=True),
        "post": client.post("/check/sadness"),
        "leave": client.post("/leave"),
    }


def test_every_response_has_csp_and_security_headers(answers):
    for address, response in answers.items():
        rules = policy(response)
        assert rules["default-src"] == "'self'" and rules["base-uri"] == "'none'", address
        assert rules["form-action"] == "'self' https://www.weather.gov", address
        assert rules["frame-ancestors"] == "'none'" and response.headers["X-Frame-Options"] == "DENY"
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "camera=()" in response.headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in response.headers


def test_pages_are_no_store_and_static_files_immutable(answers):
    for address, response in answers.items():
        cacheable = {"static": "max-age=315360000, public, immutable", "/brand.css": "public, max-age=3600"}
        assert response.headers["Cache-Control"] == cacheable.get(address, "no-store"), address


def test_https_response_sends_hsts(make_site):
    page = Visitor(make_site(HTTPS=True), https=True).get("/")
    assert "max-age=31536000" in page.response.headers["Strict-Transport-Security"]


def test_configured_frame_ancestor_may_frame_the_site(make_site):
    page = Visitor(make_site(FRAME_ANCESTORS=("https://clinic.example",))).get("/")
    assert policy(page.response)["frame-ancestors"] == "https://clinic.example"
    assert "X-Frame-Options" not in page.response.headers


def test_same_origin_form_post_over_https_is_accepted(make_site):
    """Under same-origin Chromium sends the full Referer and an Origin; under no-referrer it would send null."""
    visitor = Visitor(make_site(HTTPS=True), https=True)
    page = visitor.get("/check/sadness")
    assert visitor.send(page, "/check/sadness", sadness="1").address == "/check/sleep"


def test_cross_origin_form_post_over_https_is_refused(make_site):
    visitor = Visitor(make_site(HTTPS=True), https=True)
    page = visitor.get("/check/sadness")
    fields = {"csrf_token": page.token, "sadness": "1"}
    for origin in ("https://evil.example", "https://localhost.evil.example", "http://localhost"):
        for headers in (
            {"Referer": origin + "/"},
            {"Origin": origin},
            {"Origin": origin, "Referer": "https://localhost/"},
        ):
            response = visitor.client.post("/check/sadness", data=fields, base_url="https://localhost", headers=headers)
            assert response.status_code == 400


def test_form_post_with_null_or_no_origin_needs_a_token(make_site):
    visitor = Visitor(make_site(HTTPS=True), https=True)
    fields = {"csrf_token": visitor.get("/check/sadness").token, "sadness": "1"}
    for headers in ({}, {"Origin": "null"}):
        response = visitor.client.post("/check/sadness", data=fields, base_url="https://localhost", headers=headers)
        assert response.status_code == 303
        assert (
            visitor.client.post("/check/sadness", data={"sadness": "1"}, base_url="https://localhost").status_code
            == 303
        )


def test_forwarded_address_is_read_only_from_trusted_proxies(make_site, own_clinic):
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Host": "clinic.example"}
    public = {"ALLOWED_HOSTS": ("localhost", "clinic.example"), "HTTPS": True, "CLINIC_FILE": own_clinic}
    behind_proxy = make_site(TRUSTED_PROXY_COUNT=1, RATE_LIMIT_FORMS="1 per minute", **public)
    for address, status in (("192.0.2.7", 400), ("192.0.2.8", 400), ("192.0.2.7", 429)):
        headers = forwarded | {"X-Forwarded-For": f"203.0.113.1, {address}"}
        assert behind_proxy.test_client().post("/more-time", headers=headers).status_code == status
    without_proxy = make_site(RATE_LIMIT_FORMS="1 per minute", **public)
    for address, status in (("192.0.2.7", 400), ("192.0.2.8", 429)):
        headers = forwarded | {"X-Forwarded-For": address}
        assert without_proxy.test_client().post("/more-time", headers=headers).status_code == status
