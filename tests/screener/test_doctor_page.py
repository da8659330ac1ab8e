"""The page for the doctor: drawn from the draft alone, and only when the walk is finished."""

from __future__ import annotations

import pytest

from tests.support.databases import pending_responses


@pytest.mark.parametrize("lang", ["en", "es"])
def test_doctors_page_shows_answers_pain_and_date(visitor, lang):
    visitor.get(f"/?lang={lang}")
    visitor.walk(sadness="2", sleep="declined", pain="3", pain_average="7")
    visitor.disagree()
    page = visitor.get("/summary/doctor")
    answers = [value.get_text() for value in page.main.select(".app-chart__value")]
    assert len(answers) == 7
    assert answers[:2] == {"en": ["More than half", "Not answered"], "es": ["Más de la mitad", "Sin respuesta"]}[lang]
    for expected in {"en": ("7 out of 10", "2026", "1 question I chose"), "es": ("7 de 10", "2026", "1 pregunta que")}[
        lang
    ]:
        assert expected in page.words
    assert page.soup.find("a", href="/summary") is not None


def test_doctors_page_stores_nothing_and_sets_no_cookie(visitor, database_url):
    visitor.walk(pain="2")
    visitor.disagree()
    response = visitor.get("/summary/doctor").response
    assert "Set-Cookie" not in response.headers and pending_responses(database_url) == []
    assert response.headers["Cache-Control"] == "no-store"


def test_doctors_page_of_an_open_walk_leads_to_the_question(visitor):
    assert visitor.get("/summary/doctor").address == "/check/sadness"
    visitor.answer("sadness", "1")
    assert visitor.get("/summary/doctor").address == "/check/sleep"


def test_doctors_page_leaves_out_pain_that_was_not_noticed(visitor):
    visitor.walk()
    visitor.disagree()
    page = visitor.get("/summary/doctor")
    assert page.main.find(class_="app-painline") is None and "chose not to answer" not in page.words
