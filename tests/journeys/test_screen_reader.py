"""What a screen reader says on every page and in every state, compared with reviewed recordings.

After an intended change: ``make spoken``, then read the difference in ``tests/journeys/spoken``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from screening.app import static_error_page
from screening.callbacks import patient_service
from screening.durations import HOUR_SECONDS, MINUTE_SECONDS
from screening.operations import demo
from screening.staff import passwords
from tests.support.browser import VIEW
from tests.support.queue_pages import open_request, press
from tests.support.sample_patient import FORM, PHONE, reference_on
from tests.support.screen_reader import Phrase, Recordings, ScreenReader, outline
from tests.support.staff_client import StaffClient
from tests.support.visitor import SIGNS, Visitor

SPOKEN = Path(__file__).parent / "spoken"
LANGUAGES = ("en", "es")
DESK = {"width": 1280, "height": 900}
UNNAMED = re.compile(
    r"^ *(\(\w+\) )?(link|button|img|image|radio|checkbox|textbox|combobox|group|region|navigation|dialog|alertdialog"
    r"|heading)(, (?:(?:not )?(?:checked|expanded|selected)|level \d|\d+ of \d+|required|invalid|has popup listbox))*$"
)
"""A control, a picture or a group without a name."""

WITHOUT_PAGE = {
    "": {"health.healthz", "health.readyz", "information.brand", "security_txt.show"},
    "/staff": {"authentication.home", "figures.download", "releases.download"},
}
"""Addresses that answer with a file, a redirect or a status."""

pytestmark = pytest.mark.usefixtures("monday_noon", "same_secrets")


@pytest.fixture
def same_secrets(monkeypatch):
    """Draw the same secrets in each run: the order of requests depends on them, and passwords are shown."""
    numbers = count()
    monkeypatch.setattr(patient_service, "fresh_secret", lambda: f"{next(numbers):032x}")
    monkeypatch.setattr(passwords, "temporary_password", lambda: "maple-river-candle-stone-window")


@pytest.fixture
def make_reader(browser: Browser) -> Iterator:
    """Return a function that creates a screen reader for a site; keyword arguments are those of a browser context."""
    contexts = []

    def make_reader(site, **options):
        contexts.append(browser.new_context(**VIEW | {"bypass_csp": True} | options))
        return ScreenReader(contexts[-1], site)

    yield make_reader
    for context in contexts:
        context.close()


@pytest.fixture
def recorded(make_reader):
    """Return a function that reads pages as they come, and returns what is said on them."""

    def recorded(site, folder, *walks, **options):
        reader, recordings = make_reader(site, **options), Recordings(SPOKEN / folder)
        for pages in walks:
            for name, page in pages:
                recordings.add(name, reader.read(page))
        return recordings

    return recorded


def visitor_of(site, lang) -> Visitor:
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    return visitor


def information_pages(site, lang):
    visitor = Visitor(site)
    yield "start", visitor.get(f"/?lang={lang}")
    for name in ("help-now", "worried", "about", "privacy", "accessibility"):
        yield name, visitor.get(f"/{name}")
    yield "not-found", visitor.get("/nowhere")


def walk_pages(site, lang):
    """Answer all questions, with a mistake on each kind; end with a summary of several signs."""
    visitor = visitor_of(site, lang)
    yield "answers-gone", visitor.get("/summary")
    yield "question-mistake", visitor.send(visitor.get("/check/sadness"), "/check/sadness")
    for sign in SIGNS:
        yield f"question-{sign}", visitor.get(f"/check/{sign}")
        visitor.answer(sign, "1")
    for question, answer in {"pain_duration": "over_a_year", "pain_average": "6"}.items():
        yield f"question-{question}", visitor.get(f"/check/{question}")
        visitor.answer(question, answer)
    yield "question-stress", visitor.get("/check/stress")
    yield "question-stress-mistake", visitor.send(visitor.get("/check/stress"), "/check/stress")
    yield "start-with-answers", visitor.get("/")
    yield "question-answered", visitor.get("/check/sadness?from=review")
    yield "review", visitor.answer("stress", ["work", "expectations"])
    page = visitor.send(visitor.get("/check/review"), "/check/review")
    yield "review-mistake", page
    page = visitor.send(page, "/check/review", consent="yes")
    yield "question-age", page
    page = visitor.send(page, "/check/age")
    yield "question-age-mistake", page
    yield "summary-several", visitor.send(page, "/check/age", age="45_to_54")
    yield "doctor-page", visitor.get("/summary/doctor")


def summary_pages(site, lang):
    """The other summaries, and the pages after an answer that calls for urgent help."""
    declined = {**dict.fromkeys(SIGNS, "declined"), "stress": ["none"]}
    for name, answers in {"none": {}, "some": {"sleep": "2", "pain": "1"}, "declined": declined}.items():
        visitor = visitor_of(site, lang)
        visitor.walk(**answers)
        yield f"summary-{name}", visitor.disagree()
    visitor = visitor_of(site, lang)
    visitor.walk(sadness="1")
    yield "summary-under-18", visitor.agree("under_18")
    visitor = visitor_of(site, lang)
    visitor.answer("sadness", "0")
    visitor.answer("sleep", "3")
    yield "urgent-help", visitor.send(visitor.get("/check/hopelessness"), "/check/hopelessness", hopelessness="3")
    visitor.answer("hopelessness", "3")
    yield "question-after-urgent-help", visitor.get("/check/interest")
    visitor.walk(hopelessness="3", sleep="3")
    yield "review-after-urgent-help", visitor.get("/check/review")
    yield "summary-urgent", visitor.disagree()


def refused_pages(site, make_site, lang):
    visitor = visitor_of(make_site(RATE_LIMIT_FORMS="1 per minute"), lang)
    for _ in range(2):
        page = visitor.send(visitor.get("/check/sadness"), "/check/sadness", follow=False, sadness="1")
    assert page.status == 429
    yield "too-many-forms", page
    if lang == "en":  # these two pages show every language
        values = {"crises": site.extensions["crisis"], "clinic": site.extensions["clinic"], "sent": True}
        yield "busy", site.jinja_env.get_template("errors/busy.html").render(values)
        yield "last-resort", static_error_page(site)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_check_is_spoken_as_reviewed(site, make_site, make_reader, recorded, lang):
    walks = information_pages(site, lang), walk_pages(site, lang), summary_pages(site, lang)
    recordings = recorded(site, f"{lang}/check", *walks, refused_pages(site, make_site, lang))
    page = visitor_of(site, lang).answer("sadness", "1")
    recordings.add("time-out", make_reader(site).read_after(page, 26 * MINUTE_SECONDS))
    recordings.check()


def form_pages(site, lang, clock):
    """The call-back form in every state, what follows after it is sent, and what happens to the request."""
    yield "form", visitor_of(site, lang).get("/consultation")
    mistakes = {
        "form-mistakes": {},
        "form-other-mistakes": {"name": "Rosa", "phone": "12", "email": "rosa@", "message": "x" * 501},
        "form-number-to-confirm": {"name": "Rosa", "patient": "new", "phone": "(436) 555-0144"},
        "form-under-18": {"name": "Rosa", "phone": PHONE, "minor": "yes"},
    }
    for name, fields in mistakes.items():
        visitor = visitor_of(site, lang)  # a form shows again what was typed before
        yield name, visitor.fill(visitor.get("/consultation"), "/consultation/review", **fields)
    patient = visitor_of(site, lang)
    patient.walk(sadness="2", pain="3", hopelessness="1")
    patient.disagree()
    form = patient.get("/consultation")
    yield "form-with-summary", form
    choices = {"share": "yes", "voicemail": "yes", "days": ["1"], "parts": ["morning"]}
    page = patient.fill(form, "/consultation/review", **FORM, **choices)
    yield "review", page
    clock.forward(5)
    page = patient.fill(page, "/consultation/sent")
    reference = reference_on(page)
    yield "sent", page
    page = patient.get("/consultation/status")
    yield "status", page
    yield "form-for-a-change", patient.send(page, "/consultation/status/change")
    page = patient.send(patient.get("/consultation/status"), "/consultation/status/forget")
    yield "find", page
    yield "find-mistake", patient.send(page, "/consultation/status", reference="ABC")
    page = patient.send(patient.get("/consultation/status"), "/consultation/status", reference=reference)
    yield "status-withdrawn", patient.send(page, "/consultation/status/withdraw")
    clock.forward(10 * HOUR_SECONDS)
    yield "form-while-closed", visitor_of(site, lang).get("/consultation")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_call_back_form_is_spoken_as_reviewed(site, recorded, clock, lang):
    recorded(site, f"{lang}/consultation", form_pages(site, lang, clock)).check()


def sign_in_pages(team, lang):
    """The first sign-in of a new member, and a later one by a recovery code."""
    member = team.invite("dana", "callbacks")
    yield "sign-in", member.get(f"/staff/sign-in?lang={lang}")
    yield "sign-in-mistake", member.enter_password("wrong lantern quiet meadow")
    page = member.enter_password()
    yield "password", page
    page = member.send(page, "/staff/password", password="short", again="other")
    yield "password-mistake", page
    page = member.choose_password(page)
    yield "authenticator", page
    page = member.set_up_app(page)
    yield "recovery-codes", page
    yield "own-account", member.get("/staff/you")
    member.sign_out()
    member.clock.forward(30)
    page = member.enter_password()
    yield "second-factor", page
    yield "second-factor-mistake", member.send(page, "/staff/second-factor", code=member.wrong_code)
    yield "recovery", member.get("/staff/recovery")


def request_pages(team, lang, request_call):
    """A request from the queue to its end, and the forms around it."""
    ann = team.sign_in("ann", "callbacks")
    yield "queue-empty", ann.get(f"/staff/callbacks?lang={lang}")
    patient = visitor_of(team.site, "en")
    patient.walk(sadness="2", pain="3")
    patient.disagree()
    request_call(patient, share="yes", voicemail="yes", days=["1"], parts=["morning"])
    yield "request-waiting", open_request(ann)
    page = press(ann, open_request(ann), "claim")
    yield "request-claimed", page
    page = press(ann, page, "call", note="will call again")
    yield "request-mistake", page
    page = press(ann, page, "call", outcome="voicemail", note="call after lunch")
    yield "request-called", page
    page = press(ann, page, "call", outcome="spoke")
    yield "request-closed", page
    page = ann.get("/staff/callbacks/search")
    yield "search", page
    yield "search-found", ann.send(page, "/staff/callbacks/search", contact=PHONE)
    yield "search-none", ann.send(page, "/staff/callbacks/search", contact="303 555 0199")
    page = ann.get("/staff/callbacks/new")
    yield "new-request", page
    yield "new-request-mistake", ann.fill(page, "/staff/callbacks/new", name="")
    page = ann.get("/staff/callbacks/closed-days")
    yield "closed-days", ann.send(page, "/staff/callbacks/closed-days", day="2026-11-24")
    yield "not-found", ann.get("/staff/nowhere")


def account_pages(team, lang):
    admin = team.sign_in("ada", "admin")
    yield "accounts", admin.get(f"/staff/accounts?lang={lang}")
    page = admin.get("/staff/accounts/new")
    yield "new-account", page
    yield "new-account-mistake", admin.send(page, "/staff/accounts/new", name="", email="dana", roles=[])
    fields = {"name": "Eve", "email": "eve@clinic.example.org", "roles": ["responses"]}
    yield "new-account-added", admin.send(page, "/staff/accounts/new", **fields)
    yield "account", admin.get(f"/staff/accounts/{team.id_of(admin)}")
    yield "mail", admin.get("/staff/mail")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_staff_pages_are_spoken_as_reviewed(team, recorded, request_call, lang):
    walks = sign_in_pages(team, lang), request_pages(team, lang, request_call), account_pages(team, lang)
    recorded(team.site, f"{lang}/staff", *walks, viewport=DESK).check()


def demo_pages(member, lang):
    """The pages that show much, with the data of the demo."""
    for name in (
        "callbacks/today",
        "callbacks",
        "callbacks/print",
        "releases",
        "trends",
        "audit",
        "system",
        "figures",
        "clinic",
    ):
        yield name.replace("/", "-"), member.get(f"/staff/{name}?lang={lang}")
    page = member.get("/staff/releases/1")
    yield "release", page
    yield "release-verified", member.send(page, "/staff/releases/1/check")


def test_demo_is_spoken_as_reviewed(site, recorded):
    """In one test, because the demo takes long to make."""
    login = next(each for each in demo.fill(site) if each.email.startswith("admin"))
    member = StaffClient(site, login.email, login.password, login.secret.replace(" ", ""))
    member.sign_in()
    walks = [recorded(site, f"{lang}/demo", demo_pages(member, lang), viewport=DESK) for lang in LANGUAGES]
    for recordings in walks:
        recordings.check()


def recordings() -> dict[str, list[str]]:
    """Return the lines of each recording by its path."""
    files = sorted(SPOKEN.rglob("*.txt"))
    return {str(file.relative_to(SPOKEN)): file.read_text(encoding="utf-8").splitlines() for file in files}


def test_every_page_has_a_recording(site):
    found = recordings().values()
    addresses = {lines[0].removeprefix("address: ") for lines in found if lines[0].startswith("address: ")}
    for app, prefix in ((site, ""), (site.extensions["staff"], "/staff")):
        own = [each.removeprefix(prefix) for each in addresses if each.startswith("/staff") == bool(prefix)]
        known = app.url_map.bind("localhost")
        read = {known.match(each)[0] for each in own if known.test(each)}
        pages = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
        assert pages - read == WITHOUT_PAGE[prefix]


def test_recordings_name_every_control_and_picture():
    unnamed = {name: [line for line in lines if UNNAMED.match(line)] for name, lines in recordings().items()}
    assert {name: lines for name, lines in unnamed.items() if lines} == {}


def test_mistake_has_the_focus_when_its_page_opens():
    mistakes = {name: lines for name, lines in recordings().items() if "title: Error: " in "\n".join(lines[:2])}
    assert len(mistakes) > 20
    assert {name for name, lines in mistakes.items() if "focus: alert" not in lines} == set()


@pytest.mark.parametrize(
    ("spoken", "lines"),
    [
        (
            "list|listitem, level 1, position 2, set size 3|paragraph|one|end of paragraph|end of listitem, level 1, position 2, set size 3|end of list",
            "list|  listitem, 2 of 3: one",
        ),
        ("link, Call 988|Call|988|end of link, Call 988", "link, Call 988"),
        ("link, Call 988|Call|end of link, Call 988", "link, Call 988|  Call"),
        (
            "radio, No, not checked|No|radio, Yes, not checked|Perhaps",
            "radio, No, not checked|radio, Yes, not checked|Perhaps",
        ),
        ("button, No|No", "button, No|No"),
        ("image, A circle|Pain|end of image, A circle|after", "image, A circle|after"),
        ("How old?|How old?|end, How old?", "How old?"),
        ("How old?|heading, How old?, level 1|end, How old?", "heading, How old?, level 1"),
        ("row, one two|cell, one|cell, two|end of row, one two", "row|  cell, one|  cell, two"),
        ("end of list", "end of list"),
    ],
)
def test_outline_shortens_what_is_spoken(spoken, lines):
    assert outline(map(Phrase, spoken.split("|"))) == lines.split("|")


TEXTS = st.sampled_from("abc")
LISTS = st.tuples(st.sampled_from("RS"), st.lists(TEXTS, min_size=1, max_size=3))
TREES = TEXTS | st.tuples(st.sampled_from("RS"), st.lists(TEXTS | LISTS, min_size=1, max_size=3))


def phrases_of(tree) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return [
        f"region, {tree[0]}",
        *(each for below in tree[1] for each in phrases_of(below)),
        f"end of region, {tree[0]}",
    ]


def indented(tree) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return [f"region, {tree[0]}", *(f"  {line}" for below in tree[1] for line in indented(below))]


@given(st.lists(TREES, max_size=3))
def test_outline_indents_what_stands_before_the_end(trees):
    spoken = [Phrase(text) for tree in trees for text in phrases_of(tree)]
    assert outline(spoken) == [line for tree in trees for line in indented(tree)]


def test_other_language_is_named_where_it_begins():
    spoken = [Phrase("list", "es"), Phrase("Uno", "es"), Phrase("One", "en"), Phrase("end of list", "es")]
    assert outline(spoken, "en") == ["(es) list", "  Uno", "  (en) One"]


@pytest.mark.parametrize("change", ["word", "page gone", "page added", None])
def test_changed_recording_is_refused_until_reviewed(tmp_path, monkeypatch, change):
    def spoken(*names, word="Yes"):
        recordings = Recordings(tmp_path)
        for name in names:
            recordings.add(name, ["title: Start", "", "banner", "main", f"  button, {word}", "contentinfo"])
        return recordings

    monkeypatch.setenv("SPOKEN", "record")
    spoken("one", "two").check()
    monkeypatch.delenv("SPOKEN")
    assert (tmp_path / "two.txt").read_text().splitlines()[2:] == [
        "(before main: as in one.txt)",
        "main",
        "  button, Yes",
        "(after: as in one.txt)",
    ]
    names = {"page gone": ["one"], "page added": ["one", "two", "three"]}.get(change, ["one", "two"])
    now = spoken(*names, word="No" if change == "word" else "Yes")
    if change is None:
        now.check()
    else:
        with pytest.raises(AssertionError, match="make spoken"):
            now.check()


def test_removed_label_changes_what_is_spoken(site, make_reader):
    """The control: the reader hears a name that is gone."""
    reader = make_reader(site)
    page = Visitor(site).get("/check/sadness")
    lines = reader.read(page)
    assert "    radio, Not at all, not checked, 1 of 5" in lines
    reader.window.evaluate("document.querySelector('main label').remove()")
    assert [line for line in reader.read_out() if UNNAMED.match(line)] == ["    radio, not checked, 1 of 5"]
