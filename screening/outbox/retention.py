"""How long mail that has ended is kept: as a trace for staff, since it holds nothing of a person."""

from __future__ import annotations

from sqlalchemy import and_, or_

from screening.erasing import erase
from screening.outbox.models import DROPPED, FAILED, SENT, OutboxMail

DAY = 24 * 60 * 60
KEPT, FAILED_KEPT = 7 * DAY, 30 * DAY
"""Seconds that a mail is kept once it was sent or dropped, and once it was given up."""


def purge(now: float, dry_run: bool = False) -> int:
    """Delete the mails that ended long enough ago; how many. A ``dry_run`` only counts. Raises SQLAlchemyError."""
    ended = OutboxMail.ended_at
    over = or_(
        and_(OutboxMail.state.in_((SENT, DROPPED)), ended < int(now) - KEPT),
        and_(OutboxMail.state == FAILED, ended < int(now) - FAILED_KEPT),
    )
    return erase(OutboxMail, over, dry_run=dry_run)
