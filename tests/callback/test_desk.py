"""The team at work: who sees what, who has what, and what is written down of it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from sqlalchemy import select, text

from screening.audit import AuditEvent
from screening.callback import desk
from screening.callback.models import CallbackRequest
from screening.extensions import db
from screening.keyring import CALLBACK, SEARCH, Keyring
from tests.callback.conftest import ROSA, reference_on
from tests.staff.clerk import Office
from tests.visitor import Visitor

HOUR, DAY = 3600, 24 * 3600


@pytest.fixture
def office(make_site, database_url):
    """The team of a site, once on each database."""
    return Office(make_site(DATABASE_URL=database_url))


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


def names_in(page):
    return [link.get_text() for link in page.main.select(".app-queue__name a")]


def open_request(clerk, name="Zentinela Rosa", tab="waiting"):
    page = clerk.get(f"/staff/callbacks?tab={tab}")
    link = next(link for link in page.main.select(".app-queue__name a") if link.get_text() == name)
    return clerk.get(link["href"])


def press(clerk, page, what, **fields):
    """Press a button of a request's page."""
    return clerk.fill(page, f"{page.address}/{what}", **fields)


def events(office, action=""):
    with office.app.app_context():
        found = select(AuditEvent.action, AuditEvent.actor, AuditEvent.detail).order_by(AuditEvent.id)
        return [tuple(row) for row in db.session.execute(found) if row.action.startswith(action)]


def test_a_request_is_taken_called_and_closed(office, ann, ask):
    ask(Visitor(office.site), voicemail="yes", days=["1"], parts=["morning"])
    page = ann.get("/staff/callbacks")
    assert names_in(page) == ["Zentinela Rosa"]
    assert "0144" not in page.text and "zentinel words" not in page.text, (
        "numbers and messages stand on the request itself"
    )
    page = open_request(ann)
    for shown in ("(303) 555-0144", "Rosita", "zentinela@example.org", "zentinel words", "Tuesday; Morning, before 12"):
        assert shown in page.words, shown
    assert page.main.find("a", href="tel:+13035550144") and "Allowed: name, number" in page.words
    page = press(ann, page, "claim")
    assert "You have this request now" in page.words and "With Ann." in page.words
    page = press(ann, page, "call", outcome="voicemail", note="left it at noon, zentinote")
    assert "Tried once" in page.words and "zentinote" in page.words
    page = press(ann, page, "call", outcome="spoke")
    assert "Reached" in page.words
    page = press(ann, page, "close")
    assert "Closed" in page.words
    assert names_in(ann.get("/staff/callbacks")) == []
    assert names_in(ann.get("/staff/callbacks?tab=closed")) == ["Zentinela Rosa"]
    page = press(ann, open_request(ann, tab="closed"), "reopen")
    assert "With Ann." in page.words and names_in(ann.get("/staff/callbacks")) == ["Zentinela Rosa"]
    done = [action for action, actor, _ in events(office, "request.")]
    assert [a for a in done if a != "request.viewed"] == [
        *("request.received", "request.claimed", "request.attempted", "request.reached"),
        *("request.closed", "request.reopened"),
    ]
    assert done.count("request.viewed") == 7, "each look is an event"
    history = page.main.select("#hist")[0].find_next("ol").get_text(" ", strip=True)
    assert (
        "Call tried : Left a voicemail" in history.replace(":", " :").replace("  ", " ")
        or "Left a voicemail" in history
    )


def test_without_leave_no_voicemail_is_offered_or_taken(office, ann, ask):
    ask(Visitor(office.site))
    page = press(ann, open_request(ann), "claim")
    assert "Do not leave one" in page.words
    assert page.main.find("button", value="voicemail") is None and page.main.find("button", value="no_answer")
    page = press(ann, page, "call", outcome="voicemail", note="kept words")
    assert page.status == 409 and "did not allow a voicemail" in page.words
    assert page.typed(f"{page.address.rpartition('/')[0]}/call")["note"] == ["kept words"]
    assert events(office, "request.attempted") == []


def test_of_two_who_take_a_request_one_has_it_and_the_other_is_told(office, ann, ben, ask):
    ask(Visitor(office.site))
    hers, his = open_request(ann), open_request(ben)
    press(ann, hers, "claim")
    page = press(ben, his, "claim")
    assert page.status == 409 and "Somebody else changed this request a moment ago" in page.words
    assert "With Ann." in page.words
    assert len(events(office, "request.claimed")) == 1


def test_of_two_at_the_very_same_moment_one_is_told_too(office, ann, ask):
    """The second has read the request before the first stored it."""
    from screening.callback import states
    from screening.callback.states import NotAllowedError

    ask(Visitor(office.site))
    with office.app.app_context():
        request = db.session.scalars(select(CallbackRequest)).one()
        seen = request.version
        with db.engines[None].begin() as another:
            another.execute(text("UPDATE callback_request SET owner = 'x', version = version + 1"))
        with pytest.raises(NotAllowedError, match="changed"):
            desk.act(request, seen, lambda p: states.claim(p, "y"), "request.claimed", "y", 0)
        assert db.session.scalars(select(CallbackRequest.owner)).one() == "x"
    assert events(office, "request.claimed") == []


def test_a_colleagues_request_is_only_worked_on_by_taking_it_over(office, ann, ben, ask):
    ask(Visitor(office.site))
    press(ann, open_request(ann), "claim")
    page = open_request(ben)
    assert page.main.find("form", action=f"{page.address}/call") is None
    fields = {**page.typed(f"{page.address}/hand"), "outcome": "spoke"}
    refused = ben.post(f"{page.address}/call", fields)
    assert refused.status == 409 and "A colleague has this request" in refused.words
    page = press(ben, page, "hand", to=office.id_of(ben))
    assert "With Ben." in page.words and "The request is handed over" in page.words
    page = press(ben, page, "put-back")
    assert "With nobody yet." in page.words


@pytest.mark.parametrize("to", ["", "nobody"])
def test_a_request_goes_only_to_one_of_the_team(office, ann, ask, to):
    outsider = office.hire("eve", "responses")
    ask(Visitor(office.site))
    page = open_request(ann)
    offered = [o["value"] for o in page.main.select("#to option")]
    assert office.id_of(ann) in offered and office.id_of(outsider) not in offered
    page = press(ann, page, "hand", to=to or office.id_of(outsider))
    assert page.status == 422 and "Pick who shall have the request" in page.words


def test_asked_to_stop_closes_the_request(office, ann, ask):
    ask(Visitor(office.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="stop")
    assert "Closed" in page.words
    assert events(office, "request.closed")[0][2] == {"reason": "stop"}


@pytest.mark.parametrize("outcome", ["", "sang"])
def test_a_call_needs_an_outcome_and_keeps_the_note(office, ann, ask, outcome):
    ask(Visitor(office.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome=outcome, note="my words")
    assert page.status == 422 and "Pick what happened on the call" in page.words and "my words" in page.words


def test_notes_are_sealed_and_shown(office, ann, ask):
    ask(Visitor(office.site))
    page = press(ann, open_request(ann), "note", note="zentinote one")
    assert "zentinote one" in page.words
    with office.app.app_context():
        sealed = db.session.execute(text("SELECT sealed FROM callback_note")).scalar_one()
    assert b"zentinote" not in bytes(sealed)
    page = press(ann, page, "note", note="  ")
    assert page.status == 422 and "Write the note first" in page.words


class TestOrder:
    def test_by_promise_and_overdue_in_words_with_a_count(self, office, ann, ask, clock):
        ask(Visitor(office.site), name="Late One")
        clock.forward(3 * DAY)
        ask(Visitor(office.site), name="Later One", days=["2"])
        ask(Visitor(office.site), name="Soon One", days=[])
        clock.forward(60)
        page = ann.sign_in("/staff/callbacks")
        assert names_in(page) == ["Late One", "Soon One", "Later One"]
        row = page.main.select(".app-queue__row--over")
        assert len(row) == 1 and "Overdue" in row[0].get_text() and "working day late" in row[0].get_text()
        tab = next(link for link in page.main.select(".app-tabs a") if "Overdue" in link.get_text())
        assert tab.get_text(" ", strip=True) == "Overdue 1"
        assert names_in(ann.get(tab["href"])) == ["Late One"]

    def test_call_first_comes_before_an_earlier_promise(self, office, ann, ask, clock):
        ask(Visitor(office.site), name="First Come")
        clock.forward(DAY)
        ann.sign_in()
        urgent = Visitor(office.site)
        urgent.walk(hopelessness="3")
        urgent.disagree()
        ask(urgent, name="Call First", share="yes")
        page = ann.get("/staff/callbacks")
        assert names_in(page) == ["Call First", "First Come"] and "Call first today" in page.words
        page = open_request(ann, "Call First")
        assert "Nobody watched these answers live" in page.words and "Offer 988" in page.words
        assert page.main.find("svg", class_="app-freq")

    def test_a_shared_summary_shows_the_lines_of_the_preview(self, office, ann, ask):
        visitor = Visitor(office.site)
        visitor.walk(sadness="2", appetite="declined", pain="1")
        visitor.disagree()
        preview = [li.get_text() for li in visitor.get("/consultation").main.select(".app-preview li")]
        ask(visitor, share="yes")
        assert [li.get_text() for li in open_request(ann).main.select(".app-preview li")] == preview

    def test_filters_by_language_and_by_whose(self, office, ann, ask):
        ask(Visitor(office.site), name="English One")
        ask(Visitor(office.site), name="Spanish One", language="es")
        press(ann, open_request(ann, "English One"), "claim")
        found = {
            query: names_in(ann.get(f"/staff/callbacks?{query}"))
            for query in ("language=es", "whose=me", "whose=nobody", "language=en&whose=nobody")
        }
        assert found == {
            "language=es": ["Spanish One"],
            "whose=me": ["English One"],
            "whose=nobody": ["Spanish One"],
            "language=en&whose=nobody": [],
        }

    def test_pages_of_25_leave_nobody_out_and_show_nobody_twice(self, office, ann):
        fill(office, 60)
        seen, page = [], ann.get("/staff/callbacks")
        for expected in (25, 25, 10):
            rows = [link["href"] for link in page.main.select(".app-queue__name a")]
            assert len(rows) == expected
            seen += rows
            following = next((link for link in page.main.select(".app-pages a") if "Next" in link.get_text()), None)
            page = ann.get(following["href"]) if following else page
        assert len(set(seen)) == 60 and following is None

    @pytest.mark.parametrize("after", ["x", "1.2", "0.99999999999999.x", "1.1.1.1", "..", "%00"])
    def test_an_address_that_names_no_page_shows_the_first_or_the_end(self, office, ann, after):
        fill(office, 3)
        assert ann.get(f"/staff/callbacks?after={after}").status == (400 if "%00" in after else 200)

    def test_the_queue_reads_as_little_of_100_000_requests_as_of_100(self, office, ann):
        """No step of the plan walks a whole table: what is read is bound by the page and by the count's limit."""
        fill(office, 300)
        with office.app.app_context():
            engine = db.engines[None]
            statements = []
            from sqlalchemy import event

            def note(conn, cursor, statement, parameters, context, many):
                statements.append((statement, parameters))

            event.listen(engine, "before_cursor_execute", note)
        try:
            for query in ("", "?tab=overdue", "?tab=closed", "?whose=me", "?language=es", "?tab=withdrawn"):
                assert ann.get(f"/staff/callbacks{query}").status == 200
        finally:
            event.remove(engine, "before_cursor_execute", note)
        asked = [(s, p) for s, p in statements if s.startswith("SELECT") and "callback_request" in s]
        assert len(asked) > 20
        if engine.dialect.name != "sqlite":
            return  # PostgreSQL's planner walks small tables on purpose; the bench times it on large ones
        with engine.connect() as connection:
            for statement, parameters in asked:
                plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                assert not [step for step in plan if step.startswith("SCAN callback_request")], (statement, plan)
                assert not [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step], (statement, plan)


def fill(office, count):
    """Requests that nobody can open, straight into the table."""
    with office.app.app_context():
        for number in range(count):
            shelf, state = [("waiting", "new"), ("closed", "closed")][number % 5 == 4 and count > 100]
            row = {
                "id": f"{number:032x}",
                "language": "es" if number % 10 == 0 else "en",
                "rank": 1,
                "asked_at": 0,
                "due_at": 2_000_000_000 + number // 3,
                "attempts": 0,
                "version": 1,
                "state": state,
                "shelf": shelf,
                "ended_at": number if shelf == "closed" else None,
            }
            db.session.execute(CallbackRequest.__table__.insert().values(**row))
        db.session.commit()


class TestSamePerson:
    def test_possible_duplicates_are_shown_by_number_or_mail(self, office, ann, ask):
        ask(Visitor(office.site), name="Rosa One", email="")
        ask(Visitor(office.site), name="Rosa Two", phone="+1 303.555.0144", email="")
        ask(Visitor(office.site), name="Rosa Three", phone="303 555 0178", email="ZENTINELA@example.org")
        ask(Visitor(office.site), name="Rosa Four", phone="303 555 0179")
        ann.get("/staff/callbacks")
        assert len(open_request(ann, "Rosa One").main.select("#same ~ ul li")) == 1
        assert len(open_request(ann, "Rosa Three").main.select("#same ~ ul li")) == 1

    @pytest.mark.parametrize("typed", ["(303) 555-0144", "+13035550144", "zentinela@EXAMPLE.org"])
    def test_search_finds_by_number_and_mail_and_leaves_them_in_no_address(self, office, ann, ask, typed):
        ask(Visitor(office.site))
        page = ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact=typed)
        assert "1 request found" in page.words and "Zentinela Rosa" in page.words
        assert not urlsplit(page.response.request.url).query
        assert set(events(office, "requests.searched")[0][2]) == {"found"}, "the ids it found, not what was typed"
        page = ann.send(page, "/staff/callbacks/search", contact="303 555 0100")
        assert "0 requests found" in page.words
        assert ann.send(page, "/staff/callbacks/search", contact=" ").status == 422

    def test_a_changed_number_is_found_and_the_old_one_is_not(self, office, ann, ask, clock):
        visitor = Visitor(office.site)
        ask(visitor)
        ann.get("/staff/callbacks")
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
        page = visitor.fill(page, "/consultation/review", **{**ROSA, "phone": "303 555 0166"})
        clock.forward(5)
        visitor.fill(page, "/consultation/sent")
        found = {
            number: ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact=number).words
            for number in ("303 555 0144", "303 555 0166")
        }
        assert "0 requests" in found["303 555 0144"] and "1 request" in found["303 555 0166"]
        assert "Request changed by the patient" in open_request(ann).words

    def test_hashes_tell_nothing_without_the_key_and_go_with_the_request(self, office, ann, ask):
        import hashlib

        visitor = Visitor(office.site)
        ask(visitor)
        ann.get("/staff/callbacks")
        with office.app.app_context():
            hashes = list(db.session.execute(text("SELECT hash FROM callback_contact")).scalars())
        assert len(hashes) == 2 and hashlib.sha256(b"+13035550144").hexdigest() not in hashes
        visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
        with office.app.app_context():
            assert list(db.session.execute(text("SELECT hash FROM callback_contact")).scalars()) == []


def test_a_withdrawn_request_leaves_its_course_and_nothing_else(office, ann, ask):
    visitor = Visitor(office.site)
    ask(visitor)
    page = press(ann, open_request(ann), "note", note="zentinote")
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    page = ann.get(page.address)
    assert "This request was taken back" in page.words and "zentinote" not in page.text
    for what in ("claim", "note", "call", "hand", "close", "reopen", "erase"):
        assert page.main.find("form", action=f"{page.address}/{what}") is None
    assert names_in(ann.get("/staff/callbacks")) == []
    with office.app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


def test_a_withdrawal_at_the_moment_of_a_note_wins(office, ann, ask):
    visitor = Visitor(office.site)
    ask(visitor)
    page = open_request(ann)
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    page = press(ann, page, "note", note="too late")
    assert page.status == 409 and "It is erased" in page.words


def test_staff_can_erase_for_a_patient_who_asks(office, ann, ask):
    visitor = Visitor(office.site)
    reference = reference_on(ask(visitor))
    page = press(ann, open_request(ann), "erase")
    assert "The request is erased" in page.words
    fresh = Visitor(office.site)
    assert fresh.send(fresh.get("/consultation/status"), "/consultation/status", reference=reference).status == 422


def test_a_request_by_phone_is_entered_and_its_reference_read_out(office, ann, clock):
    page = ann.fill(ann.get("/staff/callbacks/new"), "/staff/callbacks/new", **ROSA)
    reference = reference_on(page)
    assert "by 5:00 PM on Tuesday, November 24" in page.words
    visitor = Visitor(office.site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
    assert "We have your request" in page.words
    assert "entered for a caller" in open_request(ann).words
    page = ann.fill(ann.get("/staff/callbacks/new"), "/staff/callbacks/new", **{**ROSA, "name": ""})
    assert page.status == 422 and page.typed("/staff/callbacks/new")["message"] == [ROSA["message"]]


def test_a_closed_day_moves_new_promises_and_not_old_ones(office, ann, ask):
    ask(Visitor(office.site), name="Before")
    page = ann.send(ann.get("/staff/callbacks/closed-days"), "/staff/callbacks/closed-days", day="2026-11-24")
    assert "November 24, 2026" in page.words
    assert "Wednesday, November 25" in ask(Visitor(office.site), name="After").words
    with office.app.app_context():
        due = list(db.session.scalars(select(CallbackRequest.due_at).order_by(CallbackRequest.asked_at)))
    assert due[0] < due[1]
    page = ann.send(page, "/staff/callbacks/closed-days/2026-11-24/remove")
    assert "November 24, 2026" not in page.words
    assert "Tuesday, November 24" in Visitor(office.site).get("/consultation").words
    for wrong in ("", "soon", "2026-13-01"):
        page = ann.send(page, "/staff/callbacks/closed-days", day=wrong)
        assert page.status == 422 and "Give a day such as" in page.words


def test_a_request_that_cannot_be_opened_says_so_and_breaks_nothing(office, ann, ask):
    ask(Visitor(office.site))
    with office.app.app_context():
        db.session.execute(text("UPDATE callback_request SET sealed_with = 'ffffffff', indexed_with = NULL"))
        db.session.commit()
    page = ann.get("/staff/callbacks")
    assert names_in(page) == ["Can’t be opened"]
    page = open_request(ann, "Can’t be opened")
    assert page.status == 200 and "has no key that opens this request" in page.words


def test_an_unknown_request_is_not_found(office, ann):
    assert ann.get("/staff/callbacks/nothing").status == 404


def test_no_contact_data_in_addresses_logs_or_events(office, ann, ask, caplog):
    import json
    import logging

    caplog.set_level(logging.DEBUG)
    ask(Visitor(office.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="no_answer", note="zentinote")
    ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact="303 555 0144")
    told = caplog.text + json.dumps(events(office)) + page.response.request.url
    for secret in ("Zentinel", "zentinel", "Rosita", "0144", "zentinote"):
        assert secret not in told, secret


def test_the_team_finds_its_requests_after_the_key_was_turned(make_site, sqlite_url, keys, tmp_path, ask, clock):
    import shutil

    from screening.cli import create_commands_app

    own = tmp_path / "keys"
    shutil.copytree(keys, own)
    own.chmod(0o700)
    site = make_site(KEYS=own)
    office = Office(site)
    ann = office.hire("ann", "callbacks")
    ann.sign_in()
    ask(Visitor(site), name="Before")
    runner = create_commands_app({"KEYS": own, "DATABASE_URL": sqlite_url}).test_cli_runner()
    for purpose in (CALLBACK, SEARCH):
        fresh = runner.invoke(args=["keys", "add", purpose]).stdout.strip()
        assert runner.invoke(args=["keys", "activate", purpose, fresh]).exit_code == 0
    ask(Visitor(site), name="After")
    assert set(names_in(ann.get("/staff/callbacks"))) == {"Before", "After"}, "an unknown key is read anew"
    with site.app_context():
        sealed_with = set(db.session.scalars(select(CallbackRequest.sealed_with)))
    assert sealed_with == set(Keyring(own, (CALLBACK,)).derive_all(CALLBACK, "x"))


def test_a_note_stored_while_the_request_is_erased_does_not_outlive_it(office, ann, ask):
    """The patient withdraws between our reading of the request and our writing of the note."""
    from sqlalchemy import event

    from screening.callback import requests
    from screening.callback.states import NotAllowedError

    visitor = Visitor(office.site)
    reference, who = reference_on(ask(visitor)), office.id_of(ann)
    with office.app.app_context():
        request = db.session.scalars(select(CallbackRequest)).one()
        withdrawn = []

        def withdraw(session, context, instances):
            if not withdrawn:
                withdrawn.append(True)
                with office.site.app_context():
                    requests.withdraw(reference, 0)

        event.listen(db.session, "before_flush", withdraw)
        try:
            with pytest.raises(NotAllowedError):
                desk.note(request, request.version, "zentinote", who, 0)
        finally:
            event.remove(db.session, "before_flush", withdraw)
        assert withdrawn
    with office.app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


def test_a_look_by_way_of_a_mistake_is_an_event_too(office, ann, ask):
    ask(Visitor(office.site))
    page = open_request(ann)
    before = len(events(office, "request.viewed"))
    assert "(303) 555-0144" in press(ann, page, "note", note="").words
    assert len(events(office, "request.viewed")) == before + 1
    listed = [detail for _, _, detail in events(office, "requests.listed")]
    assert {"tab": "waiting"} in listed


def test_a_note_typed_on_the_phone_survives_a_colleague_who_takes_over(office, ann, ben, ask):
    ask(Visitor(office.site))
    page = press(ann, open_request(ann), "claim")
    press(ben, open_request(ben), "hand", to=office.id_of(ben))
    page = press(ann, page, "call", outcome="spoke", note="what we said")
    assert page.status == 409 and "what we said" in page.main.find("textarea").get_text()


def test_asked_to_stop_is_said_where_it_is_read(office, ann, ask):
    ask(Visitor(office.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="stop")
    assert (
        "Do not call about this any more" in page.words
        and "Request closed : Asked us to stop" in page.words.replace("closed:", "closed :")
    )


def test_what_staff_enter_and_correct_is_not_said_of_the_patient(office, ann):
    page = ann.get("/staff/callbacks/new")
    for phone in (ROSA["phone"], "303 555 0111"):
        ann.fill(page, "/staff/callbacks/new", **{**ROSA, "phone": phone})
    assert [(action, actor) for action, actor, _ in events(office, "request.")] == [
        ("request.entered", office.id_of(ann)),
        ("request.changed", office.id_of(ann)),
    ]


def test_a_request_by_phone_is_not_lost_with_the_database_or_key_away(office, ann):
    page = ann.get("/staff/callbacks/new")
    with office.app.app_context():
        db.session.execute(text("DELETE FROM callback_key"))
        db.session.commit()
    page = ann.fill(page, "/staff/callbacks/new", **ROSA)
    assert page.status == 503 and page.typed("/staff/callbacks/new")["message"] == [ROSA["message"]]


def test_days_the_team_closed_do_not_count_as_late(office, ann, ask, clock):
    ask(Visitor(office.site))
    ann.send(ann.get("/staff/callbacks/closed-days"), "/staff/callbacks/closed-days", day="2026-11-25")
    clock.forward(2 * DAY)
    assert "Late today" in ann.sign_in("/staff/callbacks").words


def test_an_old_page_does_not_erase_what_was_changed_since(office, ann, ask, clock):
    visitor = Visitor(office.site)
    ask(visitor)
    page = open_request(ann)
    changed = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    changed = visitor.fill(changed, "/consultation/review", **ROSA, news="yes")
    clock.forward(5)
    visitor.fill(changed, "/consultation/sent")
    page = press(ann, page, "erase")
    assert page.status == 409 and "The patient changed this request on" in page.words
    page = press(ann, ann.get(page.address.rpartition("/")[0]), "erase")
    assert "The request is erased" in page.words
    assert [action for action, _, _ in events(office, "request.erased")] == ["request.erased"]


@pytest.mark.parametrize(
    "address",
    [
        *("/staff/callbacks/%00", "/staff/callbacks?after=1.2.%00", "/staff/callbacks?after=99999999999.2.x"),
        *("/staff/callbacks?tab=closed&after=99999999999.x", "/staff/audit?subject=%00", "/staff/audit?who=%00"),
        *("/staff/accounts/%00", "/staff/audit?until=9999-12-31", "/staff/sign-in?next=%00"),
    ],
)
def test_no_address_breaks_a_page(office, address):
    clerk = office.hire("all", "callbacks", "admin")
    clerk.sign_in()
    assert clerk.client.get(address).status_code in (200, 302, 303, 400, 404)


def test_a_null_in_the_sign_in_is_refused(office):
    stranger = office.hire("nul")
    page = stranger.get("/staff/sign-in")
    assert stranger.send(page, "/staff/sign-in", email="a\x00b@example.org", password="x").status == 400
