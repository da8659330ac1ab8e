"""Pages drawn once for many visitors show each only what is theirs."""

from __future__ import annotations

from random import Random

from tests.support.visitor import SIGNS, Visitor


def test_cached_page_has_each_visitors_own_token_and_expiry(site, clock):
    first, second = Visitor(site), Visitor(site)
    first.get("/check/sadness")
    page = first.answer("sadness", "1")
    clock.now += 60
    second.get("/check/sadness")
    second.answer("sadness", "1")
    clock.now += 60
    page, other = first.get("/check/sleep"), second.get("/check/sleep")
    assert page.token != other.token
    assert page.soup.body and other.soup.body
    assert int(other.soup.body["data-clears-in"]) - int(page.soup.body["data-clears-in"]) == 60  # type: ignore[arg-type]
    assert second.answer("sleep", "1").address == "/check/hopelessness"


def test_cached_page_equals_a_fresh_render(site):
    chance, kept = Random(7), site.extensions["kept_pages"]
    for _ in range(8):
        visitor = Visitor(site)
        visitor.get(f"/?lang={chance.choice(['en', 'es'])}")
        for sign in SIGNS:
            visitor.answer(sign, chance.choice(["0", "3", "declined"]))
            for address in ("/", f"/check/{sign}", f"/check/{sign}?from=review", f"/check/{sign}?notice=order"):
                page = visitor.get(address)
                site.extensions["kept_pages"] = kept.__wrapped__
                assert visitor.get(address).text == page.text
                site.extensions["kept_pages"] = kept
    assert kept.cache_info().hits > 10
