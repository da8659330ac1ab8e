"""The review page, and consent to storing the anonymous response."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from sqlalchemy import text

from tests.support.databases import pending_responses, plain_engine
from tests.support.visitor import SIGNS, Visitor


def test_review_lists_each_answer_with_a_change_link(visitor):
    page = visitor.walk(pain="2", appetite="declined", stress=("work", "money"))
    rows = {
        row.dt.get_text(strip=True): row.select_one(".nhsuk-summary-list__value").get_text(strip=True)
        for row in page.soup.select(".nhsuk-summary-list__row")
    }
    assert len(rows) == 10
    assert rows["Pain in daily life"] == "More than half the days"
    assert rows["Eating too much or too little"] == "Prefer not to say"
    assert rows["Average pain in the last week"] == "6 out of 10"
    assert rows["What raises your stress"] == "Work, Money"
    hidden = page.soup.select_one(".nhsuk-summary-list__actions a")
    assert hidden is not None and " ".join(hidden.get_text().split()) == "Change Sadness or anxiety"


def test_changing_an_answer_returns_to_the_review(visitor):
    visitor.walk()
    page = visitor.get("/check/sleep?from=review")
    assert page.soup.select_one("a.nhsuk-back-link")["href"] == "/check/review"  # type: ignore[index]
    page = visitor.send(page, "/check/sleep", sleep="1")
    assert page.address == "/check/review" and "Several days" in page.words


def test_change_that_adds_questions_asks_them_before_review(visitor):
    visitor.walk()
    page = visitor.send(visitor.get("/check/pain?from=review"), "/check/pain", pain="3")
    assert page.address == "/check/pain_duration"
    page = visitor.send(page, "/check/pain_duration", pain_duration="under_3_months")
    assert page.address == "/check/pain_average"
    assert visitor.send(page, "/check/pain_average", pain_average="2").address == "/check/review"


def test_changing_pain_to_none_drops_the_follow_ups(visitor):
    visitor.walk(pain="3")
    page = visitor.send(visitor.get("/check/pain?from=review"), "/check/pain", pain="0")
    assert page.address == "/check/review" and "out of 10" not in page.words


def test_invalid_change_returns_to_review_after_correction(visitor):
    visitor.walk()
    page = visitor.send(visitor.get("/check/sleep?from=review"), "/check/sleep", sleep="9")
    assert page.status == 200
    assert visitor.send(page, "/check/sleep", sleep="1").address == "/check/review"


def test_consent_has_no_default_and_must_be_chosen(visitor, database_url):
    page = visitor.walk()
    assert page.chosen() == []
    page = visitor.send(page, "/check/review")
    assert page.status == 200 and "Choose yes or no" in page.words and page.title.startswith("Error: ")
    assert visitor.get("/summary").address == "/check/review"
    assert pending_responses(database_url) == []


def test_refused_consent_stores_nothing_and_skips_age(visitor, database_url):
    visitor.walk()
    page = visitor.disagree()
    assert page.address == "/summary" and "No copy was kept." in page.words
    assert pending_responses(database_url) == []


@pytest.mark.each_database
def test_consent_stores_only_the_announced_fields(visitor, database_url, clock):
    visitor.walk(pain="2", sadness="3", sleep="declined", stress=("family",))
    page = visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    assert page.address == "/check/age" and pending_responses(database_url) == []
    page = visitor.send(page, "/check/age", age="25_to_34")
    assert page.address == "/summary" and "anonymous copy is kept apart for one to two days" in page.words
    (row,) = pending_responses(database_url)
    answers = row.pop("answers")
    answers = json.loads(answers) if isinstance(answers, str) else answers
    assert answers == {
        **dict.fromkeys(SIGNS, "0"),
        "pain": "2",
        "sadness": "3",
        "sleep": "declined",
        "pain_average": "6",
    }
    identity = row.pop("id")
    assert len(identity) == 32
    assert row == {
        "period": f"{datetime.fromtimestamp(clock(), visitor.site.extensions['clinic'].time_zone):%Y-%m}",
        "questionnaire": "warning_signs",
        "version": 1,
        "age_band": "25_to_34",
        "pain_duration": "over_a_year",
        "batch": None,
    }


def test_absent_pain_is_stored_differently_from_declined(visitor, database_url):
    visitor.walk()
    visitor.agree(age="declined")
    (row,) = pending_responses(database_url)
    assert (row["age_band"], row["pain_duration"]) == ("declined", "not_shown")


@pytest.mark.each_database
def test_repeated_consent_stores_a_single_response(visitor, database_url):
    visitor.walk()
    page = visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    cookie = visitor.client.get_cookie("draft").value
    for _ in range(3):  # the same submission again, with the cookies of before
        visitor.client.set_cookie("draft", cookie)
        assert visitor.send(page, "/check/age", age="25_to_34").address == "/summary"
    visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    assert len(pending_responses(database_url)) == 1


@pytest.mark.each_database
def test_changed_answer_updates_the_pending_response(visitor, database_url):
    visitor.walk(sadness="1")
    visitor.agree()
    visitor.send(visitor.get("/check/sadness?from=review"), "/check/sadness", sadness="3")
    page = visitor.get("/check/review")
    assert page.chosen() == ["yes"] and "45 to 54" in page.words
    assert visitor.send(page, "/check/review", consent="yes").address == "/summary"
    (row,) = pending_responses(database_url)
    assert '"sadness": "3"' in json.dumps(
        row["answers"] if isinstance(row["answers"], dict) else json.loads(row["answers"])
    )


@pytest.mark.each_database
def test_response_can_be_withdrawn_and_stored_again(visitor, database_url):
    visitor.walk()
    visitor.agree()
    assert len(pending_responses(database_url)) == 1
    assert "No copy was kept." in visitor.disagree().words
    assert pending_responses(database_url) == []
    visitor.agree()
    assert len(pending_responses(database_url)) == 1


def test_under_18_stores_no_response_and_advises_an_adult(visitor, database_url):
    visitor.walk()
    page = visitor.agree(age="under_18")
    assert page.address == "/summary" and pending_responses(database_url) == []
    assert "parent, a guardian or a doctor" in page.words and "No copy was kept" in page.words


def test_changing_age_to_under_18_withdraws_the_response(visitor, database_url):
    visitor.walk()
    visitor.agree()
    visitor.send(visitor.get("/check/age"), "/check/age", age="under_18")
    assert pending_responses(database_url) == []


@pytest.mark.each_database
def test_shuffled_response_is_neither_changed_nor_stored_again(visitor, database_url):
    visitor.walk()
    visitor.agree()
    address = database_url.removesuffix(".sqlite") + "-pending.sqlite" if "sqlite" in database_url else database_url
    with plain_engine(address) as engine, engine.begin() as connection:
        connection.execute(text("DELETE FROM pending_response"))  # as shuffling leaves it
    page = visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    assert "already mixed" in page.words and pending_responses(database_url) == []
    assert "already mixed" in visitor.disagree().words


def test_two_visitors_store_separate_responses(site, database_url):
    for _ in range(2):
        visitor = Visitor(site)
        visitor.walk()
        visitor.agree()
    assert len({row["id"] for row in pending_responses(database_url)}) == 2


def test_summary_without_database_states_no_response_stored(make_site, tmp_path):
    for broken in (f"sqlite:///{tmp_path}/nowhere/site.sqlite", "postgresql://site@/none?host=/nowhere"):
        visitor = Visitor(make_site(DATABASE_URL=broken))
        visitor.walk(sadness="2")
        page = visitor.agree()
        assert page.status == 200 and page.address == "/summary"
        assert "1 of 7" in page.words and "We could not reach the place where copies are kept" in page.words
        assert visitor.get("/check/sadness").chosen() == ["2"]
        assert visitor.disagree().address == "/summary"


def test_response_is_stored_after_database_recovery(make_site, sqlite_url, tmp_path):
    file = tmp_path / "site-pending.sqlite"
    moved_file = file.with_suffix(".away")
    file.rename(moved_file)
    file.mkdir()
    visitor = Visitor(make_site())
    visitor.walk()
    assert "could not reach" in visitor.agree().words
    file.rmdir()
    moved_file.rename(file)
    page = visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    assert "anonymous copy is kept apart for one to two days" in page.words and len(pending_responses(sqlite_url)) == 1


def test_summary_says_response_is_outdated_until_resent(visitor):
    visitor.walk(sadness="1")
    visitor.agree()
    visitor.send(visitor.get("/check/sadness?from=review"), "/check/sadness", sadness="3")
    assert "still has the old answer" in visitor.get("/summary").words
    page = visitor.send(visitor.get("/check/review"), "/check/review", consent="yes")
    assert "anonymous copy is kept apart for one to two days" in page.words


def test_changed_age_updates_response_and_returns_to_review(visitor, database_url):
    visitor.walk()
    visitor.agree()
    page = visitor.send(visitor.get("/check/age?from=review"), "/check/age", age="65_to_74")
    assert page.address == "/check/review" and pending_responses(database_url)[0]["age_band"] == "65_to_74"
    page = visitor.send(visitor.get("/check/age?from=review"), "/check/age", age="under_18")
    assert page.address == "/check/review" and pending_responses(database_url) == []


@pytest.mark.parametrize("lang", ["en", "es"])
def test_consent_group_is_described_by_one_sentence(visitor, lang):
    visitor.get(f"/?lang={lang}")
    page = visitor.walk()
    group = page.main.find("fieldset")
    described = page.main.find(id=group["aria-describedby"])
    sentence = " ".join(described.get_text(" ").split())
    assert sentence.count(".") == 1 and sentence.endswith(".")
    hint = described.find_parent(class_="nhsuk-hint")
    assert hint is not None and hint.get_text().strip().startswith(sentence)
