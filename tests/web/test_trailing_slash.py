"""Addresses with a trailing slash lead to the page; no redirect leaves the site."""

from __future__ import annotations

import pytest

from tests.support.visitor import Visitor


@pytest.mark.parametrize("address", ["/about", "/privacy", "/consultation/status", "/check/sadness", "/healthz"])
def test_trailing_slash_redirects_to_the_page(site, address):
    for method in ("GET", "HEAD"):
        response = site.test_client().open(f"{address}/?lang=es&x=%C3%B1%0D", method=method)
        assert response.status_code == 308 and response.headers["Location"] == f"{address}?lang=es&x=%C3%B1%0D"
    assert Visitor(site).get(f"{address}/").status == 200


@pytest.mark.parametrize(
    "address",
    [
        *("//evil.example/", "///evil.example/", "/\\evil.example/", "//evil.example//", "/%2F%2Fevil.example/"),
        *("/nowhere/", "/check/unknown/", "/about//", "/./", "/https://evil.example/", "/leave/"),
    ],
)
def test_other_addresses_stay_unknown(site, address):
    for prefix in ("", "/staff"):
        response = site.test_client().get(prefix + address)
        assert "evil" not in response.headers.get("Location", "").partition("?")[0]
        assert response.status_code in (303, 308, 400, 404, 405)


def test_post_to_a_trailing_slash_is_refused(site):
    assert site.test_client().post("/consultation/review/").status_code in (400, 404)


def test_staff_page_with_trailing_slash_opens(team, ann):
    response = ann.client.get("/staff/callbacks/?tab=closed", base_url=ann.base)
    assert (response.status_code, response.headers["Location"]) == (308, "/staff/callbacks?tab=closed")
    assert ann.get("/staff/callbacks/").heading == "Call-backs"
    assert ann.get("/staff/callbacks/unknown/").status == 404


def test_stranger_learns_nothing_of_staff_addresses(site):
    for address in ("/staff/callbacks/", "/staff/nowhere/"):
        assert site.test_client().get(address).headers["Location"].startswith("/staff/sign-in")
