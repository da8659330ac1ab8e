"""What the pages on privacy and accessibility promise is what the settings say and the code does."""

from __future__ import annotations

from datetime import date

import pytest

from screening.callback import turning
from screening.clinic import DEMO
from screening.config import Determination
from screening.outbox import retention
from screening.web import drafts, pages
from screening.web.spans import DAY, HOUR, MINUTE, span
from tests.support.visitor import Visitor


def words(site, address, lang="en"):
    return Visitor(site).get(f"{address}?lang={lang}").words.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("seconds", "english", "spanish"),
    [
        (30 * MINUTE, "30 minutes", "30 minutos"),
        (90 * MINUTE, "90 minutes", "90 minutos"),
        (DAY, "24 hours", "24 horas"),
        (30 * DAY, "30 days", "30 días"),
        (730 * DAY, "2 years", "2 años"),
        (400 * DAY, "400 days", "400 días"),
    ],
)
def test_duration_uses_the_largest_exact_unit(site, seconds, english, spanish):
    for lang, told in (("en", english), ("es", spanish)):
        with site.test_request_context(f"/?lang={lang}"):
            assert span(seconds) == told


def test_information_pages_state_draft_limits_from_the_code(site, monkeypatch):
    monkeypatch.setattr(drafts, "IDLE", 40 * MINUTE)
    monkeypatch.setattr(drafts, "ABSOLUTE", 3 * HOUR)
    monkeypatch.setattr(drafts, "LONGER", 36 * HOUR)
    told = words(site, "/privacy")
    assert "stops working 40 minutes after your last answer, and after 3 hours in any case" in told
    assert "If you ask for more time, it works for 36 hours" in told
    assert "ask for 36 hours" in words(site, "/accessibility")


def test_start_and_review_pages_state_draft_limits_of_the_code(site):
    with site.test_request_context("/?lang=en"):
        idle, absolute, longer = span(drafts.IDLE), span(drafts.ABSOLUTE), span(drafts.LONGER)
    visitor = Visitor(site)
    start = visitor.get("/?lang=en")
    assert f"{idle} after the last one, and after {absolute} in any case" in start.words
    assert f"You now have {longer}" in visitor.send(start, "/more-time").words
    visitor.walk()
    assert f"They are cleared after {idle}" in visitor.get("/check/review").words
    assert f"Keep my answers for {longer}" in visitor.get("/check/review").text


@pytest.mark.parametrize(("lang", "closed", "audit"), [("en", "45 days", "500 days"), ("es", "45 días", "500 días")])
def test_privacy_page_states_retention_from_the_settings(make_site, lang, closed, audit):
    told = words(make_site(KEEP_CLOSED_DAYS=45, KEEP_AUDIT_DAYS=500, K=17), "/privacy", lang)
    assert closed in told and audit in told
    assert told.count("17") == 2, "mixed at least so many together, and released so"


def test_privacy_page_states_when_backups_become_unreadable(site):
    with site.test_request_context("/?lang=en"):
        week = span(turning.SEALS_FOR + turning.KEPT_EMPTY)
    assert f"So {week} after a request is erased, nobody can read it" in words(site, "/privacy")


def test_privacy_page_mentions_mail_only_where_configured(make_site):
    assert "e-mail: that we got" not in words(make_site(), "/privacy")
    site = make_site(MAIL_HOST="127.0.0.1", MAIL_FROM="a@b.org", MAIL_TEAM="t@b.org", SITE_URL="https://check.example")
    with site.test_request_context("/?lang=en"):
        kept, failed = span(retention.KEPT), span(retention.FAILED_KEPT)
    assert f"is noted for {kept}, or for {failed} if it did not get through" in words(site, "/privacy")


def test_privacy_page_mentions_page_counts_only_with_metrics(make_site):
    assert "It counts how many pages" not in words(make_site(), "/privacy")
    assert "It counts how many pages" in words(make_site(METRICS_ADDRESS=("127.0.0.1", 9)), "/privacy")


def test_privacy_page_mentions_months_by_expert_determination(make_site):
    assert "never the month or day" in words(make_site(), "/privacy")
    told = words(make_site(EXPERT_DETERMINATION=Determination(date(2026, 10, 1), "Dr. Demo")), "/privacy")
    assert "A list may tell the month" in told and "never the month" not in told


def test_privacy_page_names_the_neutral_site_host(make_site, tmp_path):
    file = tmp_path / "clinic.toml"
    file.write_text(DEMO.read_text(encoding="utf-8").replace("www.weather.gov", "news.example.org"))
    told = words(make_site(CLINIC=file), "/privacy")
    assert "opens another site: news.example.org" in told and "weather" not in told


def test_visitor_receives_only_draft_and_language_cookies(site):
    names, application = set(), site.wsgi_app

    def note_cookies(environ, start_response):
        def start(status, headers, *rest):
            names.update(value.partition("=")[0] for name, value in headers if name == "Set-Cookie")
            return start_response(status, headers, *rest)

        return application(environ, start)

    site.wsgi_app = note_cookies
    visitor = Visitor(site)
    visitor.get("/?lang=es")
    visitor.walk()
    visitor.agree()
    assert names == {"visit", "lang"}


def test_accessibility_statement_shows_its_review_date(site):
    assert f"{pages.STATED:%B %-d, %Y}" in words(site, "/accessibility")


def test_about_page_shows_crisis_numbers_check_date(site):
    checked = site.extensions["crisis"]["en"].checked
    assert f"last checked on {checked:%B %-d, %Y}" in words(site, "/about")
