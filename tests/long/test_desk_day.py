"""A whole scripted day: forty requests and two receptionists, on both databases and with several seeds."""

from __future__ import annotations

from random import Random

import pytest

from screening.callbacks import staff_service
from tests.support import desk_day
from tests.support.clock import NOON
from tests.support.staff_client import Team


@pytest.mark.each_database
@pytest.mark.parametrize("seed", range(5))
def test_forty_requests_end_with_nobody_forgotten(make_site, clock, seed, report):
    """A patient who chose one day of the week is tried once a week: the last request ends after a month or two."""
    clock.now = NOON
    team = Team(make_site())
    with team.app.app_context():
        dice = Random(seed)
        due = {id_: staff_service.get_request(id_).due_at for id_ in desk_day.ask(team.app, dice, 40, int(NOON))}
        day = desk_day.work(team.app, dice, int(NOON), ("ann", "ben"), most_days=90)
        assert desk_day.open_ids() == set() and day.too_early == []
        first: dict[str, int] = {}
        for now, _, id_ in day.calls:
            first.setdefault(id_, now)
        assert first.keys() == due.keys() and [id_ for id_, now in first.items() if now > due[id_]] == []
        report(f"seed {seed}: {len(day.calls)} calls to 40 patients, the last on day {day.days}; none late, none early")
