"""Due times: in the future, within open hours, and exactly the later of the rule and the chosen time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from screening.callbacks.business_hours import (
    Calendar,
    NeverOpenError,
    PartOfDay,
    PreferredTimes,
    due_at,
    end_of_next_business_day,
    first_preferred_time,
    is_open,
    matches_preference,
    next_call_time,
    next_change,
    parts_within,
)

DENVER = ZoneInfo("America/Denver")
OFFICE = (time(8), time(17))
WEEK = (OFFICE,) * 5 + (None, None)
THANKSGIVING = date(2026, 11, 26)
CLINIC = Calendar(WEEK, frozenset({THANKSGIVING}), DENVER)

ZONES = (
    "America/Denver",
    "America/Phoenix",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Madrid",
    "Pacific/Apia",
)
DAY = timedelta(days=1)


def at(text: str, zone: ZoneInfo = DENVER) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("asked_at", "preferred", "by"),
    [
        ("2026-11-23 10:00", PreferredTimes(), "2026-11-24 17:00"),
        ("2026-11-22 21:41", PreferredTimes(), "2026-11-23 17:00"),
        ("2026-11-25 16:59", PreferredTimes(), "2026-11-27 17:00"),
        ("2026-11-27 09:00", PreferredTimes(), "2026-11-30 17:00"),
        ("2026-11-23 10:00", PreferredTimes(frozenset({1}), frozenset({PartOfDay.MORNING})), "2026-11-24 17:00"),
        ("2026-11-23 10:00", PreferredTimes(frozenset({2}), frozenset({PartOfDay.MORNING})), "2026-11-25 12:00"),
        ("2026-11-23 10:00", PreferredTimes(frozenset({3}), frozenset()), "2026-12-03 17:00"),
        ("2026-11-23 10:00", PreferredTimes(frozenset({0}), frozenset({PartOfDay.AFTERNOON})), "2026-11-24 17:00"),
        ("2026-11-23 17:00", PreferredTimes(frozenset({0}), frozenset({PartOfDay.MIDDAY})), "2026-11-30 15:00"),
    ],
)
def test_due_time_matches_hand_computed_examples(asked_at, preferred, by):
    assert due_at(CLINIC, at(asked_at), preferred).astimezone(DENVER) == at(by)


@pytest.mark.parametrize(("asked_at", "by"), [("2027-03-13 12:00", "2027-03-15"), ("2027-11-06 12:00", "2027-11-08")])
def test_due_time_across_dst_change_is_the_local_closing_time(asked_at, by):
    assert due_at(CLINIC, at(asked_at)).astimezone(DENVER) == at(f"{by} 17:00")


def test_closing_time_skipped_by_dst_moves_to_the_next_day():
    """Clocks go from 2:00 to 3:00 on 14 March 2027, so a day that closes at 2:30 has no such moment."""
    night = Calendar(((time(1), time(2, 30)),) * 7, frozenset(), DENVER)
    assert due_at(night, at("2027-03-13 12:00")).astimezone(DENVER) == at("2027-03-15 02:30")


def test_closing_time_repeated_by_dst_uses_the_first():
    night = Calendar(((time(0), time(1, 30)),) * 7, frozenset(), DENVER)
    by = due_at(night, at("2027-11-06 12:00"))
    assert by == datetime(2027, 11, 7, 7, 30, tzinfo=UTC)


def test_calendar_without_open_hours_raises_never_open_error():
    closed_calendar = Calendar((None,) * 7, frozenset(), DENVER)
    with pytest.raises(NeverOpenError):
        due_at(closed_calendar, at("2026-11-23 10:00"))
    with pytest.raises(NeverOpenError):
        due_at(CLINIC, at("2026-11-23 10:00"), PreferredTimes(frozenset({6}), frozenset()))


@pytest.mark.parametrize(
    ("now", "open_"),
    [
        ("2026-11-23 08:00", True),
        ("2026-11-23 07:59", False),
        ("2026-11-23 16:59", True),
        ("2026-11-23 17:00", False),
        ("2026-11-22 12:00", False),
        ("2026-11-26 12:00", False),
    ],
)
def test_is_open_follows_hours_weekends_and_holidays(now, open_):
    assert is_open(CLINIC, at(now)) is open_


def test_parts_of_a_day_are_clipped_to_business_hours():
    assert parts_within((time(9), time(13))) == (
        (PartOfDay.MORNING, time(9), time(12)),
        (PartOfDay.MIDDAY, time(12), time(13)),
    )


quarters = st.integers(0, 95).map(lambda n: time(n // 4, n % 4 * 15))
hours = st.tuples(quarters, quarters).filter(lambda pair: pair[0] < pair[1])
day_hours = st.tuples(st.integers(16, 94), st.integers(17, 95)).filter(lambda p: p[0] < p[1])
by_day = day_hours.map(lambda p: (time(p[0] // 4, p[0] % 4 * 15), time(p[1] // 4, p[1] % 4 * 15)))
dates = st.dates(date(2026, 1, 1), date(2028, 12, 31))
preferred_times = st.builds(PreferredTimes, st.frozensets(st.integers(0, 6)), st.frozensets(st.sampled_from(PartOfDay)))


def lunch(draw: st.DrawFn, open_hours: tuple[time, time] | None) -> tuple[time, time] | None:
    """Draw a break of whole quarters within a day's hours, or none where it would not fit."""
    inside = [q for q in map(quarter_of, range(96)) if open_hours and open_hours[0] < q < open_hours[1]]
    if len(inside) < 2 or draw(st.booleans()):
        return None
    first, then = sorted(draw(st.lists(st.sampled_from(inside), min_size=2, max_size=2, unique=True)))
    return first, then


def quarter_of(number: int) -> time:
    return time(number // 4, number % 4 * 15)


@st.composite
def questions(draw: st.DrawFn, hours_of_day: st.SearchStrategy) -> tuple[Calendar, datetime, PreferredTimes]:
    """Strategy: a calendar, a moment near which clocks may change, and a chosen time."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    week = tuple(draw(st.lists(st.none() | hours_of_day, min_size=7, max_size=7)))
    changes = [date(2027, 3, 14), date(2027, 11, 7), date(2027, 3, 28), date(2027, 10, 3), date(2027, 4, 4)]
    near = st.builds(lambda d, n: d + n * DAY, st.sampled_from(changes), st.integers(-4, 2))
    day = draw(near | dates)
    shut = draw(st.frozensets(st.builds(lambda n: day + n * DAY, st.integers(0, 20)), max_size=8))
    asked_at = datetime.combine(day, draw(st.times()), zone)
    breaks = tuple(lunch(draw, day_of_week) for day_of_week in week)
    return Calendar(week, shut, zone, breaks), asked_at, draw(preferred_times)


@given(questions(hours))
def test_due_time_is_in_the_future_and_within_open_hours(question):
    calendar, asked_at, preferred = question
    try:
        by = due_at(calendar, asked_at, preferred)
    except NeverOpenError:
        return
    assert by > asked_at
    local = by.astimezone(calendar.zone)
    assert local.date() not in calendar.shut
    open_hours = calendar.week[local.weekday()]
    pause = calendar.breaks[local.weekday()]
    assert open_hours is not None and open_hours[0] < local.time() <= open_hours[1]
    assert pause is None or not pause[0] < local.time() <= pause[1]


@given(questions(by_day))
@example((CLINIC, at("2026-11-23 10:00"), PreferredTimes()))
def test_due_time_is_the_later_of_rule_and_chosen_time(question):
    """The expected time is recomputed by stepping over quarters of an hour on the clinic's clock."""
    calendar, asked_at, preferred = question
    try:
        by = due_at(calendar, asked_at, preferred)
    except NeverOpenError:
        assert not any(calendar.week) or not _fits(calendar, preferred)
        return
    assert by == max(_walked_rule(calendar, asked_at), _walked_choice(calendar, asked_at, preferred))
    assert by == max(end_of_next_business_day(calendar, asked_at), first_preferred_time(calendar, asked_at, preferred))


def _fits(calendar: Calendar, preferred: PreferredTimes) -> bool:
    return any(
        open_hours
        and (not preferred.days or day in preferred.days)
        and (
            not preferred.parts or {part for part, _, _ in parts_within(*calendar.weekly_ranges(day))} & preferred.parts
        )
        for day, open_hours in enumerate(calendar.week)
    )


def _quarters_from(moment: datetime):
    quarter = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - DAY
    while True:
        yield quarter
        quarter += timedelta(minutes=15)


def _open_at(calendar: Calendar, quarter: datetime) -> bool:
    local = quarter.astimezone(calendar.zone)
    open_hours, pause = calendar.week[local.weekday()], calendar.breaks[local.weekday()]
    in_break = pause is not None and pause[0] <= local.time() < pause[1]
    in_hours = open_hours is not None and open_hours[0] <= local.time() < open_hours[1]
    return local.date() not in calendar.shut and in_hours and not in_break


def _walked_rule(calendar: Calendar, asked_at: datetime) -> datetime:
    today, last = asked_at.astimezone(calendar.zone).date(), None
    for quarter in _quarters_from(asked_at):
        local = quarter.astimezone(calendar.zone)
        if last and local.date() != last.astimezone(calendar.zone).date():
            return last + timedelta(minutes=15)
        if _open_at(calendar, quarter) and local.date() > today:
            last = quarter
    raise AssertionError


def _walked_choice(calendar: Calendar, asked_at: datetime, preferred: PreferredTimes) -> datetime:
    """Return the end of the first chosen part that ends after ``asked_at``; a lunch break in a part does not end it."""

    def chosen(local: datetime) -> PartOfDay | bool:
        if preferred.days and local.weekday() not in preferred.days:
            return False
        part = PartOfDay.MORNING if local.hour < 12 else PartOfDay.MIDDAY if local.hour < 15 else PartOfDay.AFTERNOON
        return (part if part in preferred.parts else False) if preferred.parts else True

    ends: dict[tuple[date, PartOfDay | bool], datetime] = {}
    for quarter in _quarters_from(asked_at):
        local = quarter.astimezone(calendar.zone)
        over = [end for (day, _), end in ends.items() if day < local.date() and end > asked_at]
        if over:
            return over[0]
        if _open_at(calendar, quarter) and chosen(local):
            ends[local.date(), chosen(local)] = quarter + timedelta(minutes=15)
    raise AssertionError


LUNCH = Calendar(WEEK, frozenset(), DENVER, ((time(12), time(13)),) * 7)


@pytest.mark.parametrize(("clock", "open_"), [("11:59", True), ("12:00", False), ("12:59", False), ("13:00", True)])
def test_clinic_is_closed_during_its_lunch_break(clock, open_):
    assert is_open(LUNCH, at(f"2026-11-23 {clock}")) is open_


def test_part_of_day_that_is_all_lunch_break_is_never_offered():
    long = Calendar(WEEK, frozenset(), DENVER, ((time(12), time(15)),) * 7)
    assert [part for part, _, _ in parts_within(*long.weekly_ranges(0))] == [PartOfDay.MORNING, PartOfDay.AFTERNOON]
    with pytest.raises(NeverOpenError):
        due_at(long, at("2026-11-23 10:00"), PreferredTimes(parts=frozenset({PartOfDay.MIDDAY})))


@given(questions(hours))
def test_clinic_is_open_only_within_its_ranges(question):
    calendar, now, _ = question
    assert is_open(calendar, now) == _open_at(calendar, now)


@given(questions(by_day))
def test_clinic_keeps_its_state_until_the_next_change(question):
    calendar, now, _ = question
    try:
        change = next_change(calendar, now)
    except NeverOpenError:
        assert not any(calendar.week)
        return
    before = change - timedelta(microseconds=1)
    assert now < change
    assert is_open(calendar, now) == is_open(calendar, before) != is_open(calendar, change)


@pytest.mark.parametrize(
    ("earliest", "preferred", "at_"),
    [
        ("2026-11-23 10:00", PreferredTimes(), "2026-11-23 10:00"),
        ("2026-11-23 16:59", PreferredTimes(), "2026-11-23 16:59"),
        ("2026-11-23 17:00", PreferredTimes(), "2026-11-24 08:00"),
        ("2026-11-25 18:00", PreferredTimes(), "2026-11-27 08:00"),
        ("2026-11-23 13:00", PreferredTimes(frozenset(), frozenset({PartOfDay.MORNING})), "2026-11-24 08:00"),
        ("2026-11-23 10:00", PreferredTimes(frozenset({3}), frozenset({PartOfDay.AFTERNOON})), "2026-12-03 15:00"),
        ("2026-11-23 10:00", PreferredTimes(frozenset({6}), frozenset()), "2026-11-23 10:00"),
        ("2027-03-12 18:00", PreferredTimes(), "2027-03-15 08:00"),
    ],
)
def test_next_call_time_matches_hand_computed_examples(earliest, preferred, at_):
    assert next_call_time(CLINIC, at(earliest), preferred) == at(at_)


@given(questions(by_day))
def test_next_call_time_is_the_first_open_and_preferred_moment(question):
    """No quarter of an hour before it is open and preferred, unless no open time ever is."""
    calendar, earliest, preferred = question
    try:
        found = next_call_time(calendar, earliest, preferred)
    except NeverOpenError:
        assert not any(calendar.week) or len(calendar.shut) > 0
        return
    assert found >= earliest and is_open(calendar, found)
    fits = matches_preference(calendar, found, preferred)
    step = timedelta(minutes=15)
    for number in range(min(400, (found - earliest) // step)):
        before = earliest.astimezone(UTC) + number * step
        assert not (is_open(calendar, before) and (matches_preference(calendar, before, preferred) or not fits))
