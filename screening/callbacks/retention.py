"""Retention of requests: deletes closed ones after a period, and what remains of withdrawn ones."""

from screening.callbacks import figure_store
from screening.callbacks.business_hours import Calendar
from screening.callbacks.models import CLOSED, WITHDRAWN, CallbackRequest
from screening.database.secure_delete import delete_where
from screening.durations import DAY_SECONDS

KEY_LIVES = 7 * DAY_SECONDS
"""Lifetime of a private call-back key in seconds (see ``key_rotation``): deleted requests are unreadable after it."""


def purge_closed(now: float, dry_run: bool = False, *, calendar: Calendar, retention_days: int) -> int:
    """Delete and count requests closed ``retention_days`` ago, with their notes and hashes; return how many.

    Commits. Raises SQLAlchemyError; then nothing is deleted. A ``dry_run`` only counts.
    """
    over = (CallbackRequest.state_group == CLOSED, CallbackRequest.ended_at < int(now) - retention_days * DAY_SECONDS)
    if not dry_run:
        figure_store.count_deleted(calendar, now, *over)
    return delete_where(CallbackRequest, *over, dry_run=dry_run)


def purge_withdrawn(now: float, dry_run: bool = False, *, calendar: Calendar) -> int:
    """Delete the rows of withdrawn requests; return how many. Commits, raises and counts like ``purge_closed``.

    Everything personal in them was erased at the withdrawal.
    """
    gone = CallbackRequest.state_group == WITHDRAWN
    if not dry_run:
        figure_store.count_deleted(calendar, now, gone)
    return delete_where(CallbackRequest, gone, dry_run=dry_run)
