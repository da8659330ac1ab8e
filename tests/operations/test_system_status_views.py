"""The system status: administrators see findings with their fixes; other roles do not."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from screening.callbacks.models import CallbackKey
from screening.extensions import db
from screening.operations import system_status_views
from tests.support.absence import assert_absent
from tests.support.clock import START

pytestmark = pytest.mark.usefixtures("fresh_content_files")


@pytest.fixture
def silent_worker(team):
    """A site of 16 minutes whose worker never ran, which is its one finding."""
    with team.app.app_context():
        db.session.execute(update(CallbackKey).values(published_at=int(START) - 16 * 60))
        db.session.commit()


def line(page):
    """Return the link to the findings at the top of a page."""
    return page.soup.select_one("aside.app-note--alert a")


@pytest.mark.each_database
def test_every_staff_page_links_administrators_to_findings(silent_worker, admin):
    for address in ("/staff/you", "/staff/accounts", "/staff/audit", "/staff/nowhere"):
        found = line(admin.get(address))
        assert found.get_text() == "1 thing needs attention" and found["href"] == "/staff/system"
    page = admin.get("/staff/system")
    assert "The worker was not seen" in page.words and "flask worker" in page.words
    assert "Now" in page.words and "Good to know" in page.words and line(page) is None
    assert "2 things need attention" not in page.text


def test_findings_are_shown_in_both_languages(silent_worker, admin):
    admin.get("/staff/you")
    admin.get("/staff/you?lang=es")
    assert line(admin.get("/staff/you")).get_text() == "1 asunto necesita atención"
    assert "El proceso de fondo no da señales" in admin.get("/staff/system").words


@pytest.mark.parametrize("role", ["callbacks", "responses", "rows"])
def test_other_roles_cannot_open_the_system_status(team, role):
    member = team.sign_in("dana", role)
    assert line(member.get("/staff/you")) is None
    assert member.get("/staff/you").soup.find("a", href="/staff/system") is None
    assert member.get("/staff/system").status == 403


def test_sign_in_page_shows_no_findings(team):
    assert line(team.add("ada", "admin").get("/staff/sign-in")) is None


def test_findings_are_cached_for_a_minute_except_on_their_page(team, admin, clock, monkeypatch):
    examined, examine = [], system_status_views.examine
    monkeypatch.setattr(system_status_views, "examine", lambda given: examined.append(given.now) or examine(given))
    team.app.extensions.pop("findings", None)
    for _ in range(3):
        admin.get("/staff/you")
    assert len(examined) == 1
    clock.forward(61)
    admin.get("/staff/you")
    assert len(examined) == 2
    admin.get("/staff/system")
    assert len(examined) == 3


def test_failing_doctor_does_not_break_staff_pages(team, admin, monkeypatch):
    def fail(given):
        raise ValueError

    monkeypatch.setattr(system_status_views, "examine", fail)
    team.app.extensions.pop("findings", None)
    page = admin.get("/staff/you")
    assert page.status == 200 and line(page) is None


def test_outdated_schema_is_shown_on_the_system_status(team, admin):
    with team.app.app_context():
        db.session.execute(text("UPDATE alembic_version_main SET version_num = '0000'"))
        db.session.commit()
    page = admin.get("/staff/system")
    assert "flask db upgrade" in page.words


def test_error_page_shows_the_request_id_and_no_exception_text(team, admin, monkeypatch, capsys):
    def broken():
        raise ValueError("zentinelexception")

    monkeypatch.setitem(team.app.view_functions, "authentication.own", broken)
    broken.requirement = system_status_views.show.requirement
    page = admin.get("/staff/you")
    number, logged = page.response.headers["X-Request-ID"], capsys.readouterr().err
    assert page.status == 500 and number in page.words
    assert "a request failed: ValueError" in logged and f"(request {number})" in logged
    assert_absent(["zentinelexception"], page.text, logged)
