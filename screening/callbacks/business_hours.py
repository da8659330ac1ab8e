"""By when the clinic answers, from its hours, holidays and time zone. Pure: the time is a parameter.

The clinic's rule: the end of the next business day, or the end of the first preferred time when that is later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

LOOK_AHEAD_DAYS = 370
"""Days looked through for an open one: a year and a bit, so that a yearly pattern is always met."""


class NeverOpenError(ValueError):
    """No open time fits, as far as one can look ahead."""


class PartOfDay(Enum):
    """A part of the day, from one hour of the clock up to another; what lies outside the clinic's hours is cut off."""

    MORNING = "morning"
    MIDDAY = "midday"
    AFTERNOON = "afternoon"


PART_BOUNDS = {
    PartOfDay.MORNING: (time(0), time(12)),
    PartOfDay.MIDDAY: (time(12), time(15)),
    PartOfDay.AFTERNOON: (time(15), time.max),
}


@dataclass(frozen=True)
class Calendar:
    """When a clinic is open: hours from Monday to Sunday (None is closed), the dates it is shut, its time zone."""

    week: tuple[tuple[time, time] | None, ...]
    shut: frozenset[date]
    zone: ZoneInfo

    def hours(self, day: date) -> tuple[time, time] | None:
        """From when to when it is open on a date; None when it is not."""
        return None if day in self.shut else self.week[day.weekday()]


@dataclass(frozen=True)
class PreferredTimes:
    """When a patient would like to be reached: weekdays (Monday is 0) and parts of the day. Empty means any."""

    days: frozenset[int] = frozenset()
    parts: frozenset[PartOfDay] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.days or self.parts)


def due_at(calendar: Calendar, asked: datetime, wish: PreferredTimes = PreferredTimes()) -> datetime:
    """The time by which the clinic answers what was asked at ``asked`` (aware): the later of rule and wish.

    Always after ``asked``, and never outside opening hours (their very end included). In UTC.
    Raises NeverOpenError.
    """
    return max(end_of_next_business_day(calendar, asked), first_preferred_time(calendar, asked, wish))


def end_of_next_business_day(calendar: Calendar, asked: datetime) -> datetime:
    """When the clinic closes on the first open day after the one it is now. In UTC. Raises NeverOpenError."""
    today = asked.astimezone(calendar.zone).date()
    for day, _, closes in _open_days(calendar, today + timedelta(days=1)):
        end = _moment(calendar, day, closes)
        if end:
            return end
    raise NeverOpenError("the clinic has no open day")


def first_preferred_time(calendar: Calendar, asked: datetime, wish: PreferredTimes) -> datetime:
    """The end of the first time that was chosen and is not over yet. In UTC. Raises NeverOpenError."""
    today = asked.astimezone(calendar.zone).date()
    for day, opens, closes in _open_days(calendar, today):
        if wish.days and day.weekday() not in wish.days:
            continue
        for starts, ends in _chosen_hours(opens, closes, wish):
            end = _moment(calendar, day, ends)
            if end and end > asked and _moment(calendar, day, starts):
                return end
    raise NeverOpenError("the clinic is never open at the times that were chosen")


def is_open(calendar: Calendar, now: datetime) -> bool:
    """Whether somebody answers the clinic's phone at this moment."""
    local = now.astimezone(calendar.zone)
    hours = calendar.hours(local.date())
    return hours is not None and hours[0] <= local.time() < hours[1]


def matches_preference(calendar: Calendar, now: datetime, wish: PreferredTimes) -> bool:
    """Whether this moment is of the days and parts of the day that were chosen. No wish: any moment is."""
    local = now.astimezone(calendar.zone)
    parts = wish.parts or frozenset(PartOfDay)
    in_part = any(PART_BOUNDS[part][0] <= local.time() < PART_BOUNDS[part][1] for part in parts)
    return in_part and (not wish.days or local.weekday() in wish.days)


def business_days_overdue(calendar: Calendar, due: datetime, now: datetime) -> int:
    """How many open days have begun since the one a promise was for; 0 while it is that day."""
    first, last = due.astimezone(calendar.zone).date(), now.astimezone(calendar.zone).date()
    days = (first + timedelta(days=ahead) for ahead in range(1, (last - first).days + 1))
    return sum(calendar.hours(day) is not None for day in days)


def parts_within(hours: tuple[time, time]) -> tuple[tuple[PartOfDay, time, time], ...]:
    """The parts of a day that lie in these hours, each with what is left of it."""
    cut = [(part, max(low, hours[0]), min(high, hours[1])) for part, (low, high) in PART_BOUNDS.items()]
    return tuple((part, starts, ends) for part, starts, ends in cut if starts < ends)


def _chosen_hours(opens: time, closes: time, wish: PreferredTimes) -> Iterator[tuple[time, time]]:
    if not wish.parts:
        yield opens, closes
        return
    for part, starts, ends in parts_within((opens, closes)):
        if part in wish.parts:
            yield starts, ends


def _open_days(calendar: Calendar, first: date) -> Iterator[tuple[date, time, time]]:
    for ahead in range(LOOK_AHEAD_DAYS):
        day = first + timedelta(days=ahead)
        hours = calendar.hours(day)
        if hours:
            yield day, *hours


def _moment(calendar: Calendar, day: date, clock: time) -> datetime | None:
    """The moment a clinic's clock shows this, in UTC; None when it never does, as the clocks are put forward.

    When it shows it twice, as they are put back, the first.
    """
    local = datetime.combine(day, clock, calendar.zone)
    moment = local.astimezone(UTC)
    return moment if moment.astimezone(calendar.zone).replace(tzinfo=None) == local.replace(tzinfo=None) else None
