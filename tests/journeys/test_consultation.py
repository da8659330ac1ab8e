"""The call-back request in a real browser: a patient sends it, and staff call."""

from __future__ import annotations

import json
import re
from datetime import datetime

import pytest

from screening import clinic
from tests.support.axe import assert_accessible
from tests.support.browser import ARGUMENTS, CHROMIUM, VIEW, BrowserVisitor
from tests.support.clock import SHIFTED_TIME, machine_time, process_time
from tests.support.live_server import LiveServer
from tests.support.remote_site import RemoteSite
from tests.support.staff_client import PASSWORD, totp
from tests.support.visitor import Visitor


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("lang", ["en", "es"])
def test_request_can_be_sent_looked_up_and_withdrawn(browser_visitor, live_server, lang, scripts):
    patient = browser_visitor(java_script_enabled=scripts)
    walker = Visitor(RemoteSite.at(live_server.port))
    walker.walk(sadness="2", pain="3")
    walker.agree()
    patient.resume(walker)
    patient.open(f"/summary?lang={lang}")
    patient.follow(".app-offer a.nhsuk-button")
    assert patient.path == "/consultation"
    reference = patient.request_call(message="Demo")
    assert patient.page.locator("html").get_attribute("lang") == lang
    other = browser_visitor(java_script_enabled=scripts)
    other.open(f"/consultation/status?lang={lang}").locator("#reference").fill(reference.lower())
    other.press()
    assert reference in other.page.locator("main").inner_text()
    other.page.locator("details summary").click()
    other.follow("form[action='/consultation/status/withdraw'] button")
    shown = other.page.locator("main").inner_text()
    assert "Your request is canceled" in shown or "Su solicitud está cancelada" in shown
    patient.open("/consultation/status")
    assert patient.page.locator("#reference").count() == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_language_button_preserves_fields_and_enter_submits(browser_visitor, scripts):
    patient = browser_visitor(java_script_enabled=scripts)
    page = patient.open("/consultation?lang=en")
    page.locator("#name").fill("Demo Reader")
    patient.unfold()
    page.locator("#message").fill("Two\nlines")
    patient.follow("button[lang=es]")
    assert page.locator("html").get_attribute("lang") == "es"
    assert (
        page.locator("#name").input_value() == "Demo Reader" and page.locator("#message").input_value() == "Two\nlines"
    )
    page.locator("#name").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert patient.path == "/consultation" and page.locator(".nhsuk-error-summary").count() == 1


def test_guardian_fields_are_visible_only_for_minors(browser_visitor):
    patient = browser_visitor(java_script_enabled=False)
    page = patient.open("/consultation")
    assert not page.locator("#guardian").is_visible()
    page.locator("#minor").check()
    assert page.locator("#guardian").is_visible()


def test_back_from_review_restores_the_form_fields(browser_visitor):
    patient = browser_visitor()
    page = patient.open("/consultation")
    page.locator("#name").fill("Demo Reader")
    page.locator("#phone").fill("303 555 0144")
    page.locator("input[name=patient]").first.check()
    patient.follow("#ask > button.nhsuk-button")
    page.go_back()
    assert patient.path == "/consultation" and page.locator("#name").input_value() == "Demo Reader"


@pytest.fixture(scope="module")
def new_member(live_server):
    """An account with the callbacks role and a temporary password."""
    temporary = live_server.flask(
        *("staff", "add", "dana@example.org", "--name", "Dana Demo", "--role", "callbacks", "--role", "admin")
    )
    return {"password": temporary.split()[-1], "secret": ""}


def test_staff_workflow_completes_without_axe_violations(browser_visitor, live_server, new_member):
    patient = browser_visitor()
    walker = Visitor(RemoteSite.at(live_server.port))
    walker.walk(hopelessness="3", pain="2")
    walker.disagree()
    patient.resume(walker)
    page = patient.open("/consultation?lang=en")
    page.locator("#share").check()
    patient.follow("#ask > button.nhsuk-button")
    patient.request_call()
    member = browser_visitor(viewport={"width": 1280, "height": 900})
    seen = []

    def check_view(name):
        assert_accessible(member.page, name, ("light", 1280), ("dark", 360))
        seen.append(name)

    page = member.open("/staff/callbacks?lang=en")
    check_view("sign in")
    page.locator("#email").fill("dana@example.org")
    page.locator("#password").fill(new_member["password"])
    member.press()
    check_view("new password")
    for field in page.locator("main input[type=password]").all():
        field.fill(PASSWORD)
    member.press()
    check_view("set up")
    secret = page.locator(".app-key").inner_text().replace(" ", "")
    page.locator("#code").fill(totp(secret, process_time()))
    member.press()
    check_view("recovery codes")
    page = member.open("/staff/callbacks?lang=en")
    check_view("queue")
    member.follow(".app-worklist__name a >> nth=0")
    check_view("request, new")
    member.follow("form[action$='/claim'] button")
    assert "You have this request now" in page.locator("main").inner_text()
    check_view("request, mine")
    page.locator("form[action$='/call'] textarea").fill("Demo note")
    member.follow("form[action$='/call'] button[value=no_answer]")
    assert "Tried once" in page.locator("main").inner_text() and "Demo note" in page.locator("main").inner_text()
    for path in ("search", "new", "closed-days"):
        member.open(f"/staff/callbacks/{path}")
        check_view(path)
    for path in ("mail", "audit", "accounts", "accounts/new", "you", "nothing"):
        member.open(f"/staff/{path}")
        check_view(path)
    member.open("/staff/callbacks?lang=es")
    check_view("queue in Spanish")
    member.follow(".app-staffhead__out")
    assert member.path == "/staff/sign-in"
    member.open("/staff/callbacks")
    assert member.path == "/staff/sign-in"
    assert len(seen) == 17


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_request_can_be_sent_where_the_browser_blocks_cookies(playwright, live_server, tmp_path, scripts):
    preferences = tmp_path / "profile" / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    context = playwright.chromium.launch_persistent_context(
        tmp_path / "profile", executable_path=CHROMIUM, args=ARGUMENTS, java_script_enabled=scripts, **VIEW
    )
    patient = BrowserVisitor(context, live_server.address)
    reference = patient.request_call()
    assert context.cookies() == [] and len(reference) == 16
    page = patient.open("/consultation")
    patient.follow("#ask > button.nhsuk-button")
    assert "Cookies are off in this browser" in page.locator("main").inner_text()
    assert page.locator(".app-strip").count() == 1 and page.locator(".nhsuk-error-summary").count() == 1
    context.close()


@pytest.mark.parametrize(("hour", "closed"), [(12, False), (22, True)], ids=["open", "closed"])
def test_folded_form_is_under_2000_pixels_tall_on_a_phone(browser_visitor, tmp_path, hour, closed):
    moment = datetime(2026, 9, 29, hour, tzinfo=clinic.load(clinic.DEMO).time_zone).timestamp()
    shift = {"PYTHONPATH": str(SHIFTED_TIME), "TEST_TIME_SHIFT": str(moment - machine_time())}
    file = tmp_path / "with-notices.toml"
    file.write_text(re.sub('(_notice = )""', r'\1"https://www.clinic.example/notice"', clinic.DEMO.read_text()))
    with LiveServer(tmp_path, SCREENING_CLINIC_FILE=str(file), **shift) as server:
        for lang, longest in (("en", "Wednesday, September 30"), ("es", "miércoles 30 de septiembre")):
            page = browser_visitor(server.address, java_script_enabled=False).open(f"/consultation?lang={lang}")
            assert page.locator("#ask details").count() == page.locator("#ask details:not([open])").count() == 3
            assert longest in page.locator("main").inner_text() and page.locator(".app-closed").count() == closed
            assert page.locator(".app-footer a[href$='/notice']").count() == 3
            height = page.locator("html").bounding_box()["height"]
            assert page.locator(".app-footer").is_visible() and 1000 < height < 2000, lang


def test_questions_appear_with_the_contact_they_depend_on(browser_visitor):
    patient = browser_visitor(java_script_enabled=False)
    page = patient.open("/consultation")
    voicemail, way = page.locator("#voicemail"), page.locator("#reach_by")
    assert not voicemail.is_visible() and not way.is_visible()
    page.locator("#email").fill("demo@example.org")
    assert not voicemail.is_visible() and not way.is_visible()
    page.locator("#phone").fill("303 555 0144")
    assert voicemail.is_visible() and way.is_visible()
    page.locator("#minor").check()
    assert not voicemail.is_visible() and not way.is_visible()
    page.locator("#guardian_phone").fill("303 555 0199")
    assert voicemail.is_visible() and not way.is_visible()


def test_summary_sharing_disappears_for_minors(browser_visitor, live_server):
    patient = browser_visitor(java_script_enabled=False)
    walker = Visitor(RemoteSite.at(live_server.port))
    walker.walk()
    walker.disagree()
    patient.resume(walker)
    page = patient.open("/consultation?lang=en")
    assert page.locator("#share").is_visible()
    page.locator("#minor").check()
    assert not page.locator("#share").is_visible()


def test_line_of_a_fold_disappears_once_it_is_filled_in(browser_visitor):
    patient = browser_visitor(java_script_enabled=False)
    page = patient.open("/consultation?lang=en")
    fold = page.locator("#ask details", has=page.locator("#message"))
    now = fold.locator("summary span")
    assert now.is_visible()
    fold.locator("summary").click()
    page.locator("#message").fill("Demo")
    fold.locator("summary").click()
    assert not page.locator("#message").is_visible() and not now.is_visible()


def test_dates_and_references_are_not_divided(browser_visitor):
    patient = browser_visitor()
    patient.request_call(email="demo.reader.with.a.long.address@example.org", phone="")
    page = patient.page
    assert page.locator(".app-promise .app-nowrap").count() == 2
    for text in page.locator(".app-nowrap").all():
        assert (
            text.evaluate(
                "e => { const r = document.createRange(); r.selectNodeContents(e); return new Set(Array.from(r.getClientRects(), b => Math.round(b.top))).size }"
            )
            == 1
        )
