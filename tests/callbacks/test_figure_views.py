"""The page of figures and its file: the same before and after requests are purged, and nothing of a person stored."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections import Counter
from random import Random

import pytest
from sqlalchemy import select, text

from screening import audit
from screening.callbacks import clinic_calendar, figure_store
from screening.callbacks.models import CallbackRequest, FigureBlock, WeeklyCount
from screening.callbacks.workflow import Progress, State
from screening.clinic import DEMO, load
from screening.extensions import db
from screening.operations.purge import purge
from screening.staff.models import Account

DAY = 24 * 60 * 60
K = 11


def store_requests(team, now, number=240):
    """Store closed and withdrawn requests of the last 16 weeks, with calls by one account."""
    dice = Random(3)
    with team.app.app_context():
        who = db.session.scalar(select(Account.id))
        for _ in range(number):
            asked = int(now) - dice.randrange(14, 16 * 7) * DAY
            one = CallbackRequest(id=secrets.token_hex(16), asked_at=asked, due_at=asked + DAY, rank=1)
            one.language, one.ended_at = dice.choice(("en", "en", "es")), asked + 3 * DAY
            one.progress = Progress(State.WITHDRAWN if dice.random() < 0.1 else State.CLOSED, who, 1)
            db.session.add(one)
            called = asked + dice.randrange(2 * DAY)
            outcome = dice.choice(("no_answer", "voicemail", "spoke_booked"))
            db.session.add(audit.event("request.attempted", called, who, one.id, outcome=outcome))
        db.session.commit()


def shown(team, now):
    """Return the figures of every block."""
    with team.app.app_context():
        calendar = clinic_calendar.regular_calendar(load(DEMO))
        return json.loads(json.dumps([(str(start), tables) for start, tables in figure_store.blocks(calendar, now, K)]))


def run_purge(team, now):
    with team.app.app_context():
        purge(team.app.config["SETTINGS"], load(DEMO), now)


@pytest.mark.each_database
@pytest.mark.usefixtures("monday_noon")
def test_figures_stay_the_same_when_requests_are_purged(team, ann, clock):
    store_requests(team, clock())
    before = shown(team, clock())
    assert len(before) >= 3
    for _ in range(2):
        run_purge(team, clock())
        assert shown(team, clock()) == before
    with team.app.app_context():
        assert 0 < len(db.session.scalars(select(CallbackRequest)).all()) < 240
    run_purge(team, clock() + 40 * DAY)
    later = dict(shown(team, clock() + 40 * DAY))
    assert {start: later[start] for start, _ in before} == dict(before)


@pytest.mark.usefixtures("monday_noon")
def test_no_small_count_is_stored_once_a_block_is_purged(team, ann, clock):
    store_requests(team, clock())
    run_purge(team, clock() + 70 * DAY)
    with team.app.app_context():
        blocks = db.session.scalars(select(FigureBlock)).all()
        assert len(blocks) >= 4 and db.session.scalars(select(WeeklyCount)).all() == []
        stored = Counter(
            "hidden" if count is None else "small" if 0 < count < K else "shown"
            for block in blocks
            for period in block.tables["periods"]
            for *_, count in period["cells"]
        )
        assert stored["small"] == 0 and stored["hidden"] and stored["shown"]
        names = " ".join(json.dumps(block.tables) for block in blocks)
        assert db.session.scalar(select(Account.id)) not in names


@pytest.mark.usefixtures("monday_noon")
def test_undone_outcome_is_no_call(team, ann, clock):
    with team.app.app_context():
        asked = int(clock()) - 60 * DAY
        for number in range(20):
            one = CallbackRequest(id=f"{number:032}", asked_at=asked, due_at=asked + DAY, rank=1, language="en")
            one.progress, one.ended_at = Progress(State.CLOSED), asked
            db.session.add(one)
            db.session.add(audit.event("request.attempted", asked + 60, "someone", one.id, outcome="no_answer"))
            db.session.add(audit.event("request.undone", asked + 90, "someone", one.id, outcome="no_answer"))
        db.session.commit()
    ((_, tables),) = shown(team, clock())
    cells = {tuple(cell): count for period in tables["periods"] for *cell, count in period["cells"]}
    found = {cell: count for cell, count in cells.items() if cell[0] == "" and count}
    assert found == {
        ("", "", ""): 20,
        ("", "answered", "late"): 20,
        ("", "first", "none"): 20,
        ("", "ended", "none"): 20,
    }


@pytest.mark.usefixtures("monday_noon")
def test_figures_page_and_file_show_the_same_counts(team, ann, clock):
    store_requests(team, clock(), number=600)
    page = ann.get("/staff/figures?blocks=13")
    response = ann.client.get("/staff/figures.csv")
    rows = list(csv.DictReader(io.StringIO(response.get_data(as_text=True))))
    assert response.headers["Content-Disposition"] == "attachment; filename=figures.csv"
    counted = [
        row for row in rows if row["language"] == "all" and row["figure"] == "answered" and row["value"] == "in_time"
    ]
    assert len(counted) >= 3
    table = page.main.find("table").get_text(" ")
    assert all((row["count"] or "hidden") in table for row in counted)
    assert "Jan" not in page.words and "Requests by week" in page.words


@pytest.mark.usefixtures("monday_noon")
@pytest.mark.parametrize(
    ("query", "word"), [("?language=es", "Time to the first call"), ("?lang=es", "Respondidas a tiempo")]
)
def test_figures_page_is_read_by_language(team, ann, clock, query, word):
    store_requests(team, clock(), number=300)
    assert word in ann.get(f"/staff/figures{query}").words


@pytest.mark.usefixtures("monday_noon")
@pytest.mark.parametrize(
    ("query", "label", "values"),
    [
        ("", "Median time to the first call", ("Within 2 hours", "Same day", "Next business day", "Later")),
        (
            "?lang=es",
            "Tiempo mediano hasta la primera llamada",
            ("En 2 horas", "El mismo día", "El siguiente día hábil"),
        ),
    ],
    ids=["en", "es"],
)
def test_figures_page_states_the_median_time_to_a_call(team, ann, clock, query, label, values):
    with team.app.app_context():
        week = "2026-10-26"
        waits = {"soon": 20, "same_day": 15, "next_day": 40, "none": 30}
        counts = Counter({(week, "en", "first", wait): count for wait, count in waits.items()})
        for figure, value in (("answered", "in_time"), ("ended", "spoke")):
            counts[week, "en", figure, value] = sum(waits.values())
        figure_store.add(counts)
        db.session.commit()
    (median,) = [row for row in ann.get(f"/staff/figures{query}").main.select(".app-stats li") if label in row.text]
    assert median.b.get_text() == values[2]


@pytest.mark.usefixtures("monday_noon")
def test_figures_page_of_weeks_without_a_call_opens(team, ann):
    with team.app.app_context():
        figure_store.add({("2026-08-03", "en", figure, "none"): 40 for figure in ("answered", "first", "ended")})
        db.session.commit()
    page = ann.get("/staff/figures?blocks=13")
    assert "Answered in time 0" in page.words and "Called within 2 hours 0" in page.words


def test_figures_page_of_a_new_clinic_says_when_they_begin(ann):
    assert "There are no figures yet" in ann.get("/staff/figures").words


def test_stored_counts_have_no_column_of_a_person_or_time(team, ann):
    with team.app.app_context():
        columns = set(WeeklyCount.__table__.columns.keys()) | set(FigureBlock.__table__.columns.keys())
        assert db.session.execute(text("SELECT count(*) FROM callback_weekly_count")).scalar() == 0
    assert columns == {"week", "language", "figure", "value", "count", "start", "tables"}
