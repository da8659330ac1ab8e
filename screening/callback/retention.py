"""How long what is done with is kept."""

from __future__ import annotations

from flask import current_app

from screening.callback.models import CLOSED, WITHDRAWN, CallbackRequest
from screening.erasing import erase

DAY = 24 * 60 * 60

KEY_LIVES = 7 * DAY
"""Seconds that a private call-back key lives (see ``turning``): then nothing can be read of what was erased before."""


def purge_closed(now: float, dry_run: bool = False) -> int:
    """Delete the requests that were closed ``SCREENING_KEEP_CLOSED_DAYS`` ago, with notes and hashes; how many.

    Commits. Raises SQLAlchemyError; then nothing is deleted. A ``dry_run`` only counts.
    """
    kept: int = current_app.config["SETTINGS"]["KEEP_CLOSED_DAYS"]
    over = (CallbackRequest.shelf == CLOSED, CallbackRequest.ended_at < int(now) - kept * DAY)
    return erase(CallbackRequest, *over, dry_run=dry_run)


def purge_withdrawn(now: float, dry_run: bool = False) -> int:
    """Delete what is left of requests that were taken back: that there was one, and its course; how many.

    Everything personal went when it was taken back. Commits, raises and counts like ``purge_closed``.
    """
    return erase(CallbackRequest, CallbackRequest.shelf == WITHDRAWN, dry_run=dry_run)
