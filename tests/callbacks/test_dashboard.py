"""The dashboard of a day: its sections, the next request, outcomes, handover, and the printed call list."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text

from screening.callbacks import key_rotation
from screening.callbacks.models import CallbackRequest
from screening.extensions import db
from screening.mail.models import OutboxMail
from tests.support.absence import assert_absent
from tests.support.clock import NOON
from tests.support.databases import assert_indexed, plain_engine, statements_of
from tests.support.queue_pages import press
from tests.support.sample_patient import FORM, PHONE, SECRETS
from tests.support.staff_client import Team, was_refused
from tests.support.visitor import Visitor

HOUR, DAY = 3600, 24 * 3600
SECTIONS = ("first", "overdue", "today", "reached", "mine")
NOTE = "zentinelhandover note"


@pytest.fixture
def folder(keys, tmp_path):
    """Key files for this test only, since one test rotates them."""
    return Path(shutil.copytree(keys, tmp_path / "keys"))


@pytest.fixture
def team(make_site, folder):
    return Team(make_site(KEYS_DIR=folder, SITE_URL="https://clinic.example.org"))


def change(team, name_of_column, value, **where):
    """Set a column of the matching requests."""
    with team.app.app_context():
        table = CallbackRequest.__table__
        picked = [table.c[column] == wanted for column, wanted in where.items()]
        db.session.execute(table.update().where(*picked).values({name_of_column: value}))
        db.session.commit()


def ids(team):
    """Return the ids of the requests in the order of arrival."""
    with team.app.app_context():
        return list(db.session.scalars(select(CallbackRequest.id).order_by(CallbackRequest.asked_at)))


def request_calls(team, request_call, clock, *names, **fields):
    """Send requests under these names, a moment apart; return their ids."""
    for name in names:
        clock.forward(5)
        request_call(Visitor(team.site), name=name, **fields)
    return ids(team)[-len(names) :]


def shown(page):
    """Return the names in each section of the dashboard."""
    return {name: [link.get_text() for link in page.main.select(f"#s-{name} ~ ul > li > a")] for name in SECTIONS}


def counted(page):
    return [int(tag.get_text().rstrip("+")) for tag in page.main.select(".app-today__count")]


def open_(member, id_):
    return member.get(f"/staff/callbacks/{id_}")


def details_of(team, action):
    return [event.detail for event in team.events(action)]


@pytest.mark.usefixtures("monday_noon")
class TestSections:
    @pytest.mark.each_database
    def test_request_appears_once_in_the_first_matching_section(self, team, ann, request_call, clock):
        first, late, now, own, reached, _later = request_calls(
            team, request_call, clock, "First", "Late", "Now", "Mine", "Reached", "Later"
        )
        again = {"again_day": "2026-11-24", "again_time": "09:00"}
        press(ann, open_(ann, reached), "call", outcome="spoke_again", **again)
        for id_ in (first, late, own):
            press(ann, open_(ann, id_), "claim")
        change(team, "rank", 0, id=first)
        change(team, "due_at", int(clock()) - DAY, id=late)
        change(team, "due_at", int(clock()) + HOUR, id=now)
        before = len(details_of(team, "requests.listed"))
        page = ann.get("/staff/callbacks/today")
        assert shown(page) == {
            "first": ["First"],
            "overdue": ["Late"],
            "today": ["Now"],
            "reached": ["Reached"],
            "mine": ["Mine"],
        }
        assert counted(page) == [1, 1, 1, 1, 1], "no mail server, so no section of mail"
        assert_absent(SECRETS, page.text)
        assert details_of(team, "requests.listed")[before:] == [{"tab": "today"}], "one audit event per page view"

    def test_dashboard_is_staff_home_and_first_menu_entry(self, ann):
        page = ann.get("/staff/")
        assert page.address == "/staff/callbacks/today" and page.heading == "Today"
        entries = page.soup.select(".app-staffnav a")
        assert entries[0].get_text() == "Today" and entries[0].get("aria-current") == "page"
        assert len(page.soup.select(".app-staffnav [aria-current]")) == 1

    def test_requests_due_today_sort_by_preferred_time(self, team, ann, request_call, clock):
        chosen = {"Any": {}, "Mornings": {"parts": ["morning"]}, "Midday": {"parts": ["midday"]}}
        chosen |= {"Tuesdays": {"days": ["1"]}, "Mondays": {"days": ["0"]}}
        for name, preferred in chosen.items():
            request_calls(team, request_call, clock, name, **preferred)
        change(team, "due_at", int(clock()) + HOUR)
        page = ann.get("/staff/callbacks/today")
        names = shown(page)["today"]
        assert (
            set(names[:2]) == {"Midday", "Mondays"} and names[2] == "Any" and set(names[3:]) == {"Mornings", "Tuesdays"}
        )
        assert page.text.count("Good time now") == 2

    @pytest.mark.each_database
    def test_today_ends_at_midnight_in_clinic_time_zone(self, team, ann, request_call, clock):
        soon, next_day = request_calls(team, request_call, clock, "Tonight", "Tomorrow")
        midnight = int(NOON) + 12 * HOUR
        change(team, "due_at", midnight - 1, id=soon)
        change(team, "due_at", midnight, id=next_day)
        assert shown(ann.get("/staff/callbacks/today"))["today"] == ["Tonight"]

    @pytest.mark.each_database
    def test_section_shows_ten_requests_and_a_capped_count(self, team, ann):
        fill(team, 130)
        page = ann.get("/staff/callbacks/today")
        assert len(shown(page)["overdue"]) == 10 and counted(page)[1] == 99 and "99+" in page.words
        link = page.main.select_one("#s-overdue ~ p a")
        assert len(ann.get(link["href"]).main.select(".app-worklist__name")) == 25

    def test_failed_mail_count_links_to_mail_page(self, team, ann, clock):
        with team.app.app_context():
            values = {"kind": "request.waiting", "subject": "1" * 32, "state": "failed", "attempts": 3}
            db.session.add(OutboxMail(id="2" * 32, posted_at=int(clock()), due_at=0, **values))
            db.session.commit()
        page = ann.get("/staff/callbacks/today")
        assert counted(page)[5] == 1 and page.main.find("a", href="/staff/mail")

    @pytest.mark.each_database
    def test_query_count_is_bounded_and_queries_use_indexes(self, team, ann):
        asked = {}
        for count in (2, 300):
            fill(team, count)
            asked[count] = statements_of(team.app, lambda: ann.get("/staff/callbacks/today"))
        assert len(asked[300]) <= len(asked[2]) + 1, "one query more: the count of a long section"
        assert len(asked[300]) <= 22
        assert_indexed(team.app, asked[300], "callback_request")


def fill(team, count):
    """Replace all requests by overdue ones that no key decrypts."""
    table = CallbackRequest.__table__
    same = {"language": "en", "rank": 1, "asked_at": 0, "attempts": 0, "version": 1, "state": "new"}
    rows = [{"id": f"{n:032x}", "due_at": 1_000_000 + n, "state_group": "waiting", **same} for n in range(count)]
    with plain_engine(team.app.config["SETTINGS"]["DATABASE_URL"]) as engine, engine.begin() as connection:
        connection.execute(delete(table))
        connection.execute(insert(table), rows)


class TestOutcomes:
    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ("no_answer", "Tried once"),
            ("voicemail", "Tried once"),
            ("spoke", "Closed"),
            ("busy", "Tried once"),
            ("wrong_number", "Tried once"),
        ],
    )
    def test_call_outcome_also_claims_an_unclaimed_request(self, team, ann, request_call, clock, outcome, expected):
        (id_,) = request_calls(team, request_call, clock, "Rosa", voicemail="yes")
        page = open_(ann, id_)
        assert page.main.find("button", value=outcome, attrs={"name": "outcome"})
        page = press(ann, page, "call", outcome=outcome, note="")
        assert page.status == 200 and expected in page.words and "With Ann." in page.words
        done = [e.action for e in team.events("request") if e.subject == id_ and e.action != "request.viewed"]
        assert done[:2] == ["request.received", "request.claimed"] and len(done) == 3

    def test_refused_voicemail_does_not_claim_the_request(self, team, ann, request_call, clock):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        page = open_(ann, id_)
        assert page.main.find("button", value="voicemail") is None and page.main.find("button", value="spoke")
        page = press(ann, page, "call", outcome="voicemail", note="typed words")
        assert was_refused(page) and "typed words" in page.words and "With nobody yet." in page.words
        assert team.events("request.claimed") == []

    def test_outcome_takes_over_a_request_seen_as_a_colleagues(self, team, ann, ben, request_call, clock):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        own = open_(ann, id_)
        press(ben, open_(ben, id_), "claim")
        page = press(ann, own, "call", outcome="no_answer", note="")
        assert was_refused(page) and "With Ben." in page.words, "the page was opened before Ben took it"
        page = press(ann, open_(ann, id_), "call", outcome="no_answer", note="")
        assert page.status == 200 and "With Ann." in page.words and "Tried once" in page.words

    def test_missing_outcome_is_refused_and_preserves_note(self, team, ann, request_call, clock):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        page = press(ann, open_(ann, id_), "call", note="typed words")
        assert was_refused(page) and "Pick what happened" in page.words
        assert page.typed(f"{page.address}/call")["note"] == ["typed words"]


class TestHandover:
    @pytest.mark.each_database
    def test_handover_note_is_highlighted_until_the_next_call(self, team, ann, ben, request_call, clock):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        page = press(ann, open_(ann, id_), "hand", to=team.id_of(ben), handover=NOTE)
        assert "The request is handed over" in page.words
        morning = ben.get("/staff/callbacks/today")
        assert "Handover note" in morning.words
        assert_absent([NOTE], morning.text)
        page = open_(ben, id_)
        assert page.words.index(NOTE) < page.words.index(PHONE)
        page = press(ben, page, "call", outcome="no_answer", note="a plain note")
        assert page.words.index(PHONE) < page.words.index(NOTE), "no longer highlighted"
        assert "Handover note" not in ben.get("/staff/callbacks/today").words

    @pytest.mark.each_database
    @pytest.mark.parametrize("outcome", ["no_answer", "stop"])
    def test_undo_shows_the_handover_note_first_again(self, team, ann, ben, request_call, clock, outcome):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        press(ann, open_(ann, id_), "hand", to=team.id_of(ben), handover="an older note")
        press(ben, open_(ben, id_), "call", outcome="busy")
        page = press(ben, open_(ben, id_), "hand", to=team.id_of(ann), handover=NOTE)
        page = press(ben, page, "call", outcome=outcome, note="")
        assert page.words.index(PHONE) < page.words.index(NOTE)
        page = press(ben, page, "undo")
        assert page.words.index(NOTE) < page.words.index(PHONE) < page.words.index("an older note")
        assert "Handover note" in ann.get("/staff/callbacks/today").words

    def test_handover_to_next_shift_puts_the_request_back(self, team, ann, request_call, clock):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        page = press(ann, open_(ann, id_), "claim")
        page = press(ann, page, "hand", to="-", handover=NOTE)
        assert "back in the queue" in page.words and "With nobody yet." in page.words and NOTE in page.words

    def test_put_back_without_ownership_is_refused(self, team, ann, request_call, clock):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        page = press(ann, open_(ann, id_), "hand", to="-", handover="typed words")
        assert was_refused(page) and page.typed(f"{page.address}/hand")["handover"] == ["typed words"]

    def test_handover_conflict_preserves_the_typed_note(self, team, ann, ben, request_call, clock):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        page = open_(ann, id_)
        press(ben, open_(ben, id_), "claim")
        page = press(ann, page, "hand", to=team.id_of(ann), handover="typed words")
        assert was_refused(page)
        typed = page.typed(f"{page.address}/hand")
        assert typed["handover"] == ["typed words"]

    @pytest.mark.each_database
    def test_handover_note_survives_rotation_until_request_deletion(self, team, ann, ben, request_call, clock, folder):
        (id_,) = request_calls(team, request_call, clock, "Rosa")
        press(ann, open_(ann, id_), "hand", to=team.id_of(ben), handover=NOTE)
        with team.app.app_context():
            assert key_rotation.rotate(folder, clock()).reencrypted >= 2
            kind, sealed = db.session.execute(text("SELECT kind, ciphertext FROM callback_note")).one()
            assert kind == "handover"
        assert_absent([NOTE], bytes(sealed))
        assert NOTE in open_(ann, id_).words
        press(ann, open_(ann, id_), "erase")
        with team.app.app_context():
            assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


@pytest.mark.usefixtures("monday_noon")
class TestPrintList:
    def test_print_list_shows_call_data_and_no_health_data(self, team, ann, request_call, clock):
        form_fields = {"voicemail": "yes", "assistance": "zentinelinterpreter", "parts": ["morning"]}
        first, second = request_calls(team, request_call, clock, "Patient One", **form_fields) + request_calls(
            team, request_call, clock, "Patient Two", say=""
        )
        change(team, "due_at", int(clock()) + 2 * HOUR, id=first)
        change(team, "rank", 0, id=first)
        change(team, "due_at", int(clock()) + HOUR, id=second)
        page = ann.get("/staff/callbacks/print")
        rows = [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in page.main.select("tr")]
        assert [row[1] for row in rows[1:]] == ["Patient Two", FORM["say"]], (
            "by due time: by rank would reveal health data"
        )
        assert rows[2][2:] == [f"{PHONE}Any day in the morning", "Interpreter or relay", ""]
        assert rows[1][3:] == ["NO VOICEMAIL", ""] and "Shred after use" in page.words
        assert_absent(["zentinelmessage", "zentinelinterpreter", FORM["email"]], str(page.main))
        assert page.main.find("form") is None, "the words contain no random token"
        for word in ("example.org", "call first", "hopeless", "pain", "summary"):
            assert word not in str(page.main).lower(), word
        assert [detail["found"].split() for detail in details_of(team, "requests.printed")] == [[second, first]]

    @pytest.mark.usefixtures("monday_noon")
    def test_print_list_says_before_when_not_to_call_again(self, team, ann, request_call, clock):
        waits, ready = request_calls(team, request_call, clock, "Waits", "Ready", say="")
        for id_ in (waits, ready):
            press(ann, open_(ann, id_), "call", outcome="no_answer")
        change(team, "due_at", int(clock()) + HOUR)
        change(team, "next_at", int(clock()) - 1, id=ready)
        for query, when in (("", "Not before Mon 3:00 PM"), ("?lang=es", "No antes de: lun 3:00 p. m.")):
            rows = ann.get(f"/staff/callbacks/print{query}").main.select("tbody tr")
            found = {row.th.get_text(): " ".join(row.get_text(" ").split()) for row in rows}
            assert found.keys() == {"Waits", "Ready"}
            assert [name for name, shown in found.items() if when in shown] == ["Waits"]

    def test_print_list_has_due_calls_only_and_names_the_guardian(self, team, ann, request_call, clock):
        request_calls(team, request_call, clock, "Later")
        change(team, "due_at", int(clock()) + 3 * DAY)
        known = ids(team)
        request_calls(team, request_call, clock, "Writes", reach_by="email")
        request_calls(team, request_call, clock, "Child", minor="yes", guardian="Parent", guardian_phone="303 555 0155")
        for id_ in set(ids(team)) - set(known):
            change(team, "due_at", int(clock()) - DAY, id=id_)
        page = ann.get("/staff/callbacks/print")
        assert [row.th.get_text() for row in page.main.select("tbody tr")] == ["Parent"]
        assert "(303) 555-0155" in page.words
        assert_absent([PHONE], page.text)


def test_dashboard_pages_require_the_callbacks_role(team):
    member = team.sign_in("eve", "responses", "admin")
    for address in ("today", "print"):
        assert member.get(f"/staff/callbacks/{address}").status == 403
