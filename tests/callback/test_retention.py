"""Closed requests go after so many days, withdrawn ones at once, and nothing else does."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from screening.callback import retention
from screening.extensions import db
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

pytestmark = pytest.mark.each_database

DAY = 24 * 3600


@pytest.fixture
def worked(make_site, database_url, ask):
    """Two requests with notes and hashes, one of them closed."""
    team = Team(make_site())
    ann = team.add("ann", "callbacks")
    ann.sign_in()
    for name in ("Kept", "Closed"):
        ask(Visitor(team.site), name=name)
    for link in ann.get("/staff/callbacks").main.select(".app-queue__name a"):
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


def test_purge_deletes_only_requests_closed_past_retention(worked, clock):
    assert counts(worked) == [2, 2, 4]
    with worked.app.app_context():
        assert retention.purge_closed(clock() + 29 * DAY) == 0
        assert retention.purge_closed(clock() + 31 * DAY, dry_run=True) == 1
    assert counts(worked) == [2, 2, 4]
    with worked.app.app_context():
        assert retention.purge_withdrawn(clock()) == 0
        assert retention.purge_closed(clock() + 31 * DAY) == 1
        assert retention.purge_closed(clock() + 31 * DAY) == 0
    assert counts(worked) == [1, 1, 2]


def test_purge_deletes_withdrawn_requests_immediately(make_site, database_url, clock, ask):
    site = make_site()
    visitor = Visitor(site)
    for someone in (visitor, Visitor(site)):
        ask(someone)
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    with site.app_context():
        assert retention.purge_withdrawn(clock(), dry_run=True) == 1
        assert retention.purge_withdrawn(clock()) == 1
        assert list(db.session.execute(text("SELECT state FROM callback_request")).scalars()) == ["new"]


@pytest.mark.parametrize(("language", "days"), [("en", "for 45 days"), ("es", "45 días")])
def test_privacy_page_states_the_retention_in_days(make_site, clock, language, days):
    site = make_site(KEEP_CLOSED_DAYS=45)
    assert days in Visitor(site).get(f"/privacy?lang={language}").words
    with site.app_context():
        assert retention.purge_closed(clock()) == 0
