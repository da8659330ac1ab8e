"""Mails to one address are capped for a day, whoever asks for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.email_address import mailbox
from tests.support.absence import assert_absent
from tests.support.mail_site import MailSite
from tests.support.sample_patient import FORM
from tests.support.visitor import Visitor

BY_MAIL = {"phone": "", "email": "rosa.zentinela.lima@clinic.example.org"}
DAY = 24 * 60 * 60


@pytest.fixture
def site(make_mail_site):
    return make_mail_site(9, RATE_LIMIT_MAILS="2 per day", RATE_LIMIT_REQUESTS="1000 per minute")


def mails_to_patients(site, clock) -> int:
    return sum(mail.kind == "request.confirmed" for mail in MailSite(site, clock).mails())


def test_mails_to_one_address_are_capped_and_counted(site, clock, request_call, stored):
    counted = []
    site.extensions["watch_capped_mail"] = lambda: counted.append(1)
    pages = [request_call(Visitor(site), **BY_MAIL).heading for _ in range(3)]
    tagged = {**BY_MAIL, "email": "Rosa.Zentinela.Lima+again@Clinic.example.org"}
    pages.append(request_call(Visitor(site), **tagged).heading)
    assert set(pages) == {pages[0]} and "We got your request" in pages[0], "the page says nothing of it"
    assert len(stored(site)) == 4 and mails_to_patients(site, clock) == 2 and len(counted) == 2
    request_call(Visitor(site), **{**BY_MAIL, "email": "someone.else@clinic.example.org"})
    assert mails_to_patients(site, clock) == 3, "the control: other addresses get theirs"
    clock.forward(DAY)
    request_call(Visitor(site), **BY_MAIL)
    assert mails_to_patients(site, clock) == 4


def test_request_sent_twice_counts_one_mail(site, clock, visitor, request_call):
    page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **{**FORM, **BY_MAIL})
    clock.forward(5)
    for _ in range(5):
        visitor.fill(page, "/consultation/sent")
    assert mails_to_patients(site, clock) == 1
    request_call(Visitor(site), **BY_MAIL)
    assert mails_to_patients(site, clock) == 2


def test_counters_of_mails_hold_no_address(site, request_call):
    counters = site.extensions["limit"].__closure__
    request_call(Visitor(site), **BY_MAIL)
    held = [cell.cell_contents for cell in counters if hasattr(cell.cell_contents, "wait_for")]
    keys = " ".join(held[0]._limiter.storage._windows)
    assert "mails" in keys
    assert_absent((BY_MAIL["email"],), keys)


@given(st.from_regex(r"[a-zA-Z.]{1,20}", fullmatch=True), st.from_regex(r"(\+[a-z]{0,5})?", fullmatch=True))
def test_tag_and_letter_case_do_not_make_another_mailbox(local, tag):
    assert mailbox(f"{local}{tag}@Clinic.example") == f"{local.lower()}@clinic.example"
