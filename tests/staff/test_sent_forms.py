"""A refused form, or a result, between the POST and the page that it redirects to."""

from __future__ import annotations

import json
from urllib.parse import urljoin

import pytest
from sqlalchemy import select, update
from wtforms import PasswordField

from screening.extensions import db
from screening.staff import sent_forms
from screening.staff.forms import StaffForm
from screening.staff.models import StaffSession
from tests.support.absence import assert_absent
from tests.support.queue_pages import open_request, press
from tests.support.sample_patient import FORM, PHONE, SECRETS, reference_on
from tests.support.staff_client import PASSWORD, shown_codes, was_refused
from tests.support.visitor import Page, Visitor

NEW, SEARCH, CODES = "/staff/callbacks/new", "/staff/callbacks/search", "/staff/recovery-codes"
EXPIRED_NOTICE = "What was shown here is no longer available"
NOTE = "zentinelnotetext"
MINUTES = 60


def address(page: Page) -> str:
    """Return the address of a page, with its query."""
    return page.response.request.path + "?" + page.response.request.query_string.decode()


def stored(team, member) -> str:
    """Return what the database stores of a member's only session."""
    with team.app.app_context():
        query = select(StaffSession.data).where(StaffSession.account_id == team.id_of(member))
        return str(db.session.scalars(query).one())


@pytest.fixture
def refused(ann):
    """The page that shows a request entered by phone again: phone number and email address are missing."""
    page = ann.fill(ann.get(NEW), NEW, **{**FORM, "phone": "", "email": ""})
    assert was_refused(page) and "Please give a phone number or an email address" in page.words
    return page


@pytest.mark.each_database
def test_refused_form_is_stored_encrypted(team, ann, tmp_path, refused):
    session_data = stored(team, ann)
    assert "sent" in json.loads(session_data)
    assert_absent(SECRETS, session_data, address(refused), *tmp_path.glob("site.sqlite*"))


def test_refused_form_survives_reload_and_changes_nothing(team, ann, refused):
    session_data = stored(team, ann)
    for _ in range(2):
        again = ann.get(address(refused))
        first, second = refused.typed(NEW), again.typed(NEW)
        assert {name for name in first | second if first.get(name) != second.get(name)} <= {"csrf_token", "secret"}
        assert again.typed(NEW)["message"] == [FORM["message"]] and "Please give a phone number" in again.words
    plain = ann.get(NEW)
    assert plain.typed(NEW)["name"] == [""] and not plain.title.startswith("Error: ")
    assert stored(team, ann) == session_data


def test_accepted_form_removes_the_refused_one(team, ann, refused):
    assert "The request is entered" in ann.fill(refused, NEW, phone=FORM["phone"]).words
    assert "sent" not in json.loads(stored(team, ann))
    assert ann.get(address(refused)).typed(NEW)["name"] == [""]


def test_head_of_a_refused_form_does_not_send_it(team, admin):
    """A HEAD carries no token: it is no form, although the page it asks for could fill one."""
    add = "/staff/accounts/new"
    fields = {"name": "Zentinelnewname", "email": "zentinelnew@example.org", "roles": "callbacks"}
    page = admin.fill(admin.get(add), add, csrf_token="stale", **fields)
    assert was_refused(page)
    response = admin.client.head(address(page), base_url=admin.base)
    assert response.status_code == 200
    assert "Zentinelnewname" not in admin.get("/staff/accounts").words
    assert admin.get(address(page)).typed(add)["name"] == ["Zentinelnewname"]


def test_head_of_a_phone_entry_keeps_the_refused_form(ann, refused):
    assert ann.client.head(NEW, base_url=ann.base).status_code == 200
    assert ann.get(address(refused)).typed(NEW)["message"] == [FORM["message"]]


def test_refused_forms_of_several_tabs_are_all_shown_again(ann, refused):
    search = ann.fill(ann.get(SEARCH), SEARCH, contact="")
    second = ann.fill(ann.get(NEW), NEW, **{**FORM, "phone": "", "email": "", "message": "zentinelsecondtab"})
    assert was_refused(search) and was_refused(second)
    assert ann.get(address(refused)).typed(NEW)["message"] == [FORM["message"]]
    assert ann.get(address(second)).typed(NEW)["message"] == ["zentinelsecondtab"]
    for _ in range(sent_forms.MAX_ENTRIES):
        ann.fill(ann.get(NEW), NEW, **{**FORM, "phone": "", "email": ""})
    assert EXPIRED_NOTICE in ann.get(address(refused)).words


def test_refused_form_stays_while_others_are_accepted(ann, refused):
    closed_days = "/staff/callbacks/closed-days"
    ann.send(ann.get(closed_days), closed_days, day="2026-11-24")
    assert ann.get(address(refused)).typed(NEW)["message"] == [FORM["message"]]


def test_reason_is_shown_in_the_language_of_the_page(ann, ben, request_call):
    request_call(Visitor(ann.site))
    ann_page, ben_page = open_request(ann), open_request(ben)
    press(ann, ann_page, "claim")
    page = press(ben, ben_page, "note", note=NOTE)
    assert was_refused(page) and "This request changed a moment ago" in page.words
    spanish = ben.get(urljoin(page.address, page.soup.find("a", hreflang="es")["href"]))
    assert "Esta solicitud cambió hace un momento" in spanish.words
    assert spanish.typed(f"{page.address}/note")["note"] == [NOTE]


def test_typed_note_is_shown_on_its_own_request_only(ann, request_call):
    request_call(Visitor(ann.site), name="Rosa One")
    request_call(Visitor(ann.site), name="Rosa Two")
    page = press(ann, open_request(ann, "Rosa One"), "call", note=NOTE)
    assert NOTE in page.words
    other = open_request(ann, "Rosa Two")
    assert_absent([NOTE], ann.get(f"{other.address}?{address(page).partition('?')[2]}").text)


def test_stored_form_is_bound_to_its_session(team, ann, ben, refused):
    with team.app.app_context():
        query = update(StaffSession).where(StaffSession.account_id == team.id_of(ben))
        db.session.execute(query.values(data=StaffSession.data))
        session_data = json.loads(stored(team, ben)) | {"sent": json.loads(stored(team, ann))["sent"]}
        db.session.execute(query.values(data=json.dumps(session_data)))
        db.session.commit()
    page = ben.get(address(refused))
    assert page.status == 200
    assert_absent(SECRETS, page.text)


def test_stale_token_preserves_typed_text(ann, request_call):
    request_call(Visitor(ann.site))
    page = open_request(ann)
    ann.sign_out()
    ann.sign_in()
    again = press(ann, page, "note", note=NOTE)
    assert again.address == page.address and "Nothing was changed" in again.words
    assert again.typed(f"{page.address}/note")["note"] == [NOTE]
    again = press(ann, again, "note")
    assert "The note is kept" in again.words and NOTE in again.words


def test_sign_in_without_cookies_states_the_reason(team):
    member = team.add("dana", "admin")
    page = member.get("/staff/sign-in")
    location = member.send(page, "/staff/sign-in", follow=False, email=member.email, password="x").response.location
    assert "cookies are off" in Visitor(team.site).get(location).words


def test_refused_sign_in_survives_reload(team):
    member = team.add("dana", "admin")
    page = member.enter_password("zentinel-wrong-password", wanted="/staff/system")
    again = member.get(address(page))
    for shown in (page, again):
        assert "could not sign you in" in shown.words and shown.typed("/staff/sign-in")["email"] == [member.email]
    assert member.fill(again, "/staff/sign-in", password=PASSWORD).address == "/staff/second-factor"
    assert member.send(member.get("/staff/second-factor"), "/staff/second-factor", code=member.code).address == (
        "/staff/system"
    ), "the page requested first"


@pytest.mark.parametrize("email", ["x" * 5000, "\U0001f600" * 280])
def test_oversized_sign_in_fits_the_cookie(team, email):
    member = team.add("dana")
    page = member.send(member.get("/staff/sign-in"), "/staff/sign-in", email=email, password="zentinelpassword")
    assert was_refused(page) and "could not sign you in" in page.words and len(member.cookie) < 3000


def test_passwords_and_codes_are_not_stored(team, monkeypatch):
    recorded, encrypt = [], sent_forms.encrypt
    monkeypatch.setattr(sent_forms, "encrypt", lambda value, data: recorded.append(value) or encrypt(value, data))
    member = team.invite("dana", "admin")
    member.enter_password("zentinelpassword")
    page = member.enter_password()
    page = member.choose_password(page, "zentinelpassword", again="zentinelpassword other")
    page = member.choose_password(page)
    member.send(page, "/staff/set-up", code="zentinelcodetext")
    page = member.set_up_app(page)
    member.post("/staff/password", dict.fromkeys(("current", "password", "again"), "zentinelpassword"))
    member.sign_out()
    member.enter_password()
    for step in ("second-factor", "recovery"):
        assert was_refused(member.send(member.get(f"/staff/{step}"), f"/staff/{step}", code="zentinelcodetext"))
    assert_absent(["zentinelpassword", "zentinelcodetext", PASSWORD], json.dumps(recorded))
    assert member.email in json.dumps(recorded), "the control: other values are stored"


def test_every_password_field_is_excluded_from_storage():
    names = {
        name
        for form in (
            *StaffForm.__subclasses__(),
            *(sub for form in StaffForm.__subclasses__() for sub in form.__subclasses__()),
        )
        for name, field in vars(form).items()
        if getattr(field, "field_class", None) is PasswordField
    }
    assert {"password", "current", "again"} == names and {*names, "code"} <= set(sent_forms.NOT_STORED)


def test_new_recovery_codes_survive_reload_for_five_minutes(team, clock):
    member = team.add("dana", "admin")
    member.sign_in()
    clock.forward(4 * MINUTES)
    page = member.send(member.get(CODES), CODES)
    codes, hashed = shown_codes(page), team.account_field(member, "mf_recovery_codes")
    session_data = stored(team, member)
    assert len(codes) == 10 and "?result=" in address(page)
    assert_absent(codes, session_data, address(page))
    assert shown_codes(member.get(address(page))) == codes and stored(team, member) == session_data
    clock.forward(2 * MINUTES)
    page = member.get(address(page))
    assert page.address == "/staff/second-factor", "the last code is older than five minutes"
    page = member.send(page, "/staff/second-factor", code=member.code)
    assert shown_codes(page) == codes
    clock.forward(3 * MINUTES)
    page = member.get(address(page))
    assert EXPIRED_NOTICE in page.words and not shown_codes(page) and "Make new codes" in page.words
    assert team.account_field(member, "mf_recovery_codes") == hashed
    assert len(team.events("account.recovery_codes_made")) == 1
    member.sign_out()
    member.enter_password()
    assert member.send(member.get("/staff/recovery"), "/staff/recovery", code=codes[3]).address == "/staff/system"


def test_codes_after_setup_survive_reload(team):
    member = team.invite("dana", "admin")
    page = member.set_up_app(member.choose_password(member.enter_password()))
    assert page.address == CODES and len(shown_codes(page)) == 10
    assert shown_codes(member.get(address(page))) == shown_codes(page)


@pytest.mark.parametrize("action", ["add", "reset"])
def test_temporary_password_survives_reload_for_five_minutes(team, admin, clock, action):
    if action == "add":
        fields = {"name": "Dana", "email": "dana@clinic.example.org", "roles": "responses"}
        page = admin.send(admin.get("/staff/accounts/new"), "/staff/accounts/new", **fields)
    else:
        own = f"/staff/accounts/{team.id_of(team.add('dana', 'responses'))}"
        page = admin.send(admin.get(own), f"{own}/reset")
    password = page.main.find("code").get_text()
    session_data, events = stored(team, admin), len(team.events("account"))
    assert_absent([password], session_data, address(page))
    assert admin.get(address(page)).main.find("code").get_text() == password
    assert stored(team, admin) == session_data and len(team.events("account")) == events
    clock.forward(5 * MINUTES)
    late = admin.get(address(page))
    assert EXPIRED_NOTICE in late.words and "Reset the account" in late.words
    assert_absent([password], late.text)
    admin.send(late, f"{late.address}/disable")
    assert "result" not in json.loads(stored(team, admin)), "a later form deletes the expired value"
    admin.send(admin.get(late.address), f"{late.address}/enable")
    member = team.add("eve")
    member.email = "dana@clinic.example.org"
    assert member.enter_password(password).address == "/staff/password"


def test_reference_of_entered_request_survives_reload(team, ann):
    page = ann.fill(ann.get(NEW), NEW, **FORM)
    reference = reference_on(page)
    assert_absent([reference], stored(team, ann), address(page))
    assert reference_on(ann.get(address(page))) == reference
    assert len(team.events("request.entered")) == 1
    assert "The request is entered" not in ann.get(NEW).words


def test_search_results_survive_reload_and_are_audited_once(team, ann, request_call):
    for _ in range(2):
        request_call(Visitor(team.site))
    page = ann.send(ann.get(SEARCH), SEARCH, contact=PHONE)
    assert_absent([PHONE], stored(team, ann), address(page))
    assert len(team.events("requests.searched")) == 1
    assert "2 requests found" in ann.get(address(page)).words
    assert len(team.events("requests.searched")) == 1
    plain = ann.get(SEARCH)
    assert "request found" not in plain.words and plain.typed(SEARCH)["contact"] == [""]
