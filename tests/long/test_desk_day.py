"""A whole scripted day: forty requests and two receptionists, on both databases and with several seeds."""

from __future__ import annotations

from random import Random

import pytest

from tests.support import desk_day
from tests.support.clock import NOON
from tests.support.staff_client import Team


@pytest.mark.each_database
@pytest.mark.parametrize("seed", range(5))
def test_forty_requests_end_with_nobody_forgotten(make_site, clock, seed):
    clock.now = NOON
    team = Team(make_site())
    with team.app.app_context():
        dice = Random(seed)
        asked = desk_day.ask(team.app, dice, 40, int(NOON))
        day = desk_day.work(team.app, dice, int(NOON), ("ann", "ben"))
        assert desk_day.open_ids() == set() and day.too_early == []
        assert {id_ for _, _, id_ in day.calls} == set(asked)
