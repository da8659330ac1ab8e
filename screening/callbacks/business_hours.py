"""Due times of requests, from the clinic's hours, holidays and time zone. Pure: the current time is a parameter.

A request is due at the end of the next business day, or at the end of the first preferred time if that is later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

LOOK_AHEAD_DAYS = 370
"""Days searched for an open one: a little over a year, so that a yearly pattern is covered."""


class NeverOpenError(ValueError):
    """No open time fits within ``LOOK_AHEAD_DAYS``."""


class PartOfDay(Enum):
    """A part of the day that a patient may prefer (``PART_BOUNDS``, limited to the clinic's hours)."""

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
    """When a clinic is open: hours from Monday to Sunday (None: closed), dates it is closed, time zone."""

    week: tuple[tuple[time, time] | None, ...]
    shut: frozenset[date]
    zone: ZoneInfo

    def hours(self, day: date) -> tuple[time, time] | None:
        """Return the opening and closing time on a date; None if the clinic is closed."""
        return None if day in self.shut else self.week[day.weekday()]


@dataclass(frozen=True)
class PreferredTimes:
    """When a patient prefers to be called: weekdays (Monday is 0) and parts of the day. Empty means any."""

    days: frozenset[int] = frozenset()
    parts: frozenset[PartOfDay] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.days or self.parts)


def due_at(calendar: Calendar, asked_at: datetime, preferred: PreferredTimes = PreferredTimes()) -> datetime:
    """Return when a request sent at ``asked_at`` (aware) is due: the later of the two times. In UTC.

    Always after ``asked_at``, and within opening hours (closing time included). Raises NeverOpenError.
    """
    return max(end_of_next_business_day(calendar, asked_at), first_preferred_time(calendar, asked_at, preferred))


def end_of_next_business_day(calendar: Calendar, asked_at: datetime) -> datetime:
    """Return the closing time of the first open day after the day of ``asked_at``. In UTC. Raises NeverOpenError."""
    today = asked_at.astimezone(calendar.zone).date()
    for day, _, closes in _open_days(calendar, today + timedelta(days=1)):
        end = clinic_moment(calendar, day, closes)
        if end:
            return end
    raise NeverOpenError("the clinic has no open day")


def first_preferred_time(calendar: Calendar, asked_at: datetime, preferred: PreferredTimes) -> datetime:
    """Return the end of the first preferred time that ends after ``asked_at``. In UTC. Raises NeverOpenError."""
    return next(_preferred_hours(calendar, asked_at, preferred))[1]


def next_call_time(calendar: Calendar, earliest: datetime, preferred: PreferredTimes = PreferredTimes()) -> datetime:
    """Return the first moment from ``earliest`` on (aware) that is within opening hours and preferred. In UTC.

    Where the clinic is never open at the preferred times, any open time is. Raises NeverOpenError.
    """
    try:
        return max(earliest.astimezone(UTC), next(_preferred_hours(calendar, earliest, preferred))[0])
    except NeverOpenError:
        if not preferred:
            raise
        return next_call_time(calendar, earliest)


def clinic_moment(calendar: Calendar, day: date, clock: time) -> datetime | None:
    """Return a local time of the clinic in UTC; None if the change to daylight saving time skips it.

    Of a local time that occurs twice, when daylight saving time ends, return the first.
    """
    local = datetime.combine(day, clock, calendar.zone)
    moment = local.astimezone(UTC)
    return moment if moment.astimezone(calendar.zone).replace(tzinfo=None) == local.replace(tzinfo=None) else None


def is_open(calendar: Calendar, now: datetime) -> bool:
    """Return whether the clinic is open."""
    local = now.astimezone(calendar.zone)
    hours = calendar.hours(local.date())
    return hours is not None and hours[0] <= local.time() < hours[1]


def matches_preference(calendar: Calendar, now: datetime, preferred: PreferredTimes) -> bool:
    """Return whether ``now`` is on a preferred day and in a preferred part of the day; true without a preference."""
    local = now.astimezone(calendar.zone)
    parts = preferred.parts or frozenset(PartOfDay)
    in_part = any(PART_BOUNDS[part][0] <= local.time() < PART_BOUNDS[part][1] for part in parts)
    return in_part and (not preferred.days or local.weekday() in preferred.days)


def business_days_overdue(calendar: Calendar, due: datetime, now: datetime) -> int:
    """Return how many open days have begun after the day of the due time; 0 on that day."""
    first, last = due.astimezone(calendar.zone).date(), now.astimezone(calendar.zone).date()
    days = (first + timedelta(days=ahead) for ahead in range(1, (last - first).days + 1))
    return sum(calendar.hours(day) is not None for day in days)


def parts_within(hours: tuple[time, time]) -> tuple[tuple[PartOfDay, time, time], ...]:
    """Return the parts of the day that overlap these hours, each with start and end of the overlap."""
    cut = [(part, max(low, hours[0]), min(high, hours[1])) for part, (low, high) in PART_BOUNDS.items()]
    return tuple((part, starts, ends) for part, starts, ends in cut if starts < ends)


def _preferred_hours(
    calendar: Calendar, after: datetime, preferred: PreferredTimes
) -> Iterator[tuple[datetime, datetime]]:
    """Yield start and end (UTC) of the preferred open times that end after a moment. Raises NeverOpenError at the end.

    A change to daylight saving time may skip one of the two local times; then that one is not yielded.
    """
    for day, opens, closes in _open_days(calendar, after.astimezone(calendar.zone).date()):
        if preferred.days and day.weekday() not in preferred.days:
            continue
        for starts, ends in _chosen_hours(opens, closes, preferred):
            start, end = clinic_moment(calendar, day, starts), clinic_moment(calendar, day, ends)
            if start and end and end > after:
                yield start, end
    raise NeverOpenError("the clinic is never open at the times that were chosen")


def _chosen_hours(opens: time, closes: time, preferred: PreferredTimes) -> Iterator[tuple[time, time]]:
    if not preferred.parts:
        yield opens, closes
        return
    for part, starts, ends in parts_within((opens, closes)):
        if part in preferred.parts:
            yield starts, ends


def _open_days(calendar: Calendar, first: date) -> Iterator[tuple[date, time, time]]:
    for ahead in range(LOOK_AHEAD_DAYS):
        day = first + timedelta(days=ahead)
        hours = calendar.hours(day)
        if hours:
            yield day, *hours
