"""What needs somebody is shown to admins, with what mends it; to nobody else."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from screening.extensions import db
from screening.operations import clinic_page
from tests.staff.clerk import Office


@pytest.fixture
def office(make_site, database_url):
    return Office(make_site(DATABASE_URL=database_url))


def line(page):
    return page.soup.select_one("aside.app-note--alert a")


def test_admins_are_led_from_every_page_to_what_needs_somebody(office):
    admin = office.hire("ada", "admin")
    admin.sign_in()
    for address in ("/staff/you", "/staff/accounts", "/staff/audit", "/staff/nowhere"):
        found = line(admin.get(address))
        assert found.get_text() == "1 thing needs somebody" and found["href"] == "/staff/clinic"
    page = admin.get("/staff/clinic")
    assert "The worker was not seen" in page.words and "flask worker" in page.words
    assert "Now" in page.words and "Good to know" in page.words and line(page) is None
    assert "2 things need somebody" not in page.text


def test_both_languages(office):
    admin = office.hire("ada", "admin")
    admin.sign_in()
    admin.get("/staff/you")
    admin.get("/staff/you?lang=es")
    assert line(admin.get("/staff/you")).get_text() == "1 asunto necesita a alguien"
    assert "El proceso de fondo no da señales" in admin.get("/staff/clinic").words


@pytest.mark.parametrize("role", ["callbacks", "responses", "rows"])
def test_others_see_nothing_of_it(office, role):
    clerk = office.hire("dana", role)
    clerk.sign_in()
    assert line(clerk.get("/staff/you")) is None
    assert "/staff/clinic" not in clerk.get("/staff/you").text
    assert clerk.get("/staff/clinic").status == 403


def test_strangers_see_nothing_of_it(office):
    assert line(office.hire("ada", "admin").get("/staff/sign-in")) is None


def test_what_was_found_is_kept_for_a_minute_and_looked_up_on_its_page(office, clock, monkeypatch):
    admin, looks = office.hire("ada", "admin"), []
    admin.sign_in()
    examine = clinic_page.examine
    monkeypatch.setattr(clinic_page, "examine", lambda given: looks.append(given.now) or examine(given))
    office.app.extensions.pop("findings", None)
    for _ in range(3):
        admin.get("/staff/you")
    assert len(looks) == 1
    clock.forward(61)
    admin.get("/staff/you")
    assert len(looks) == 2
    admin.get("/staff/clinic")
    assert len(looks) == 3


def test_a_doctor_that_fails_takes_no_page_away(office, monkeypatch):
    admin = office.hire("ada", "admin")
    admin.sign_in()

    def fail(given):
        raise ValueError

    monkeypatch.setattr(clinic_page, "examine", fail)
    office.app.extensions.pop("findings", None)
    page = admin.get("/staff/you")
    assert page.status == 200 and line(page) is None


def test_a_database_that_is_behind_is_told_while_the_pages_work(office):
    admin = office.hire("ada", "admin")
    admin.sign_in()
    with office.app.app_context():
        db.session.execute(text("UPDATE alembic_version_main SET version_num = '0001'"))
        db.session.commit()
    page = admin.get("/staff/clinic")
    assert "flask db upgrade" in page.words


def test_an_error_page_gives_the_number_that_stands_in_the_log(office, monkeypatch, caplog):
    admin = office.hire("ada", "admin")
    admin.sign_in()

    def broken():
        raise ValueError("zentinela")

    monkeypatch.setitem(office.app.view_functions, "sign_in.own", broken)
    broken.requirement = clinic_page.show.requirement
    page = admin.get("/staff/you")
    number = page.response.headers["X-Request-ID"]
    assert page.status == 500 and number in page.words and "zentinela" not in page.text + caplog.text
