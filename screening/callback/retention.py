"""How long what is done with is kept."""

from __future__ import annotations

from sqlalchemy import delete, func, select

from screening.callback.models import CLOSED, CallbackContact, CallbackNote, CallbackRequest
from screening.extensions import db

KEPT_DAYS = 30
"""Days a closed request is kept. The consultation page and the privacy page say so."""

DAY = 24 * 60 * 60


def purge(now: float, dry_run: bool = False) -> int:
    """Delete the requests that were closed more than ``KEPT_DAYS`` ago, with all that belongs to them; how many.

    Commits. Raises SQLAlchemyError; then nothing is deleted. A ``dry_run`` only counts.
    """
    over = (CallbackRequest.shelf == CLOSED, CallbackRequest.ended_at < int(now) - KEPT_DAYS * DAY)
    if dry_run:
        return db.session.scalar(select(func.count()).select_from(CallbackRequest).where(*over)) or 0
    ids = select(CallbackRequest.id).where(*over)
    for table in (CallbackContact, CallbackNote):
        db.session.execute(delete(table).where(table.request_id.in_(ids)))
    table = CallbackRequest.__table__
    gone: int = db.session.execute(table.delete().where(*over)).rowcount  # type: ignore[attr-defined]
    db.session.commit()
    return gone
