"""The browser's Back after every staff form leads to a page of the site, with and without JavaScript."""

from __future__ import annotations

import pytest
from flask import Flask, request
from playwright.sync_api import Page

from screening.extensions import db
from screening.mail.models import FAILED, OutboxMail
from tests.support.browser import VIEW
from tests.support.browser_back import go_back, served
from tests.support.processes import TEST_TIMEOUT
from tests.support.queue_pages import open_request, press
from tests.support.sample_patient import FORM, NAME, PHONE
from tests.support.sample_responses import generate, store
from tests.support.staff_client import PASSWORD, StaffClient
from tests.support.visitor import Visitor

ELSEWHERE = "/staff/nowhere"
"""A public staff page, which no form leads to."""


class Tab:
    """A browser tab that, after each form it sends, opens another page and goes back."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.sent: list[str] = []

    def open(self, path: str) -> None:
        self.page.goto(self.address + path)

    def send(self, action: str, shows: str, button: str = "button", **fields: str) -> None:
        """Fill in and send the form whose address ends so, and check that Back shows the same page again."""
        form = f"form[method=post][action$='{action}']"
        for name, value in fields.items():
            field = self.page.locator(f"{form} [name='{name}']").first
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            elif field.get_attribute("type") in ("radio", "checkbox"):
                self.page.locator(f"{form} [name='{name}'][value='{value}']").check()
            else:
                field.fill(value)
        with self.page.expect_navigation():
            self.page.locator(f"{form} {button}").first.click()
        assert shows in self.text(), f"{action}: {shows!r} is not in {self.text()!r}"
        before = self.page.url, self.text()
        self.leave_and_go_back()
        assert (self.page.url, self.text()) == before, f"{action}: Back does not show the same page"
        self.sent.append(f"{action} {shows}")

    def leave_and_go_back(self) -> None:
        self.open(ELSEWHERE)
        go_back(self.page)

    def text(self) -> str:
        return str(self.page.locator("main").inner_text())


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def page(request, browser):
    context = browser.new_context(java_script_enabled=request.param, **VIEW)
    context.set_default_timeout(TEST_TIMEOUT * 1000)
    yield context.new_page()
    context.close()


@pytest.fixture
def site_tab(page, site):
    with served(site) as address:
        yield Tab(page, address)


def enter(tab: Tab, member: StaffClient) -> None:
    """Sign in with password and code."""
    member.clock.forward(30)
    tab.open("/staff/sign-in")
    tab.send("/sign-in", "Enter your code", email=member.email, password=member.password)
    tab.send("/second-factor", "", code=member.code)


def test_back_after_authentication_forms(site_tab, team):
    member, tab = team.invite("dana", "admin"), site_tab
    tab.open("/staff/sign-in")
    tab.send("/sign-in", "Enter your password", email=member.email)
    assert tab.page.locator("#email").input_value() == member.email
    tab.send("/sign-in", "could not sign you in", email=member.email, password="not the password")
    tab.send("/sign-in", "Choose a password", email=member.email, password=member.password)
    tab.send("/password", "The two are not the same", password=PASSWORD, again="another")
    tab.send("/password", "Set up your app", password=PASSWORD, again=PASSWORD)
    member.password, member.secret = PASSWORD, tab.page.locator(".app-key").inner_text().replace(" ", "")
    tab.send("/set-up", "That is not right", code=member.wrong_code)
    tab.send("/set-up", "Keep these codes", code=member.code)
    codes = tab.page.locator(".app-codes code").all_inner_texts()
    assert len(codes) == 10
    tab.open("/staff/recovery-codes")
    tab.send("/recovery-codes", "Keep these codes")
    codes = tab.page.locator(".app-codes code").all_inner_texts()
    tab.open("/staff/password")
    tab.send("/password", "That is not right", current="not it", password="another lantern meadow", again="x")
    tab.send("/password", "Your password is changed", current=PASSWORD, password="b" + PASSWORD, again="b" + PASSWORD)
    member.password = "b" + PASSWORD
    tab.send("/sign-out", "Sign in")
    tab.send("/sign-in", "Enter your code", email=member.email, password=member.password)
    tab.send("/second-factor", "That is not right", code=member.wrong_code)
    tab.send("/sign-out", "Sign in")
    tab.send("/sign-in", "Enter your code", email=member.email, password=member.password)
    tab.open("/staff/recovery")
    tab.send("/recovery", "That is not right", code="0000")
    tab.send("/recovery", "What needs attention", code=codes[0])
    assert len(tab.sent) == 17


def test_back_after_account_forms(site_tab, team):
    tab = site_tab
    enter(tab, team.add("ada", "admin"))
    tab.open("/staff/accounts/new")
    tab.send("/new", "Fill in this field", email="dana@clinic.example.org")
    assert tab.page.locator("#email").input_value() == "dana@clinic.example.org"
    tab.send("/new", "Temporary password", name="Dana", roles="rows")
    tab.open(tab.page.url.removeprefix(tab.address).partition("?")[0])
    tab.send("/roles", "cannot go to one person", roles="callbacks")
    tab.page.locator("[name=roles][value=rows]").uncheck()
    tab.send("/roles", "The roles are changed")
    tab.send("/disable", "The account is disabled")
    tab.send("/enable", "The account can sign in again")
    tab.send("/reset", "Temporary password")


def test_back_after_callback_forms(site_tab, team, request_call):
    tab, ann, ben = site_tab, team.add("ann", "callbacks"), team.sign_in("ben", "callbacks")
    request_call(Visitor(team.site))
    enter(tab, ann)
    tab.open("/staff/callbacks/new")
    entered = {"name": "Carla Caller", "message": FORM["message"]}
    tab.send("/new", "Please give a phone number", "button.nhsuk-button", **entered)
    assert tab.page.locator("#message").input_value() == FORM["message"]
    tab.send("/new", "There is an open request with this number", "button.nhsuk-button", phone=PHONE)
    tab.send("/new", "Read out the reference", "button.nhsuk-button")
    tab.open("/staff/callbacks/closed-days")
    tab.send("/closed-days", "Enter a day such as", day="")
    tab.send("/closed-days", "December 24, 2026", day="2026-12-24")
    tab.send("/remove", "None yet")
    tab.open("/staff/callbacks/search")
    tab.send("/search", "Type a name")
    tab.send("/search", "2 requests found", contact=PHONE)
    with tab.page.expect_navigation():
        tab.page.locator("main li a", has_text=NAME).click()
    tab.send("/note", "Write the note first")
    tab.send("/note", "The note is kept", note="A note")
    press(ben, open_request(ben), "claim")
    tab.send("/claim", "This request changed a moment ago")
    tab.send("/hand", "at most", handover="x" * 501)
    tab.send("/hand", "The request is handed over", to=team.id_of(ben), handover="Words")
    tab.send("/take-over", "You have this request now")
    tab.send("/call", "at most", "button[value=no_answer]", note="x" * 501)
    tab.send("/call", "No answer. Call again from", "button[value=no_answer]", note="A call")
    tab.send("/put-back", "The request is back in the queue")
    tab.send("/claim", "You have this request now")
    tab.send("/close", "The request is closed")
    tab.send("/reopen", "The request is open again")
    tab.page.locator("details summary").last.click()
    tab.send("/erase", "The request is erased")


def test_back_after_release_forms(site_tab, team):
    with team.app.app_context():
        store(generate(500))
    tab = site_tab
    enter(tab, team.add("rita", "responses"))
    tab.open("/staff/releases")
    tab.send("/releases", "Check the box")
    tab.page.locator("#sure").check()
    tab.send("/releases", "The release is made")
    tab.send("/check", "Nothing found")


def test_back_after_mail_forms(site_tab, team):
    with team.app.app_context():
        for number in range(2):
            db.session.add(
                OutboxMail(id=f"{number}", kind="waiting", subject="", state=FAILED, posted_at=0, due_at=0, attempts=1)
            )
        db.session.commit()
    tab = site_tab
    enter(tab, team.add("ada", "admin"))
    tab.open("/staff/mail")
    tab.send("/retry", "It will be tried again", "button.nhsuk-button--small")
    tab.send("/mail/retry", "It will be tried again")


def test_back_after_stale_token_preserves_typed_text(site_tab, team):
    tab, ann = site_tab, team.add("ann", "callbacks")
    enter(tab, ann)
    tab.open("/staff/callbacks/closed-days")
    tab.page.locator("[name=csrf_token]").evaluate_all("fields => fields.forEach(field => field.value = 'stale')")
    tab.send("/closed-days", "Nothing was changed", day="2026-12-24")
    assert tab.page.locator("#day").input_value() == "2026-12-24"
    tab.send("/closed-days", "December 24, 2026")


def test_back_after_recovered_form_preserves_typed_text(site_tab, team, clock):
    tab, ann = site_tab, team.add("ann", "callbacks")
    enter(tab, ann)
    tab.open("/staff/callbacks/new")
    clock.forward(15 * 60)
    tab.page.locator("#message").fill(FORM["message"])
    with tab.page.expect_navigation():
        tab.page.locator("main form button.nhsuk-button").click()
    assert "You were signed out" in tab.text()
    tab.leave_and_go_back()
    tab.send("/sign-in", "Enter your code", email=ann.email, password=ann.password)
    clock.forward(30)
    tab.send("/second-factor", "Your words are here", code=ann.code)
    assert tab.page.locator("#message").input_value() == FORM["message"]


def test_page_that_answers_a_post_directly_is_detected(page):
    """The control: Back fails on a page that answers a form directly."""
    app = Flask("control")
    text = '<main>{}<form method="post" action="/form"><button>Send</button></form></main>'

    @app.route("/form", methods=["GET", "POST"])
    def form():
        return text.format(request.method), {"Cache-Control": "no-store"}

    @app.get(ELSEWHERE)
    def elsewhere():
        return "<main>Elsewhere</main>"

    with served(app) as address:
        tab = Tab(page, address)
        tab.open("/form")
        with pytest.raises(AssertionError, match="Back"):
            tab.send("/form", "POST")
