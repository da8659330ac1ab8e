"""Public holidays: those of the law in each year, and due times that never fall on one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening import clinic
from screening.callbacks.business_hours import business_days_overdue, due_at, is_open
from screening.callbacks.clinic_calendar import regular_calendar
from screening.public_holidays import YEARS, public_holidays

FIXED = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
"""Month and day of the holidays of 5 U.S.C. 6103(a) that have a date."""

NTH = ((1, 0, 3), (2, 0, 3), (9, 0, 1), (10, 0, 2), (11, 3, 4))
"""Of the others but Memorial Day: month, weekday (Monday is 0), and which of the month."""

DAY = timedelta(days=1)
DEMO = clinic.load(clinic.DEMO)
CALENDAR = regular_calendar(DEMO)

years = st.sampled_from(YEARS[1:-1])
moments = st.datetimes(datetime(2026, 1, 1), datetime(2049, 6, 1)).map(lambda at: at.replace(tzinfo=UTC))


def by_law(year: int) -> set[date]:
    """Return the holidays of a year by the rules of the law, before any is moved from a weekend."""
    days = {date(year, month, day) for month, day in FIXED}
    for month, weekday, nth in NTH:
        first = date(year, month, 1)
        days.add(first + DAY * ((weekday - first.weekday()) % 7 + 7 * (nth - 1)))
    last = date(year, 5, 31)
    return days | {last - DAY * last.weekday()}


def observed(day: date) -> date:
    """Return the weekday on which a holiday is observed: Friday for a Saturday, Monday for a Sunday."""
    return day + DAY * {5: -1, 6: 1}.get(day.weekday(), 0)


@given(years)
def test_holidays_of_each_year_are_those_of_the_law(year):
    wanted = {day for near in (year - 1, year, year + 1) for each in by_law(near) for day in (each, observed(each))}
    assert {day for day in public_holidays("US") if day.year == year} - {date(year, 1, 20), date(year, 1, 21)} == {
        day for day in wanted if day.year == year
    } - {date(year, 1, 20), date(year, 1, 21)}


@given(moments)
def test_no_request_is_due_on_a_holiday(asked_at):
    due = due_at(CALENDAR, asked_at).astimezone(DEMO.time_zone)
    assert due.date() not in DEMO.holiday_dates and due.weekday() < 5
    between = [asked_at.astimezone(DEMO.time_zone).date() + DAY * ahead for ahead in range(1, 8)]
    open_days = [day for day in between if day.weekday() < 5 and day not in DEMO.holiday_dates]
    assert due.date() == open_days[0]
    assert business_days_overdue(CALENDAR, due, due + DAY) == (due.date() + DAY in open_days)


@given(st.sampled_from(sorted(DEMO.holiday_dates)), st.integers(0, 23))
def test_clinic_is_closed_on_each_holiday(day, hour):
    assert not is_open(CALENDAR, datetime(day.year, day.month, day.day, hour, tzinfo=DEMO.time_zone))


def test_unknown_country_has_no_holidays():
    with pytest.raises(ValueError, match="no list of the holidays of Mars"):
        public_holidays("Mars")
