"""Retention of mails that were sent, dropped or failed."""

from sqlalchemy import and_, or_

from screening.database.secure_delete import delete_where
from screening.mail.models import DROPPED, FAILED, SENT, OutboxMail
from screening.mail.outbox import FAILED_RETENTION_SECONDS, RETENTION_SECONDS


def purge(now: float, dry_run: bool = False) -> int:
    """Delete mails past their retention; return how many. A ``dry_run`` only counts. Raises SQLAlchemyError."""
    ended = OutboxMail.ended_at
    over = or_(
        and_(OutboxMail.state.in_((SENT, DROPPED)), ended < int(now) - RETENTION_SECONDS),
        and_(OutboxMail.state == FAILED, ended < int(now) - FAILED_RETENTION_SECONDS),
    )
    return delete_where(OutboxMail, over, dry_run=dry_run)
