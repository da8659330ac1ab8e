"""Closed requests are deleted after the retention period, withdrawn ones immediately, and no others."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from screening.callbacks import retention
from screening.callbacks.clinic_calendar import regular_calendar
from screening.clinic import DEMO, load
from screening.extensions import db
from screening.operations.purge import purge
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

CALENDAR = regular_calendar(load(DEMO))

DAY = 24 * 3600


@pytest.fixture
def retention_settings():
    """Settings of the site; a test overrides them by ``parametrize``."""
    return {}


@pytest.fixture
def two_requests(make_site, request_call, retention_settings):
    """Two requests with notes and hashes, one of them closed."""
    team = Team(make_site(**retention_settings))
    ann = team.sign_in("ann", "callbacks")
    for name in ("Open", "Closed"):
        request_call(Visitor(team.site), name=name)
    for link in ann.get("/staff/callbacks").main.select(".app-worklist__name a"):
        page = ann.get(link["href"])
        page = ann.fill(page, f"{page.address}/note", note="a note")
        if link.get_text() == "Closed":
            page = ann.fill(page, f"{page.address}/claim")
            ann.fill(page, f"{page.address}/close")
    return team


def counts(team):
    with team.app.app_context():
        tables = ("callback_request", "callback_note", "callback_contact")
        return [db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in tables]


@pytest.mark.each_database
def test_purge_deletes_only_requests_closed_past_retention(two_requests, clock):
    assert counts(two_requests) == [2, 2, 4]
    with two_requests.app.app_context():
        assert retention.purge_closed(clock() + 29 * DAY, calendar=CALENDAR, retention_days=30) == 0
        assert retention.purge_closed(clock() + 31 * DAY, dry_run=True, calendar=CALENDAR, retention_days=30) == 1
    assert counts(two_requests) == [2, 2, 4]
    with two_requests.app.app_context():
        assert retention.purge_withdrawn(clock(), calendar=CALENDAR) == 0
        assert retention.purge_closed(clock() + 31 * DAY, calendar=CALENDAR, retention_days=30) == 1
        assert retention.purge_closed(clock() + 31 * DAY, calendar=CALENDAR, retention_days=30) == 0
    assert counts(two_requests) == [1, 1, 2]


@pytest.mark.each_database
def test_purge_deletes_withdrawn_requests_immediately(make_site, clock, request_call):
    site = make_site()
    visitor = Visitor(site)
    for patient in (visitor, Visitor(site)):
        request_call(patient)
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    with site.app_context():
        assert retention.purge_withdrawn(clock(), dry_run=True, calendar=CALENDAR) == 1
        assert retention.purge_withdrawn(clock(), calendar=CALENDAR) == 1
        assert list(db.session.execute(text("SELECT state FROM callback_request")).scalars()) == ["new"]


@pytest.mark.parametrize(("language", "days"), [("en", "for 45 days"), ("es", "45 días")])
def test_privacy_page_states_the_retention_in_days(make_site, language, days):
    assert days in Visitor(make_site(CLOSED_REQUEST_RETENTION_DAYS=45)).get(f"/privacy?lang={language}").words


@pytest.mark.parametrize("retention_settings", [{"CLOSED_REQUEST_RETENTION_DAYS": 45}])
def test_retention_setting_moves_the_purge(two_requests, clock):
    with two_requests.app.app_context():
        assert purge(two_requests.app.config["SETTINGS"], load(DEMO), clock() + 44 * DAY).counts["closed requests"] == 0
    assert counts(two_requests) == [2, 2, 4]
    with two_requests.app.app_context():
        assert purge(two_requests.app.config["SETTINGS"], load(DEMO), clock() + 46 * DAY).counts["closed requests"] == 1
    assert counts(two_requests) == [1, 1, 2]
