"""The form's hidden field is no key: only the draft that a form was opened with reaches what was sent with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from screening.callbacks.form_state import ASSOCIATED_DATA, STATE_SECONDS, FormState
from screening.callbacks.patient_service import fresh_secret
from screening.crypto.keyring import DRAFT, Keyring
from screening.draft import Draft
from tests.support.absence import assert_absent
from tests.support.sample_patient import FORM, NAME, reference_on
from tests.support.visitor import Visitor


@pytest.fixture
def send_form(visitor, clock):
    """Send a visitor's form; return the review page, whose hidden field names the form, and the reference."""
    page = visitor.fill(visitor.get("/consultation"), "/consultation/review", **FORM)
    clock.forward(10)
    return page, reference_on(visitor.fill(page, "/consultation/sent"))


def stolen(page) -> dict[str, list[str]]:
    """Return what the page's source shows: the hidden field, and all values typed."""
    return {name: value for name, value in page.typed("/consultation/sent").items() if name != "csrf_token"}


def without_cookies(site) -> Visitor:
    thief = Visitor(site)
    thief.client = site.test_client(use_cookies=False)
    return thief


def with_cookies(site) -> Visitor:
    return Visitor(site)


@pytest.mark.parametrize("browser", [with_cookies, without_cookies])
class TestOtherBrowser:
    def post(self, thief, fields):
        token = thief.get("/consultation").token
        return thief.post("/consultation/sent", {**fields, "csrf_token": token}, referer="/consultation/review")

    def test_same_contents_show_no_reference(self, site, browser, send_form, stored):
        page, reference = send_form
        answer = self.post(browser(site), stolen(page))
        assert answer.address == "/consultation/status" and "We have this request already" in answer.words
        assert_absent((reference,), answer.text)
        assert len(stored(site)) == 1

    def test_other_contents_are_a_new_request(self, site, browser, send_form, stored):
        page, reference = send_form
        answer = self.post(browser(site), {**stolen(page), "phone": "303 555 0199"})
        assert "We got your request" in answer.heading and reference_on(answer) != reference
        assert sorted(details.phone[-4:] for _, details in stored(site)) == ["0144", "0199"]
        assert next(request for request, details in stored(site) if details.phone[-4:] == "0144").changed_at is None

    def test_other_contents_sent_twice_are_one_request(self, site, browser, send_form, stored):
        page, _ = send_form
        thief = browser(site)
        for _ in range(2):
            self.post(thief, {**stolen(page), "phone": "303 555 0199"})
        assert len(stored(site)) == 2

    def test_change_in_progress_becomes_a_new_request(self, visitor, site, clock, browser, send_form, stored):
        _, reference = send_form
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
        page = visitor.fill(page, "/consultation/review", **{**FORM, "phone": "303 555 0188"})
        clock.forward(10)
        thief = browser(site)
        answer = self.post(thief, stolen(page))
        assert "no longer know which request" in answer.words and len(stored(site)) == 1
        assert_absent((reference,), answer.text)
        answer = thief.fill(thief.fill(answer, "/consultation/review"), "/consultation/sent")
        assert reference_on(answer) != reference and len(stored(site)) == 2
        assert [details.phone[-4:] for _, details in stored(site)] == ["0144", "0188"]
        answer = visitor.fill(page, "/consultation/sent")
        assert reference_on(answer) == reference, "the control: the patient's own browser changes the request"
        assert [details.phone[-4:] for _, details in stored(site)] == ["0188", "0188"]


def test_forgotten_request_is_not_reached_by_going_back(visitor, site, send_form, stored):
    page, reference = send_form
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/forget")
    answer = visitor.fill(page, "/consultation/sent")
    assert "We have this request already" in answer.words and len(stored(site)) == 1
    assert_absent((reference,), answer.text)


@pytest.mark.parametrize("leave", ["/leave", "/start-again"])
def test_request_left_behind_is_not_reached_by_going_back(visitor, site, send_form, stored, leave):
    page, reference = send_form
    visitor.post(leave, {"csrf_token": visitor.get("/consultation").token}, follow=False)
    token = visitor.get("/consultation").token
    answer = visitor.post("/consultation/sent", {**stolen(page), "csrf_token": token})
    assert "We have this request already" in answer.words and len(stored(site)) == 1
    assert_absent((reference,), answer.text)


def test_forms_of_two_tabs_are_two_requests_sent_once_each(visitor, site, clock, stored):
    tabs = [visitor.fill(visitor.get("/consultation"), "/consultation/review", **FORM)]
    visitor.client.delete_cookie("consultation", path="/consultation")
    tabs.append(visitor.fill(visitor.get("/consultation"), "/consultation/review", **{**FORM, "name": "Other Tab"}))
    clock.forward(10)
    first = [reference_on(visitor.fill(page, "/consultation/sent")) for page in tabs]
    again = [reference_on(visitor.fill(page, "/consultation/sent")) for page in tabs]
    assert first == again and {details.name for _, details in stored(site)} == {NAME, "Other Tab"}


def test_hidden_field_expires_with_the_longest_draft(keys):
    ring, draft = Keyring(keys, (DRAFT,)), Draft.fresh(1000)
    state = FormState(fresh_secret(), 1000, "K7M4-2QXPA-9RTWC", draft.response_id)
    field = state.encrypted(ring)
    assert FormState.read(ring, field, 1000 + STATE_SECONDS - 1, draft.response_id) == state
    late = FormState.read(ring, field, 1000 + STATE_SECONDS, draft.response_id)
    assert late.secret != state.secret and (late.replaces, late.opened) == ("", 1000 + STATE_SECONDS)
    earlier = ring.encrypt(DRAFT, b'{"secret": "a", "opened": 1000, "replaces": ""}', ASSOCIATED_DATA)
    assert not FormState.read(ring, earlier, 1001, draft.response_id).is_held_by(draft), "a field without its draft"
    assert state.is_held_by(draft) and not replace(state, draft_id="0" * 32).is_held_by(draft)
