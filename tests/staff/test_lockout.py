"""The count of failed attempts."""

from __future__ import annotations

import pytest

from screening.extensions import db
from screening.staff import lockout
from screening.staff.models import Account


@pytest.mark.each_database
def test_success_after_a_reset_does_not_count_below_zero(team, clock):
    """Below zero, further wrong attempts than five would be free."""
    member = team.add("ann", "callbacks")
    with team.app.app_context():
        account = db.session.get(Account, team.id_of(member))
        attempt = lockout.begin_attempt(account, int(clock()))
        lockout.reset_attempts(account)
        lockout.refund_attempt(account, attempt)
        db.session.commit()
        assert db.session.get(Account, account.id, populate_existing=True).failures == 0
        wrong = [lockout.begin_attempt(account, int(clock())) for _ in range(lockout.FREE_ATTEMPTS + 1)]
        assert wrong[-1] is None and None not in wrong[:-1]
