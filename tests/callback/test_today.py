"""A day at the front desk: the morning view, the next request, outcomes in two presses, handing over, paper."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from sqlalchemy import event, select, text

from screening.audit import AuditEvent
from screening.callback import turning
from screening.callback.models import CallbackRequest
from screening.extensions import db
from screening.outbox.models import OutboxMail
from tests.staff.clerk import Office
from tests.visitor import Visitor

HOUR, DAY = 3600, 24 * 3600
SECTIONS = ("first", "overdue", "today", "mine")


@pytest.fixture
def folder(keys, tmp_path):
    """Key files of our own, since one test turns them."""
    return Path(shutil.copytree(keys, tmp_path / "keys"))


@pytest.fixture
def office(make_site, database_url, folder):
    return Office(make_site(DATABASE_URL=database_url, KEYS=folder, SITE_URL="https://clinic.example.org"))


@pytest.fixture
def ann(office):
    clerk = office.hire("ann", "callbacks")
    clerk.sign_in()
    return clerk


@pytest.fixture
def ben(office):
    clerk = office.hire("ben", "callbacks")
    clerk.sign_in()
    return clerk


def change(office, name_of_column, value, **where):
    """Move a request in time or rank, as days gone by would."""
    with office.app.app_context():
        table = CallbackRequest.__table__
        picked = [table.c[column] == wanted for column, wanted in where.items()]
        db.session.execute(table.update().where(*picked).values({name_of_column: value}))
        db.session.commit()


def ids(office):
    """The requests in the order they came."""
    with office.app.app_context():
        return list(db.session.scalars(select(CallbackRequest.id).order_by(CallbackRequest.asked_at)))


def ask_for(office, ask, clock, *names, **fields):
    """Requests of these names, a moment apart; their ids."""
    for name in names:
        clock.forward(5)
        ask(Visitor(office.site), name=name, **fields)
    return ids(office)[-len(names) :]


def shown(page):
    """The names of each section of the morning view."""
    return {name: [link.get_text() for link in page.main.select(f"#s-{name} ~ ul > li > a")] for name in SECTIONS}


def counted(page):
    return [int(tag.get_text().rstrip("+")) for tag in page.main.select(".app-today__count")]


def open_(clerk, id_):
    return clerk.get(f"/staff/callbacks/{id_}")


def press(clerk, page, what, **fields):
    return clerk.fill(page, f"{page.address}/{what}", **fields)


def details_of(office, action):
    with office.app.app_context():
        return list(db.session.scalars(select(AuditEvent.detail).where(AuditEvent.action == action)))


class TestMorning:
    def test_each_request_stands_once_in_the_first_section_it_fits(self, office, ann, ask, clock):
        first, late, now, mine, _later = ask_for(office, ask, clock, "First", "Late", "Now", "Mine", "Later")
        for id_ in (first, late, mine):
            press(ann, open_(ann, id_), "claim")
        change(office, "rank", 0, id=first)
        change(office, "due_at", int(clock()) - DAY, id=late)
        change(office, "due_at", int(clock()) + HOUR, id=now)
        before = len(details_of(office, "requests.listed"))
        page = ann.get("/staff/callbacks/today")
        assert shown(page) == {"first": ["First"], "overdue": ["Late"], "today": ["Now"], "mine": ["Mine"]}
        assert counted(page) == [1, 1, 1, 1, 0]
        assert "0144" not in page.text and "zentinel" not in page.text
        assert details_of(office, "requests.listed")[before:] == [{"tab": "today"}], "one look is one event"

    def test_it_is_where_the_team_lands_and_first_in_the_list(self, ann):
        page = ann.get("/staff/")
        assert page.address == "/staff/callbacks/today" and page.heading == "Today"
        entries = page.soup.select(".app-staffnav a")
        assert entries[0].get_text() == "Today" and entries[0].get("aria-current") == "page"
        assert len(page.soup.select(".app-staffnav [aria-current]")) == 1

    def test_who_chose_this_time_comes_first_and_who_chose_another_last(self, office, ann, ask, clock):
        """It is Monday noon."""
        chosen = {"Any": {}, "Mornings": {"parts": ["morning"]}, "Midday": {"parts": ["midday"]}}
        chosen |= {"Tuesdays": {"days": ["1"]}, "Mondays": {"days": ["0"]}}
        for name, wish in chosen.items():
            ask_for(office, ask, clock, name, **wish)
        change(office, "due_at", int(clock()) + HOUR)
        page = ann.get("/staff/callbacks/today")
        names = shown(page)["today"]
        assert (
            set(names[:2]) == {"Midday", "Mondays"} and names[2] == "Any" and set(names[3:]) == {"Mornings", "Tuesdays"}
        )
        assert page.text.count("Good time now") == 2

    def test_today_ends_at_the_clinics_midnight(self, office, ann, ask, clock):
        """Noon at the demo clinic: 12 hours are left, wherever the server stands."""
        soon, next_day = ask_for(office, ask, clock, "Tonight", "Tomorrow")
        midnight = int(clock()) // DAY * DAY + 7 * HOUR  # 00:00 in Denver in winter, UTC - 7
        midnight += DAY if midnight <= clock() else 0
        change(office, "due_at", midnight - 1, id=soon)
        change(office, "due_at", midnight, id=next_day)
        assert shown(ann.get("/staff/callbacks/today"))["today"] == ["Tonight"]

    def test_ten_are_shown_and_the_rest_counted(self, office, ann):
        fill(office, 130)
        page = ann.get("/staff/callbacks/today")
        assert len(shown(page)["overdue"]) == 10 and counted(page)[1] == 99 and "99+" in page.words
        link = page.main.select_one("#s-overdue ~ p a")
        assert len(ann.get(link["href"]).main.select(".app-queue__name")) == 25

    def test_failed_mail_leads_to_its_page(self, office, ann, clock):
        with office.app.app_context():
            values = {"kind": "request.waiting", "subject": "1" * 32, "state": "failed", "attempts": 3}
            db.session.add(OutboxMail(id="2" * 32, posted_at=int(clock()), due_at=0, **values))
            db.session.commit()
        page = ann.get("/staff/callbacks/today")
        assert counted(page)[4] == 1 and page.main.find("a", href="/staff/mail")

    def test_it_asks_few_questions_however_many_wait_and_walks_no_table(self, office, ann):
        asked = {}
        for count in (2, 300):
            fill(office, count)
            asked[count] = statements(office, lambda: ann.get("/staff/callbacks/today"))
        assert len(asked[300]) <= len(asked[2]) + 1, "one more: the count of a long section"
        assert len(asked[300]) <= 22
        with office.app.app_context():
            engine = db.engines[None]
        if engine.dialect.name != "sqlite":
            return
        with engine.connect() as connection:
            for statement, parameters in asked[300]:
                if not statement.startswith("SELECT") or "FROM callback_request" not in statement:
                    continue
                plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                assert not [step for step in plan if step.startswith("SCAN callback_request")], (statement, plan)
                assert not [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step], (statement, plan)


def statements(office, do):
    """What the database was asked while something was done."""
    found = []

    def note(conn, cursor, statement, parameters, context, many):
        found.append((statement, parameters))

    with office.app.app_context():
        engine = db.engines[None]
    event.listen(engine, "before_cursor_execute", note)
    try:
        do()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return found


def fill(office, count):
    """Overdue requests that nobody can open, straight into the table, in place of those before."""
    with office.app.app_context():
        table = CallbackRequest.__table__
        db.session.execute(table.delete())
        same = {"language": "en", "rank": 1, "asked_at": 0, "attempts": 0, "version": 1, "state": "new"}
        rows = [{"id": f"{n:032x}", "due_at": 1_000_000 + n, "shelf": "waiting", **same} for n in range(count)]
        db.session.execute(table.insert(), rows)
        db.session.commit()


class TestNext:
    def test_it_is_the_most_urgent_that_is_nobodys_or_mine(self, office, ann, ben, ask, clock):
        first, hers, mine, free = ask_for(office, ask, clock, "First", "Hers", "Mine", "Free")
        change(office, "rank", 0, id=first)
        for number, id_ in enumerate((hers, mine, free)):
            change(office, "due_at", int(clock()) + number, id=id_)
        change(office, "owner", office.id_of(ben), id=hers)
        change(office, "owner", office.id_of(ann), id=mine)
        walked, page = [], ann.get("/staff/callbacks/today")
        for _ in range(3):
            page = ann.get(page.main.find("a", accesskey="n")["href"])
            walked.append(page.address.rpartition("/")[2])
        assert walked == [first, mine, free]
        page = ann.get(page.main.find("a", accesskey="n")["href"])
        assert page.address.endswith(first), "all were looked at: the most urgent again"

    def test_what_was_looked_at_long_ago_comes_again(self, office, ann, ask, clock):
        first, second, third = ask_for(office, ask, clock, "One", "Two", "Three")
        for number, id_ in enumerate((first, second, third)):
            change(office, "due_at", int(clock()) + number, id=id_)
        open_(ann, first)
        page = open_(ann, second)
        assert ann.get(page.main.find("a", accesskey="n")["href"]).address.endswith(third)
        clock.forward(31 * 60)
        ann.sign_in()
        assert ann.get("/staff/callbacks/next").address.endswith(first)

    def test_with_nothing_left_it_says_so(self, office, ann, ask, clock):
        (only,) = ask_for(office, ask, clock, "Only")
        page = ann.get(open_(ann, only).main.find("a", accesskey="n")["href"])
        assert page.address == "/staff/callbacks/today" and "Nothing else waits for you" in page.words

    def test_after_an_outcome_it_is_offered_first_and_the_keyboard_starts_at_the_notice(self, office, ann, ask, clock):
        (only,) = ask_for(office, ask, clock, "Only")
        page = press(ann, open_(ann, only), "call", outcome="no_answer")
        reached = page.main.find_all(["a", "button", "input", "textarea"], limit=1)[0]
        notice = page.main.find(id="notice")
        assert notice.has_attr("autofocus") and notice["tabindex"] == "-1" and "The call is noted" in notice.get_text()
        assert "next" in reached["href"] and "--secondary" not in " ".join(reached["class"])
        assert len(page.main.select("[accesskey]")) == 1


class TestOutcomes:
    @pytest.mark.parametrize(
        ("outcome", "said"),
        [
            ("no_answer", "Tried once"),
            ("voicemail", "Tried once"),
            ("spoke", "Reached"),
            ("wrong_number", "Tried once"),
        ],
    )
    def test_two_presses_note_a_call_and_take_the_request(self, office, ann, ask, clock, outcome, said):
        (id_,) = ask_for(office, ask, clock, "Rosa", voicemail="yes")
        page = open_(ann, id_)
        assert page.main.find("button", value=outcome, attrs={"name": "outcome"})
        page = press(ann, page, "call", outcome=outcome, note="")
        assert page.status == 200 and said in page.words and "With Ann." in page.words
        done = [e.action for e in office.events("request") if e.subject == id_ and e.action != "request.viewed"]
        assert done[:2] == ["request.received", "request.claimed"] and len(done) == 3

    def test_a_voicemail_that_was_not_allowed_takes_nothing(self, office, ann, ask, clock):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        page = open_(ann, id_)
        assert page.main.find("button", value="voicemail") is None and page.main.find("button", value="spoke")
        page = press(ann, page, "call", outcome="voicemail", note="kept words")
        assert page.status == 409 and "kept words" in page.words and "With nobody yet." in page.words
        assert office.events("request.claimed") == []

    def test_a_colleagues_request_has_no_such_buttons_and_takes_none(self, office, ann, ben, ask, clock):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        mine = open_(ann, id_)
        press(ben, open_(ben, id_), "claim")
        assert open_(ann, id_).main.find("button", attrs={"name": "outcome"}) is None
        page = press(ann, mine, "call", outcome="spoke", note="")
        assert page.status == 409 and "With Ben." in page.words

    def test_no_outcome_is_a_mistake_that_keeps_the_note(self, office, ann, ask, clock):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        page = press(ann, open_(ann, id_), "call", note="kept words")
        assert page.status == 422 and "Pick what happened" in page.words
        assert page.typed(page.address)["note"] == ["kept words"]


class TestHandover:
    def test_it_is_shown_first_marked_in_the_morning_and_settled_by_the_next_call(self, office, ann, ben, ask, clock):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        page = press(ann, open_(ann, id_), "hand", to=office.id_of(ben), handover="zentinehand over")
        assert "The request is handed over" in page.words
        morning = ben.get("/staff/callbacks/today")
        assert "Handover note" in morning.words and "zentinehand" not in morning.text
        page = open_(ben, id_)
        assert page.words.index("zentinehand") < page.words.index("(303) 555-0144")
        page = press(ben, page, "call", outcome="no_answer", note="a plain note")
        assert page.words.index("(303) 555-0144") < page.words.index("zentinehand"), "it is a note like others now"
        assert "Handover note" not in ben.get("/staff/callbacks/today").words

    def test_for_the_next_shift_the_request_goes_back_with_it(self, office, ann, ask, clock):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        page = press(ann, open_(ann, id_), "claim")
        page = press(ann, page, "hand", to="-", handover="zentinehand over")
        assert "back in the queue" in page.words and "With nobody yet." in page.words and "zentinehand" in page.words

    def test_only_who_has_it_puts_it_back(self, office, ann, ask, clock):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        page = press(ann, open_(ann, id_), "hand", to="-", handover="kept words")
        assert page.status == 422 and page.typed(page.address)["handover"] == ["kept words"]

    def test_what_cannot_be_stored_stays_in_its_field(self, office, ann, ben, ask, clock):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        page = open_(ann, id_)
        press(ben, open_(ben, id_), "claim")
        page = press(ann, page, "hand", to=office.id_of(ann), handover="kept words")
        assert page.status == 409
        typed = page.typed(page.address)
        assert typed["handover"] == ["kept words"]

    def test_a_turn_of_the_key_keeps_it_and_a_withdrawal_erases_it(self, office, ann, ask, clock, folder):
        (id_,) = ask_for(office, ask, clock, "Rosa")
        press(ann, open_(ann, id_), "hand", to=office.id_of(ann), handover="zentinehand over")
        with office.app.app_context():
            assert turning.turn(folder, clock()).resealed >= 2
            kind, sealed = db.session.execute(text("SELECT kind, sealed FROM callback_note")).one()
            assert kind == "handover" and b"zentinehand" not in bytes(sealed)
        assert "zentinehand" in open_(ann, id_).words
        press(ann, open_(ann, id_), "erase")
        with office.app.app_context():
            assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


class TestPaper:
    def test_it_has_what_a_call_needs_and_nothing_of_health(self, office, ann, ask, clock):
        wishes = {"voicemail": "yes", "assistance": "zentinterpreter", "parts": ["morning"]}
        first, second = ask_for(office, ask, clock, "Zentinela One", **wishes) + ask_for(
            office, ask, clock, "Zentinela Two", say=""
        )
        change(office, "due_at", int(clock()) + 2 * HOUR, id=first)
        change(office, "rank", 0, id=first)
        change(office, "due_at", int(clock()) + HOUR, id=second)
        page = ann.get("/staff/callbacks/print")
        rows = [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in page.main.select("tr")]
        assert [row[1] for row in rows[1:]] == ["Zentinela Two", "Rosita"], "by promise: first of all would tell why"
        assert rows[2][2:] == ["(303) 555-0144", "Any day; Morning, before 12", "English", "Yes", "Yes"]
        assert rows[1][5:] == ["No", "No"] and "Shred after use" in page.words
        for word in ("zentinel words", "zentinterpreter", "example.org", "Call first", "hopeless", "pain", "summary"):
            assert not re.search(word, str(page.main), re.IGNORECASE), word
        assert [detail["found"].split() for detail in details_of(office, "requests.printed")] == [[second, first]]

    def test_only_calls_of_today_are_on_it_and_a_childs_guardian_is_called(self, office, ann, ask, clock):
        ask_for(office, ask, clock, "Later")
        change(office, "due_at", int(clock()) + 3 * DAY)
        known = ids(office)
        ask_for(office, ask, clock, "Writes", reach_by="email")
        ask_for(office, ask, clock, "Child", minor="yes", guardian="Parent", guardian_phone="303 555 0155")
        for id_ in set(ids(office)) - set(known):
            change(office, "due_at", int(clock()) - DAY, id=id_)
        page = ann.get("/staff/callbacks/print")
        assert [row.th.get_text() for row in page.main.select("tbody tr")] == ["Parent"]
        assert "(303) 555-0155" in page.words and "0144" not in page.words


def test_the_pages_are_for_the_role(office):
    clerk = office.hire("eve", "responses", "admin")
    clerk.sign_in()
    for address in ("today", "next", "print"):
        assert clerk.get(f"/staff/callbacks/{address}").status == 403
