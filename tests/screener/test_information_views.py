"""The privacy and accessibility pages state what the settings and the code define."""

from __future__ import annotations

from datetime import date

import pytest

from screening import draft
from screening.callbacks import key_rotation
from screening.clinic import DEMO
from screening.config_values import Determination
from screening.durations import DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS, format_duration
from screening.mail import outbox
from screening.screener import information_views
from tests.support.visitor import Visitor


def words(site, address, lang="en"):
    return Visitor(site).get(f"{address}?lang={lang}").words.replace("\u202f", " ")


@pytest.mark.parametrize(
    ("seconds", "english", "spanish"),
    [
        (30 * MINUTE_SECONDS, "30 minutes", "30 minutos"),
        (90 * MINUTE_SECONDS, "90 minutes", "90 minutos"),
        (DAY_SECONDS, "24 hours", "24 horas"),
        (30 * DAY_SECONDS, "30 days", "30 días"),
        (730 * DAY_SECONDS, "2 years", "2 años"),
        (400 * DAY_SECONDS, "400 days", "400 días"),
    ],
)
def test_duration_uses_the_largest_exact_unit(site, seconds, english, spanish):
    for lang, page_words in (("en", english), ("es", spanish)):
        with site.test_request_context(f"/?lang={lang}"):
            assert format_duration(seconds) == page_words


def test_information_pages_state_draft_limits_from_the_code(site, monkeypatch):
    monkeypatch.setattr(draft, "IDLE_SECONDS", 40 * MINUTE_SECONDS)
    monkeypatch.setattr(draft, "ABSOLUTE_SECONDS", 3 * HOUR_SECONDS)
    monkeypatch.setattr(draft, "EXTENDED_SECONDS", 36 * HOUR_SECONDS)
    page_words = words(site, "/privacy")
    assert (
        "stops working 40 minutes after your last answer, and after 3 hours unless you ask for more time" in page_words
    )
    assert "It then works for 30 more minutes or for 36 hours" in page_words
    assert "ask for 36 hours" in words(site, "/accessibility")


def test_start_and_review_pages_state_draft_limits_of_the_code(site):
    with site.test_request_context("/?lang=en"):
        idle, absolute, longer = (
            format_duration(draft.IDLE_SECONDS),
            format_duration(draft.ABSOLUTE_SECONDS),
            format_duration(draft.EXTENDED_SECONDS),
        )
    visitor = Visitor(site)
    start = visitor.get("/?lang=en")
    assert f"{idle} after the last one, and after {absolute} unless you ask for more time" in start.words
    assert f"You now have {longer}" in visitor.send(start, "/more-time").words
    visitor.walk()
    assert f"They are cleared after {idle}" in visitor.get("/check/review").words
    band = visitor.get("/check/review").soup.select_one("#app-more")
    assert [button.text for button in band.select("button")] == [idle, longer, "Not now"]


@pytest.mark.parametrize(("lang", "closed", "audit"), [("en", "45 days", "500 days"), ("es", "45 días", "500 días")])
def test_privacy_page_states_retention_from_the_settings(make_site, lang, closed, audit):
    page_words = words(
        make_site(CLOSED_REQUEST_RETENTION_DAYS=45, AUDIT_RETENTION_DAYS=500, MIN_GROUP_SIZE=17), "/privacy", lang
    )
    assert closed in page_words and audit in page_words
    assert page_words.count("17") == 2, "the minimum of shuffling and of releases"


def test_privacy_page_states_when_backups_become_unreadable(site):
    with site.test_request_context("/?lang=en"):
        week = format_duration(key_rotation.ENCRYPTION_PERIOD_SECONDS + key_rotation.EMPTY_KEY_SECONDS)
    assert f"So {week} after a request is erased, nobody can read it" in words(site, "/privacy")


def test_privacy_page_mentions_mail_only_where_configured(make_site):
    assert "email: that we got" not in words(make_site(), "/privacy")
    site = make_site(
        MAIL_HOST="127.0.0.1", MAIL_FROM="a@b.org", MAIL_TO_STAFF="t@b.org", SITE_URL="https://check.example"
    )
    with site.test_request_context("/?lang=en"):
        retention, failed = format_duration(outbox.RETENTION_SECONDS), format_duration(outbox.FAILED_RETENTION_SECONDS)
    assert f"keep the note for {retention}, or for {failed} if it did not get through" in words(site, "/privacy")


def test_privacy_page_mentions_page_counts_only_with_metrics(make_site):
    assert "It counts how many pages" not in words(make_site(), "/privacy")
    assert "It counts how many pages" in words(make_site(METRICS_ADDRESS=("127.0.0.1", 9)), "/privacy")


def test_privacy_page_mentions_months_by_expert_determination(make_site):
    assert "never the month or day" in words(make_site(), "/privacy")
    page_words = words(make_site(EXPERT_DETERMINATION=Determination(date(2026, 10, 1), "Dr. Demo")), "/privacy")
    assert "A list may tell the month" in page_words and "never the month" not in page_words


def test_privacy_page_names_the_neutral_site_host(make_site, tmp_path):
    file = tmp_path / "clinic.toml"
    file.write_text(DEMO.read_text(encoding="utf-8").replace("www.weather.gov", "news.example.org"))
    page_words = words(make_site(CLINIC_FILE=file), "/privacy")
    assert "opens another site: news.example.org" in page_words and "weather" not in page_words


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
    assert names == {"draft", "lang"}


def test_accessibility_statement_shows_its_review_date(site):
    assert f"{information_views.STATED_ON:%B %-d, %Y}" in words(site, "/accessibility")


def test_about_page_shows_crisis_numbers_check_date(site):
    checked = site.extensions["crisis"]["en"].checked
    assert f"last checked on {checked:%B %-d, %Y}" in words(site, "/about")
