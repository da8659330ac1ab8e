"""Cached pages have each visitor's own token and expiry, and equal a fresh render."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from jinja2 import ChoiceLoader, DictLoader

from screening.web import page_cache
from tests.support.visitor import SIGNS, Visitor


def test_cached_page_has_each_visitors_own_token_and_expiry(site, clock):
    first, second = Visitor(site), Visitor(site)
    first.get("/check/sadness")
    page = first.answer("sadness", "1")
    clock.forward(60)
    second.get("/check/sadness")
    second.answer("sadness", "1")
    clock.forward(60)
    page, other = first.get("/check/sleep"), second.get("/check/sleep")
    assert page.token != other.token
    assert page.soup.body and other.soup.body
    assert int(other.soup.body["data-clears-in"]) - int(page.soup.body["data-clears-in"]) == 60  # type: ignore[arg-type]
    assert second.answer("sleep", "1").address == "/check/hopelessness"


def test_cached_page_equals_a_fresh_render(site):
    rng, cache = Random(7), site.extensions["page_cache"]
    cached = cache.rendered
    for language, hopelessness in product(("en", "es"), ("3", "0")):
        visitor = Visitor(site)
        visitor.get(f"/?lang={language}")
        for sign in SIGNS:
            visitor.answer(sign, hopelessness if sign == "hopelessness" else rng.choice(["0", "3", "declined"]))
            for address in ("/", f"/check/{sign}", f"/check/{sign}?from=review", f"/check/{sign}?notice=order"):
                text = visitor.client.get(address).text
                cache.rendered = cached.__wrapped__
                assert visitor.client.get(address).text == text
                cache.rendered = cached
    assert cached.cache_info().hits > 10


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ request.cookies }}", "cannot read request"),
        ("{% include 'part.html' %}", "cannot read session"),
        ("{% set name = 'part.html' %}{% include name %}", "only known when it is rendered"),
    ],
)
def test_start_refuses_a_cached_page_that_reads_a_request(site, monkeypatch, source, problem):
    pages = DictLoader({"screener/start.html": source, "part.html": "{{ session }}"})
    monkeypatch.setattr(site.jinja_env, "loader", ChoiceLoader([pages, site.jinja_env.loader]))
    with pytest.raises(ValueError, match=problem):
        page_cache.init_app(site)


def test_cached_pages_are_rendered_without_request_and_session(site):
    environment = site.extensions["page_cache"]._environment
    assert {"request", "session", "g", "config", "site"} <= site.jinja_env.globals.keys() | {"site"}
    assert not {"request", "session", "g", "config", "site"} & environment.globals.keys()
