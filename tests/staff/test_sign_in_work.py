"""Sign-ins under attack: equal work for every account, bounded hashing, a limit before it, and every keyboard's text."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import pytest
from passlib.context import CryptContext
from sqlalchemy import update

from screening.extensions import db
from screening.staff import passwords
from screening.staff.models import Account
from screening.web.bulkhead import Bulkhead
from screening.web.middleware.load_shedding import MAX_CONCURRENT
from tests.support.processes import TEST_TIMEOUT
from tests.support.staff_client import PASSWORD, StaffClient, Team

LIGATURES = "ﬁne oﬀer ﬂowing rivers"
"""A password that Unicode writes in two ways."""


@pytest.fixture
def hashed(monkeypatch):
    """The number of hash computations, as a list that grows."""
    from passlib.handlers.argon2 import argon2

    computed = []
    passwords.hash_password("loads the library")
    for name in ("hash", "verify"):
        real = getattr(argon2, name).__func__

        def counting(cls, *arguments, real=real, **options):
            computed.append(1)
            return real(cls, *arguments, **options)

        monkeypatch.setattr(argon2, name, classmethod(counting))
    return computed


def set_column(team, member, **values):
    with team.app.app_context():
        db.session.execute(update(Account).where(Account.email == member.email).values(**values))
        db.session.commit()


@pytest.mark.parametrize("password", ["wrong", LIGATURES, "x" * 3000], ids=["short", "two spellings", "long"])
def test_refused_sign_in_takes_equal_work_for_every_account(team, hashed, password):
    known, disabled, locked, without = (team.add(name) for name in ("known", "gone", "locked", "bare"))
    set_column(team, disabled, active=False)
    set_column(team, locked, failures=5, locked_until=int(locked.clock()) + 60)
    set_column(team, without, password="")
    members = [known, disabled, locked, without, StaffClient(team.site, "nobody@clinic.example.org")]
    work = []
    for member in members:
        page = member.get("/staff/sign-in")
        hashed.clear()
        member.send(page, "/staff/sign-in", email=member.email, password=password)
        work.append(len(hashed))
    expected = 2 if password == LIGATURES else 1
    assert work == [expected] * len(members)


@pytest.mark.parametrize("stored", ["NFKC", "NFC"])
def test_password_of_another_keyboard_signs_in(team, stored):
    member = team.add("dana", "admin")
    text = unicodedata.normalize(stored, LIGATURES)
    assert text != unicodedata.normalize("NFKC", LIGATURES) or stored == "NFKC"
    set_column(team, member, password=passwords.CONTEXT.hash(text))
    before = team.account_field(member, "password")
    assert member.enter_password(LIGATURES).address == "/staff/second-factor"
    after = team.account_field(member, "password")
    assert (after == before) == (stored == "NFKC"), "what an earlier version stored is hashed again"
    set_column(team, member, failures=0)
    for spelling in (LIGATURES, unicodedata.normalize("NFKC", LIGATURES)):
        assert StaffClient(team.site, member.email).enter_password(spelling).address == "/staff/second-factor"


def test_right_password_is_hashed_again_at_new_costs(team):
    member = team.add("dana", "admin")
    cheap = CryptContext([passwords.SCHEME], argon2__memory_cost=32, argon2__time_cost=1, argon2__parallelism=1)
    set_column(team, member, password=cheap.hash(PASSWORD))
    member.enter_password("wrong")
    assert "m=32," in team.account_field(member, "password")
    assert member.enter_password().address == "/staff/second-factor"
    assert "m=64," in team.account_field(member, "password")


@pytest.mark.parametrize("stored", ["dana@clinic.example.org", "ｄａｎａ@clinic.example.org"], ids=ascii)
def test_full_width_email_finds_its_account(team, stored):
    member = team.add("dana", "admin")
    set_column(team, member, email=stored)
    member.email = "Ｄａｎａ@clinic.example.org"
    assert member.enter_password().address == "/staff/second-factor"


@pytest.mark.parametrize(
    "digits", ["٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "０１２３４５６７８９"], ids=["Arabic", "Hindi", "full width"]
)
def test_code_in_digits_of_any_script_is_accepted(team, digits):
    member = team.add("dana", "admin")
    member.enter_password()
    written = member.code.translate(str.maketrans("0123456789", digits))
    page = member.send(
        member.get("/staff/second-factor"), "/staff/second-factor", code=f" {written[:3]} {written[3:]} "
    )
    assert page.address == "/staff/system"


@pytest.mark.parametrize("code", ["²³¹²³¹", "①②③④⑤⑥", "一二三四五六", "12345x"], ids=ascii)
def test_code_that_is_no_digits_is_refused(team, code):
    member = team.add("dana", "admin")
    member.enter_password()
    assert "not right" in member.send(member.get("/staff/second-factor"), "/staff/second-factor", code=code).words


def test_sign_in_while_many_hash_is_asked_to_wait(team, hashed, monkeypatch):
    monkeypatch.setattr(passwords, "HASHING", Bulkhead(at_once=1, waiting=0, longest_wait=0))
    member = team.add("dana", "admin")
    page = member.get("/staff/sign-in")
    with passwords.hashing():
        hashed.clear()
        refused = member.send(page, "/staff/sign-in", email=member.email, password="wrong")
        assert refused.status == 503 and refused.response.headers["Retry-After"] == "5" and not hashed
        assert "Try again in 5 seconds" in refused.words
        assert refused.main.find(id="email")["value"] == member.email
    assert team.account_field(member, "failures") == 0, "what was not checked is not counted"
    assert member.enter_password().address == "/staff/second-factor", "the place is free again"


def test_sign_ins_beyond_the_limit_are_not_hashed(make_site, hashed):
    team = Team(make_site(RATE_LIMIT_SIGN_INS="2 per minute"))
    member = team.add("dana", "admin")
    pages = [member.enter_password("wrong") for _ in range(2)]
    hashed.clear()
    pages += [member.enter_password("wrong") for _ in range(5)]
    assert [page.status for page in pages] == [200, 200, 429, 429, 429, 429, 429] and not hashed
    assert "Try again in 1 minute" in pages[-1].words and pages[-1].response.headers["Retry-After"] == "60"
    assert pages[-1].main.find(id="email")["value"] == member.email
    assert team.account_field(member, "failures") == 2
    member.clock.forward(60)
    assert member.enter_password().address == "/staff/second-factor"


class ReportingPlaces(Bulkhead):
    """Places that report on ``arrived`` who comes to them."""

    def __init__(self) -> None:
        super().__init__(at_once=1, waiting=20, longest_wait=TEST_TIMEOUT)
        self.arrived: Queue[None] = Queue()

    def enter(self) -> bool:
        self.arrived.put(None)
        return super().enter()


@pytest.mark.parametrize(("apart", "status"), [(True, 200), (False, 503)], ids=["own places", "the control"])
def test_waiting_sign_ins_take_no_place_of_visitors(make_site, monkeypatch, apart, status):
    if not apart:
        monkeypatch.setattr("screening.web.middleware.load_shedding.HASHES_PASSWORDS", ())
    monkeypatch.setattr(passwords, "HASHING", places := ReportingPlaces())
    site = make_site()
    members = [StaffClient(site, "nobody@clinic.example.org") for _ in range(MAX_CONCURRENT)]
    pages = [member.get("/staff/sign-in") for member in members]

    def sign_in(number):
        member = members[number]
        return member.send(pages[number], "/staff/sign-in", email=member.email, password="wrong").status

    with ThreadPoolExecutor(len(members)) as pool:
        with passwords.hashing():
            places.arrived.get(timeout=TEST_TIMEOUT)
            waiting = [pool.submit(sign_in, number) for number in range(len(members))]
            for _ in members:
                places.arrived.get(timeout=TEST_TIMEOUT)
            found = site.test_client().get("/check/sadness").status_code
        assert [job.result(TEST_TIMEOUT) for job in waiting] == [200] * len(members)
    assert found == status
