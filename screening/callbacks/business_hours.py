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
    """When a clinic is open: hours from Monday to Sunday (None: closed), dates it is closed, time zone.

    ``breaks``: start and end of each weekday's lunch break, within its hours.
    """

    week: tuple[tuple[time, time] | None, ...]
    shut: frozenset[date]
    zone: ZoneInfo
    breaks: tuple[tuple[time, time] | None, ...] = (None,) * 7

    def hours(self, day: date) -> tuple[time, time] | None:
        """Return the opening and closing time on a date; None if the clinic is closed."""
        return None if day in self.shut else self.week[day.weekday()]

    def ranges(self, day: date) -> tuple[tuple[time, time], ...]:
        """Return the open times of a date, two where a lunch break divides it; empty if the clinic is closed."""
        return () if day in self.shut else self.weekly_ranges(day.weekday())

    def weekly_ranges(self, weekday: int) -> tuple[tuple[time, time], ...]:
        """Return the open times of a weekday (Monday is 0) without closed dates."""
        hours, pause = self.week[weekday], self.breaks[weekday]
        if hours is None:
            return ()
        return ((hours[0], pause[0]), (pause[1], hours[1])) if pause else (hours,)


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
    return next(_preferred_hours(calendar, asked_at, preferred))[2]


def next_call_time(calendar: Calendar, earliest: datetime, preferred: PreferredTimes = PreferredTimes()) -> datetime:
    """Return the first moment from ``earliest`` on (aware) that is within opening hours and preferred. In UTC.

    Where the clinic is never open at the preferred times, any open time is. Raises NeverOpenError.
    """
    try:
        for day, start, end in _preferred_hours(calendar, earliest, preferred):
            for opens, closes in calendar.ranges(day):
                first, last = clinic_moment(calendar, day, opens), clinic_moment(calendar, day, closes)
                if first and last and max(first, start, earliest) < min(last, end):
                    return max(first, start, earliest.astimezone(UTC))
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
    """Return whether the clinic is open, which it is not during a lunch break."""
    local = now.astimezone(calendar.zone)
    return any(opens <= local.time() < closes for opens, closes in calendar.ranges(local.date()))


def next_change(calendar: Calendar, now: datetime) -> datetime:
    """Return when the clinic next opens or closes. In UTC. Raises NeverOpenError."""
    for day, _, _ in _open_days(calendar, now.astimezone(calendar.zone).date()):
        for clock in (clock for opens_closes in calendar.ranges(day) for clock in opens_closes):
            moment = clinic_moment(calendar, day, clock)
            if moment and moment > now:
                return moment
    raise NeverOpenError("the clinic has no open day")


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


def open_seconds(calendar: Calendar, start: datetime, end: datetime) -> int:
    """Return for how many seconds the clinic was open between two moments."""
    first, last = start.astimezone(calendar.zone).date(), end.astimezone(calendar.zone).date()
    total = 0.0
    for day in (first + timedelta(days=ahead) for ahead in range((last - first).days + 1)):
        for pair in calendar.ranges(day):
            opens, closes = (datetime.combine(day, clock, calendar.zone).timestamp() for clock in pair)
            total += max(0.0, min(closes, end.timestamp()) - max(opens, start.timestamp()))
    return int(total)


def parts_within(*ranges: tuple[time, time]) -> tuple[tuple[PartOfDay, time, time], ...]:
    """Return the parts of the day that overlap these open times, each with start and end of the overlap."""
    found = []
    for part, (low, high) in PART_BOUNDS.items():
        cut = [(max(low, opens), min(high, closes)) for opens, closes in ranges if max(low, opens) < min(high, closes)]
        if cut:
            found.append((part, cut[0][0], cut[-1][1]))
    return tuple(found)


def _preferred_hours(
    calendar: Calendar, after: datetime, preferred: PreferredTimes
) -> Iterator[tuple[date, datetime, datetime]]:
    """Yield day, start and end (UTC) of preferred open times that end after a moment; at last raise NeverOpenError.

    A change to daylight saving time may skip one of the two local times; then that one is not yielded.
    """
    for day, _, _ in _open_days(calendar, after.astimezone(calendar.zone).date()):
        if preferred.days and day.weekday() not in preferred.days:
            continue
        for starts, ends in _chosen_hours(calendar.ranges(day), preferred):
            start, end = clinic_moment(calendar, day, starts), clinic_moment(calendar, day, ends)
            if start and end and end > after:
                yield day, start, end
    raise NeverOpenError("the clinic is never open at the times that were chosen")


def _chosen_hours(ranges: tuple[tuple[time, time], ...], preferred: PreferredTimes) -> Iterator[tuple[time, time]]:
    if not preferred.parts:
        yield ranges[0][0], ranges[-1][1]
        return
    for part, starts, ends in parts_within(*ranges):
        if part in preferred.parts:
            yield starts, ends


def _open_days(calendar: Calendar, first: date) -> Iterator[tuple[date, time, time]]:
    for ahead in range(LOOK_AHEAD_DAYS):
        day = first + timedelta(days=ahead)
        hours = calendar.hours(day)
        if hours:
            yield day, *hours
