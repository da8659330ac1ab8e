"""What a line of a list of requests shows: due time, name, way, tags in the order of their weight, owner."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from flask_babel import get_locale, gettext, ngettext

from screening.callbacks import attempts, contact_index, staff_service
from screening.callbacks.business_hours import Calendar, PreferredTimes, is_open, matches_preference
from screening.callbacks.contact_details import ContactDetails
from screening.callbacks.models import CLOSED, WAITING, CallbackAttempt, CallbackRequest
from screening.callbacks.staff_blueprint import days_overdue
from screening.callbacks.staff_service import Row
from screening.callbacks.staff_texts import OUTCOME_LABELS
from screening.callbacks.template_filters import language_name, short_preference, short_time, state_label
from screening.callbacks.workflow import EFFECTS, Outcome, State
from screening.staff import display_names


@dataclass(frozen=True)
class Line:
    """One request. ``late``: that it is called first, and how late it is. ``tags``: a CSS class and a text each.

    ``ending``: how it was closed; empty for the others.
    """

    request: CallbackRequest
    name: str
    way: str
    late: str
    overdue: bool
    tags: tuple[tuple[str, str], ...]
    owner: str
    ending: str


def lines(rows: Iterable[Row], calendar: Calendar, me: str, now: int) -> list[Line]:
    """Return the lines of requests, in their order."""
    rows = list(rows)
    ids = [row.request.id for row in rows]
    stopped, handed = contact_index.asked_to_stop(ids), staff_service.last_handover(ids)
    closed = attempts.last_of([row.request.id for row in rows if row.request.state_group == CLOSED])
    owners = {**short_names(display_names.account_names()), me: gettext("You")}
    return [
        Line(
            row.request,
            row.details.name if row.details else "",
            short_preference(row.details) if row.details else "",
            _late(row.request, calendar),
            days_overdue(row.request, calendar) is not None,
            tuple(_tags(row, row.request.id in stopped, row.request.id in handed, calendar, now)),
            owners.get(_holder(row.request, now), ""),
            _ending(row.request, closed.get(row.request.id), calendar, now),
        )
        for row in rows
    ]


def preferred_now(calendar: Calendar, now: int, details: ContactDetails | None) -> bool:
    """Return whether the clinic is open and the patient chose this weekday and time of day."""
    moment = datetime.fromtimestamp(now, UTC)
    chosen = details.preferred_times if details else PreferredTimes()
    return bool(chosen) and is_open(calendar, moment) and matches_preference(calendar, moment, chosen)


def short_names(names: Mapping[str, str]) -> dict[str, str]:
    """Return for each account the first word of its name, or the last, that no other account has; else the name."""
    found = dict(names)
    for position in (-1, 0):
        words = {id_: name.split()[position] for id_, name in names.items() if name.split()}
        each = list(words.values())
        found |= {id_: word for id_, word in words.items() if each.count(word) == 1}
    return found


def _holder(request: CallbackRequest, now: int) -> str:
    """Return the account that has a request, or to which "next request" shows it now."""
    leased = request.lease_owner if (request.lease_until or 0) > now else None
    return request.owner or leased or ""


def _ending(request: CallbackRequest, last: CallbackAttempt | None, calendar: Calendar, now: int) -> str:
    """Return the outcome that closed a request, with the time of a booked visit; or that it was closed without one."""
    if request.state_group != CLOSED:
        return ""
    if last is None:
        return gettext("Closed without a call")
    label = str(OUTCOME_LABELS[last.outcome])
    if EFFECTS[Outcome(last.outcome)].state is not State.CLOSED or last.at != request.ended_at:
        return gettext("Closed after: %(outcome)s", outcome=label)
    return f"{label}, {short_time(last.next_at, calendar.zone, now)}" if last.next_at else label


def _late(request: CallbackRequest, calendar: Calendar) -> str:
    words = [gettext("Call first")] if request.rank == 0 and request.state_group == WAITING else []
    days = days_overdue(request, calendar)
    if days is not None:
        words.append(ngettext("%(num)s day late", "%(num)s days late", days) if days else gettext("Late today"))
    return " · ".join(words)


def _tags(row: Row, stopped: bool, handed: bool, calendar: Calendar, now: int) -> Iterable[tuple[str, str]]:
    request, details = row.request, row.details
    if stopped:
        yield "stop", gettext("ASKED US TO STOP")
    if details and details.call and not details.voicemail:
        yield "stop", gettext("NO VOICEMAIL")
    if details and details.assistance:
        yield "help", gettext("Interpreter or relay")
    if request.language != str(get_locale().language):
        yield "", language_name(request.language)
    if handed:
        yield "today", gettext("Handover note")
    if request.attempts or request.progress.state is not State.NEW:
        yield state_label(request.progress)
    if request.next_at and request.next_at > now:
        yield "", gettext("Call from %(when)s", when=short_time(request.next_at, calendar.zone, now))
    elif preferred_now(calendar, now, details):
        yield "done", gettext("Good time now")
