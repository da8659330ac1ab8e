"""The clinic's own page: what visitors are told, and whether it is in order; and the page of closed days."""

from __future__ import annotations

from datetime import date

import pytest

from screening.callbacks import clinic_calendar
from screening.clinic import DEMO
from screening.public_holidays import public_holidays
from tests.support.absence import assert_absent
from tests.support.staff_client import Team

SOURCE = DEMO.read_text(encoding="utf-8")

CLOSED_DAYS = "/staff/callbacks/closed-days"


def words(page):
    """Return the words of a page with plain spaces."""
    return page.words.replace("\u202f", " ").replace("\xa0", " ")


@pytest.fixture
def lunch_team(make_site, tmp_path, monday_noon):
    """The team of a clinic with a lunch break, notices and named holidays."""
    file = tmp_path / "clinic.toml"
    text = SOURCE.replace('= ["08:00", "17:00"]', '= ["08:00", "12:00", "13:00", "17:00"]')
    file.write_text(text.replace('privacy_notice = ""', 'privacy_notice = "https://www.clinic.example/privacy"'))
    return Team(make_site(CLINIC_FILE=file))


def page_of(team, query=""):
    """Return the clinic page as a staff member sees it."""
    return team.sign_in("ann", "callbacks").get(f"/staff/clinic{query}")


def test_clinic_page_states_hours_holidays_and_notices(lunch_team):
    found = words(page_of(lunch_team))
    assert "Monday 8:00 AM – 12:00 PM, 1:00 PM – 5:00 PM" in found and "Saturday closed" in found
    assert "Thanksgiving Day Thursday, November 26, 2026" in found and "New Year’s Day Friday, January 1, 2027" in found
    assert "(303) 555-0100" in found and "English, Español" in found
    assert "Notice of privacy practices Linked" in found
    assert "Nondiscrimination notice No link nondiscrimination_notice" in found
    assert "No mail server is set up" in found
    assert "clinic.toml" in found, "where to change it"


def test_clinic_page_in_lunch_break_says_when_it_opens(lunch_team):
    found = words(page_of(lunch_team))
    assert "Closed now. Open again on Mon, Nov 23, 1:00 PM." in found
    assert "A request sent now is due on Tue, Nov 24, 5:00 PM." in found


def test_clinic_page_reads_in_spanish_with_us_formats(lunch_team):
    found = words(page_of(lunch_team, "?lang=es"))
    assert "Lunes 8:00 a. m. – 12:00 p. m., 1:00 p. m. – 5:00 p. m." in found


def test_every_federal_holiday_has_a_spanish_name(team):
    with team.app.test_request_context("/?lang=es"):
        names = {name: clinic_calendar.holiday_name(name) for name in public_holidays("US").values()}
    assert [name for name, shown in names.items() if shown == name] == []
    assert names["Christmas Day (observed)"] == "Navidad (día feriado trasladado)"


@pytest.mark.parametrize("path", ["/staff/clinic", CLOSED_DAYS])
@pytest.mark.usefixtures("monday_noon")
def test_holidays_are_named_in_spanish_on_spanish_pages(team, ann, path):
    found = words(ann.get(f"{path}?lang=es"))
    assert "Día de Acción de Gracias" in found and "Navidad" in found
    assert_absent(["Thanksgiving Day", "Christmas Day"], found)


@pytest.mark.parametrize("name", ["Founders' day", "", "Fiesta (observed)", "Martin Luther King Jr. Day (observed) x"])
def test_other_names_of_holidays_stay_as_written(team, name):
    with team.app.test_request_context("/?lang=es"):
        assert clinic_calendar.holiday_name(name) == name


def test_crisis_facts_checked_long_ago_are_marked(team, clock):
    ann = team.sign_in("ann", "admin")
    assert "English checked on Nov" in (before := words(ann.get("/staff/clinic"))) and "Check again" not in before
    clock.forward(500 * 24 * 60 * 60)
    assert "Check again" in words(ann.sign_in("/staff/clinic"))


def test_admin_without_callbacks_finds_no_link_to_closed_days(team):
    page = team.sign_in("ann", "admin").get("/staff/clinic")
    assert_absent([CLOSED_DAYS], page.text)


@pytest.mark.usefixtures("monday_noon")
def test_added_closed_day_shows_on_the_clinic_page(ann):
    ann.send(ann.get(CLOSED_DAYS), CLOSED_DAYS, day="2026-11-24")
    page = ann.get("/staff/clinic")
    assert "Closed as well Tuesday, November 24, 2026" in words(page)
    assert "A request sent now is due on Wed, Nov 25" in words(page)


@pytest.mark.usefixtures("monday_noon")
@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2026-11-22", "This day is over. Enter a day from today on"),
        ("2025-12-24", "This day is over. Enter a day from today on"),
        ("2026-11-28", "The clinic is closed on this day anyway"),
        ("2026-11-26", "The clinic is closed on this day anyway"),
    ],
    ids=["yesterday", "last year", "Saturday", "holiday"],
)
def test_closed_day_that_changes_nothing_is_refused(ann, day, reason):
    page = ann.send(ann.get(CLOSED_DAYS), CLOSED_DAYS, day=day)
    assert reason in page.words
    assert_absent([f"Remove {date.fromisoformat(day):%A, %B %-d, %Y}"], page.words)


@pytest.mark.usefixtures("monday_noon")
def test_today_may_be_closed_once(ann):
    page = ann.send(ann.get(CLOSED_DAYS), CLOSED_DAYS, day="2026-11-23")
    assert "Remove Monday, November 23, 2026" in page.words
    assert "The clinic is closed on this day anyway" in ann.send(page, CLOSED_DAYS, day="2026-11-23").words
