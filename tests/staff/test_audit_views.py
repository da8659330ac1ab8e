"""The audit page: complete, filtered by indexes, and immutable."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DatabaseError

from screening import audit
from screening.audit import AuditEvent
from screening.extensions import db
from screening.staff import display_names
from tests.support.clock import NOON, machine_time
from tests.support.databases import assert_indexed, plain_engine, statements_of

DAY = 24 * 60 * 60


@pytest.fixture(autouse=True)
def monday_noon(clock):
    clock.now = NOON


def note(team, *events):
    with team.app.app_context():
        db.session.add_all(audit.event(*event) for event in events)
        db.session.commit()


def lines(page):
    return [[cell.get_text(" ", strip=True) for cell in row.find_all("td")] for row in page.main.select("tbody tr")]


def test_events_are_listed_newest_first_with_names_and_labels(team, admin):
    member = team.add("dana", "responses")
    member.sign_in()
    note(team, ("thing.done", NOON + 90, team.id_of(member), "f00d"))
    found = lines(admin.get("/staff/audit"))
    assert found[0] == ["Nov 23, 2026, 12:01:30\u202fPM", "Dana", "thing.done", "f00d", ""]
    assert found[1][1:] == ["Dana", "Signed in", "Dana", ""]
    assert found[2][1:] == ["A command on the server", "Account added", "Dana", "Roles: Responses"]


def test_registered_label_replaces_the_event_name(team, admin, monkeypatch):
    monkeypatch.setitem(display_names.ACTION_LABELS, "thing.done", "Request opened")
    note(team, ("thing.done", NOON, "x", "f00d"))
    assert lines(admin.get("/staff/audit"))[0][2] == "Request opened"


def test_filters_apply_alone_and_combined(team, admin):
    note(
        team,
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
    assert subjects(who=team.id_of(admin), action="account.signed_in") == [("Signed in", "Ada")]
    page = admin.get("/staff/audit?who=nobody")
    assert "There are no such events" in page.words


def test_date_filter_uses_the_clinics_time_zone(team, admin):
    zone = team.app.extensions["clinic"].time_zone
    midnight = int(datetime(2026, 11, 10, tzinfo=zone).timestamp())
    note(
        team,
        ("a.before", midnight - 1, "x", "1"),
        ("a.first", midnight, "x", "2"),
        ("a.last", midnight + DAY - 1, "x", "3"),
    )
    found = [line[2] for line in lines(admin.get("/staff/audit?since=2026-11-10&until=2026-11-10"))]
    assert found == ["a.last", "a.first"]


def test_invalid_date_filter_shows_an_error(admin):
    page = admin.get("/staff/audit?since=yesterday")
    assert page.title.startswith("Error: ") and "a day such as" in page.words and page.status == 200


def test_malformed_page_cursor_shows_the_first_page(team, admin):
    note(team, *(("a.one", NOON, "visitor", f"s{number}") for number in range(60)))
    first = lines(admin.get("/staff/audit"))
    assert len(first) == 50 and first[0][3] == "s59"
    for before in ("x", "-1", "99999999999999999999", "1 OR 1=1", "²"):
        assert lines(admin.get("/staff/audit", query_string={"before": before})) == first, before


@pytest.mark.each_database
def test_pagination_has_no_gap_or_repeat_and_preserves_filter(team):
    admin = team.add("ada", "admin")
    admin.sign_in()
    note(team, *(("a.one", NOON, "visitor", f"s{number}") for number in range(120)))
    seen, page = [], admin.get("/staff/audit?who=visitor&lang=en")
    sizes = []
    while True:
        found = [line[3] for line in lines(page)]
        sizes.append(len(found))
        seen += found
        note(team, ("a.one", NOON, "visitor", "meanwhile"))
        older = page.main.find("a", string="Older events")
        if older is None:
            break
        page = admin.get(older["href"])
    assert seen == [f"s{number}" for number in reversed(range(120))] and sizes == [50, 50, 20]


QUERIES = ("", "?who=visitor", "?subject=99", "?since=2026-11-23", "?before=200", "?action=a.two")


@pytest.mark.each_database
def test_page_reads_every_filter_by_an_index(team, database_url):
    admin = team.sign_in("ada", "admin")
    rows = [
        {"at": int(NOON) - number, "actor": "visitor", "action": "a.one", "subject": str(number), "detail": {}}
        for number in range(3000)
    ]
    with plain_engine(database_url) as engine, engine.begin() as connection:
        connection.execute(insert(AuditEvent), rows)
        connection.execute(text("ANALYZE"))
    for query in QUERIES:
        sent = statements_of(team.app, lambda query=query: admin.get(f"/staff/audit{query}"))
        assert_indexed(team.app, sent, "audit_event", in_key_order=query in ("", "?since=2026-11-23"))
        assert len([each for each in sent if "FROM audit_event" in each[0]]) == 1, query


COLUMNS = "id, at, actor, action, subject, detail"
REPLACED = f"INSERT OR REPLACE INTO audit_event ({COLUMNS}) VALUES ({{id}}, 1, 'x', 'x', 'x', '{{{{}}}}')"

CHANGES = [
    "UPDATE audit_event SET actor = 'x'",
    "DELETE FROM audit_event",
    REPLACED,
    REPLACED.replace("INSERT OR REPLACE", "REPLACE"),
    "UPDATE OR REPLACE audit_event SET id = {other}, at = 1 WHERE id = {id}",
    f"INSERT INTO audit_event ({COLUMNS}) VALUES ({{id}}, 1, 'x', 'x', 'x', '{{{{}}}}')"
    " ON CONFLICT (id) DO UPDATE SET at = 1",
]
"""Changes of events; PostgreSQL has no ``OR REPLACE`` and refuses its syntax."""


@pytest.mark.each_database
@pytest.mark.parametrize("statement", CHANGES)
def test_database_refuses_every_change_of_recent_events(team, statement):
    note(team, ("a.one", machine_time(), "visitor", "s1"), ("a.two", machine_time(), "visitor", "s2"))
    with team.app.app_context():
        stored = text("SELECT id, at, actor, subject FROM audit_event ORDER BY subject")
        before = db.session.execute(stored).all()
        with pytest.raises(DatabaseError, match=r"never changed|kept for a year|syntax"):
            db.session.execute(text(statement.format(id=before[0].id, other=before[1].id)))
        db.session.rollback()
        assert db.session.execute(stored).all() == before and len(before) == 2


def test_sqlite_replaces_events_without_the_insert_trigger(team):
    """The control: with the other two triggers alone, an event could be dated back, and then deleted."""
    note(team, ("a.one", machine_time(), "visitor", "s1"))
    with team.app.app_context():
        db.session.execute(text("DROP TRIGGER audit_event_new"))
        db.session.execute(text(REPLACED.format(id=db.session.execute(text("SELECT id FROM audit_event")).scalar())))
        db.session.execute(text("DELETE FROM audit_event"))
        assert db.session.execute(text("SELECT count(*) FROM audit_event")).scalar() == 0


@pytest.mark.each_database
def test_database_permits_deleting_events_over_a_year_old(team):
    note(team, ("a.one", machine_time() - 366 * DAY, "visitor", "s1"))
    with team.app.app_context():
        db.session.execute(text("DELETE FROM audit_event"))
        db.session.commit()
        assert db.session.execute(text("SELECT count(*) FROM audit_event")).scalar() == 0
