"""The demo: whole at once, openly a demo, and never in a clinic's own data."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import func, select, text

from screening.callback.models import CallbackRequest
from screening.config import SettingsError
from screening.extensions import db
from screening.operations import demo
from screening.responses.models import MixedCopy, Release
from tests.support.staff_client import StaffClient

pytestmark = pytest.mark.each_database


@pytest.fixture
def filled(make_site, database_url):
    site = make_site()
    return site, demo.fill(site)


def test_demo_has_requests_in_every_state_and_a_release(filled):
    site, _ = filled
    with site.app_context():
        states = Counter(db.session.scalars(select(CallbackRequest.state)))
        periods = Counter(db.session.scalars(select(MixedCopy.period)))
        answers = list(db.session.scalars(select(MixedCopy.answers)))
        release = db.session.scalars(select(Release)).one()
    assert sum(states.values()) == 40
    assert set(states) == {"new", "claimed", "attempted", "reached", "closed", "withdrawn"}
    assert min(periods) == "2026-05" and max(periods) == "2026-11" and len(periods) == 7
    assert sum(periods.values()) + release.rows == 3000 and release.rows > 1000
    assert set(release.tables["periods"]) == {"2025", "2026"}, "trends show a change"
    mood = [(a["sadness"] in "23", a["pain"] in "23") for a in answers if "declined" not in (a["sadness"], a["pain"])]
    with_pain = [sad for sad, pain in mood if pain]
    without = [sad for sad, pain in mood if not pain]
    assert sum(with_pain) / len(with_pain) > 1.3 * sum(without) / len(without), "the cycle shows"


def test_demo_account_can_sign_in_and_see_demo_patients(filled):
    site, logins = filled
    login = next(login for login in logins if login.email == "desk@example.org")
    member = StaffClient(site, login.email, login.password, login.secret.replace(" ", ""))
    page = member.sign_in("/staff/callbacks")
    names = [link.get_text() for link in page.main.select(".app-queue__name a")]
    assert len(names) == 25 and all(name.startswith("Demo patient ") for name in names)


def test_demo_refuses_a_non_empty_database(filled):
    site, _ = filled
    with pytest.raises(SettingsError, match="is not empty"):
        demo.fill(site)
    with site.app_context():
        assert db.session.scalar(select(func.count()).select_from(CallbackRequest)) == 40


def test_demo_refuses_a_real_clinic(make_site, tmp_path):
    from tests.web.test_clinic import SOURCE

    file = tmp_path / "clinic.toml"
    file.write_text(SOURCE.replace("demo = true", "demo = false"))
    site = make_site(CLINIC=file)
    with pytest.raises(SettingsError, match="real clinic"):
        demo.fill(site)
    with site.app_context():
        assert db.session.execute(text("SELECT count(*) FROM staff_account")).scalar_one() == 0
