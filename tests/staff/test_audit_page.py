"""The audit page: what happened, found quickly, changed by nobody."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DatabaseError

from screening import audit
from screening.audit import AuditEvent
from screening.extensions import db
from screening.staff import audit_page
from tests.conftest import NOON

DAY = 24 * 60 * 60


def note(office, *events):
    with office.app.app_context():
        db.session.add_all(audit.event(*event) for event in events)
        db.session.commit()


def lines(page):
    return [[cell.get_text(" ", strip=True) for cell in row.find_all("td")] for row in page.main.select("tbody tr")]


def test_events_are_told_in_words_newest_first_with_names_of_accounts(office, admin):
    clerk = office.hire("dana", "responses")
    clerk.sign_in()
    note(office, ("thing.done", NOON + 90, office.id_of(clerk), "f00d"))
    found = lines(admin.get("/staff/audit"))
    assert found[0] == ["Nov 23, 2026, 12:01:30\u202fPM", "Dana", "thing.done", "f00d", ""]
    assert found[1][1:] == ["Dana", "Signed in", "Dana", ""]
    assert found[2][1:] == ["A command on the server", "Account added", "Dana", "roles: responses"]


def test_another_wing_gives_its_words(office, admin, monkeypatch):
    monkeypatch.setitem(audit_page.WORDS, "thing.done", "Request opened")
    note(office, ("thing.done", NOON, "x", "f00d"))
    assert lines(admin.get("/staff/audit"))[0][2] == "Request opened"


def test_filters_work_alone_and_together(office, admin):
    note(
        office,
        ("a.one", NOON - 2 * DAY, "visitor", "s1"),
        ("a.two", NOON - DAY, "command", "s1"),
        ("a.one", NOON - DAY, "visitor", "s2"),
    )

    def subjects(**wanted):
        page = admin.get("/staff/audit", query_string=wanted)
        return [(line[2], line[3]) for line in lines(page)]

    assert subjects(who="visitor") == [("a.one", "s2"), ("a.one", "s1")]
    assert subjects(action="a.two") == [("a.two", "s1")]
    assert subjects(subject=" s1 ") == [("a.two", "s1"), ("a.one", "s1")]
    assert subjects(until="2026-11-22") == [("a.one", "s2"), ("a.two", "s1"), ("a.one", "s1")]
    assert subjects(until="2026-11-21") == [("a.one", "s1")]
    assert subjects(since="2026-11-22", until="2026-11-22") == [("a.one", "s2"), ("a.two", "s1")]
    assert subjects(since="2026-11-22", until="2026-11-22", who="visitor") == [("a.one", "s2")]
    assert subjects(who="visitor", action="a.two") == []
    assert subjects(who=office.id_of(admin), action="account.signed_in") == [("Signed in", "Ada")]
    page = admin.get("/staff/audit?who=nobody")
    assert "There are no such events" in page.words


def test_a_day_is_the_clinics(office, admin):
    zone = office.app.extensions["clinic"].time_zone
    from datetime import datetime

    midnight = int(datetime(2026, 11, 10, tzinfo=zone).timestamp())
    note(
        office,
        ("a.before", midnight - 1, "x", "1"),
        ("a.first", midnight, "x", "2"),
        ("a.last", midnight + DAY - 1, "x", "3"),
    )
    found = [line[2] for line in lines(admin.get("/staff/audit?since=2026-11-10&until=2026-11-10"))]
    assert found == ["a.last", "a.first"]


def test_what_is_no_day_is_told(admin):
    page = admin.get("/staff/audit?since=yesterday")
    assert page.title.startswith("Error: ") and "a day such as" in page.words and page.status == 200


@pytest.mark.parametrize("before", ["x", "-1", "99999999999999999999", "1 OR 1=1", "²"])
def test_an_odd_page_number_is_the_first_page(admin, before):
    assert lines(admin.get("/staff/audit", query_string={"before": before}))


def test_pages_follow_each_other_without_gap_or_repeat_and_keep_the_filter(office_on_each):
    admin = office_on_each.hire("ada", "admin")
    admin.sign_in()
    note(office_on_each, *(("a.one", NOON, "visitor", f"s{number}") for number in range(120)))
    seen, page = [], admin.get("/staff/audit?who=visitor&lang=en")
    sizes = []
    while True:
        found = [line[3] for line in lines(page)]
        sizes.append(len(found))
        seen += found
        note(office_on_each, ("a.one", NOON, "visitor", "meanwhile"))
        older = page.main.find("a", string="Older events")
        if older is None:
            break
        page = admin.get(older["href"])
    assert seen == [f"s{number}" for number in reversed(range(120))] and sizes == [50, 50, 20]


def test_a_hundred_thousand_events_are_no_burden(office_on_each):
    admin = office_on_each.hire("ada", "admin")
    admin.sign_in()
    with office_on_each.app.app_context():
        rows = [
            {"at": int(NOON) - number, "actor": "visitor", "action": "a.one", "subject": str(number), "detail": {}}
            for number in range(100_000)
        ]
        db.session.execute(insert(AuditEvent), rows)
        db.session.commit()
    took = []
    for query in ("", "?who=visitor", "?subject=99999", "?since=2026-11-23", "?before=200", "?action=a.two"):
        began = time.perf_counter()
        assert admin.get(f"/staff/audit{query}").status == 200
        took.append(time.perf_counter() - began)
    assert max(took) < 0.5, took


@pytest.mark.parametrize("statement", ["UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event"])
def test_the_database_itself_keeps_events(office_on_each, statement):
    now = time.time()
    note(office_on_each, ("a.one", now, "visitor", "s1"))
    with office_on_each.app.app_context():
        with pytest.raises(DatabaseError, match=r"never changed|kept for a year"):
            db.session.execute(text(statement))
        db.session.rollback()
        assert db.session.execute(text("SELECT actor FROM audit_event")).scalars().all() == ["visitor"]


def test_an_event_older_than_a_year_may_go(office_on_each):
    note(office_on_each, ("a.one", time.time() - 366 * DAY, "visitor", "s1"))
    with office_on_each.app.app_context():
        db.session.execute(text("DELETE FROM audit_event"))
        db.session.commit()
        assert db.session.execute(text("SELECT count(*) FROM audit_event")).scalar() == 0
