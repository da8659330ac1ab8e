"""The staff pages of call-back requests: access, transitions, notes, search, and audit events."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil

import pytest
from sqlalchemy import event, insert, select, text

from screening.callbacks import patient_service, staff_service, workflow
from screening.callbacks.models import CallbackRequest
from screening.callbacks.workflow import NotAllowedError
from screening.cli.commands_app import create_commands_app
from screening.crypto.keyring import CALLBACK, SEARCH, Keyring
from screening.extensions import db
from tests.support.absence import assert_absent
from tests.support.clock import NOON
from tests.support.databases import assert_indexed, plain_engine, statements_of
from tests.support.queue_pages import names_in, open_request, press
from tests.support.sample_patient import FORM, NAME, PHONE, SECRETS, reference_on
from tests.support.staff_client import Team, was_refused
from tests.support.visitor import Visitor

HOUR, DAY = 3600, 24 * 3600

NOTE = "zentinelnotetext"


def events(team, action=""):
    """Return action, actor and detail of the audit events whose action has this prefix."""
    return [(event.action, event.actor, event.detail) for event in team.events(re.escape(action))]


@pytest.mark.each_database
def test_request_is_claimed_called_closed_and_reopened(team, ann, request_call):
    request_call(Visitor(team.site), voicemail="yes", days=["1"], parts=["morning"])
    page = ann.get("/staff/callbacks")
    assert names_in(page) == [NAME]
    assert_absent([PHONE, FORM["email"], "zentinelmessage"], page.text)
    page = open_request(ann)
    for shown in (PHONE, FORM["say"], FORM["email"], "zentinelmessage words", "On Tuesday in the morning"):
        assert shown in page.words, shown
    assert page.main.find("a", href="tel:+13035550144") and "Allowed: name, number" in page.words
    page = press(ann, page, "claim")
    assert "You have this request now" in page.words and "With Ann." in page.words
    page = press(ann, page, "call", outcome="voicemail", note=f"left it at noon, {NOTE}")
    assert "Tried once" in page.words and NOTE in page.words
    page = press(ann, page, "call", outcome="spoke_again", again_day="2027-03-02", again_time="09:00")
    assert "Reached" in page.words
    page = press(ann, page, "close")
    assert "Closed" in page.words
    assert names_in(ann.get("/staff/callbacks")) == []
    assert names_in(ann.get("/staff/callbacks?tab=closed")) == [NAME]
    page = press(ann, open_request(ann, tab="closed"), "reopen")
    assert "With Ann." in page.words and names_in(ann.get("/staff/callbacks")) == [NAME]
    done = [action for action, actor, _ in events(team, "request.")]
    assert [a for a in done if a != "request.viewed"] == [
        *("request.received", "request.claimed", "request.attempted", "request.reached"),
        *("request.closed", "request.reopened"),
    ]
    assert done.count("request.viewed") == 7, "one audit event per view"
    history = page.main.select("#hist")[0].find_next("ol").get_text(" ", strip=True)
    assert "Left a voicemail" in history


def test_voicemail_without_permission_is_refused(team, ann, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    assert "NO VOICEMAIL" in page.words
    assert page.main.find("button", value="voicemail") is None and page.main.find("button", value="no_answer")
    page = press(ann, page, "call", outcome="voicemail", note="typed words")
    assert was_refused(page) and "did not allow a voicemail" in page.words
    assert page.typed(f"{page.address}/call")["note"] == ["typed words"]
    assert events(team, "request.attempted") == []


@pytest.mark.each_database
def test_concurrent_claim_gives_the_second_a_conflict(team, ann, ben, request_call):
    request_call(Visitor(team.site))
    ann_page, ben_page = open_request(ann), open_request(ben)
    press(ann, ann_page, "claim")
    page = press(ben, ben_page, "claim")
    assert (
        was_refused(page)
        and "This request changed a moment ago" in page.words
        and "Last: Request taken, Ann" in page.words
    )
    assert "With Ann." in page.words
    assert len(events(team, "request.claimed")) == 1


@pytest.mark.each_database
def test_claim_of_a_stale_version_raises_not_allowed(team, ann, request_call):
    """The second reads the request before the first stores it."""
    request_call(Visitor(team.site))
    with team.app.app_context():
        request = db.session.scalars(select(CallbackRequest)).one()
        seen = request.version
        with db.engines[None].begin() as another:
            another.execute(text("UPDATE callback_request SET owner = 'x', version = version + 1"))
        with pytest.raises(NotAllowedError, match="changed"):
            staff_service.transition(request, seen, lambda p: workflow.claim(p, "y"), "request.claimed", "y", 0)
        assert db.session.scalars(select(CallbackRequest.owner)).one() == "x"
    assert events(team, "request.claimed") == []


def test_taken_over_request_can_be_put_back(team, ann, ben, request_call):
    request_call(Visitor(team.site))
    press(ann, open_request(ann), "claim")
    page = press(ben, open_request(ben), "take-over")
    assert "With Ben." in page.words and "You have this request now" in page.words
    page = press(ben, page, "put-back")
    assert "With nobody yet." in page.words


@pytest.mark.parametrize("to", ["", "nobody"])
def test_handover_to_ineligible_account_is_refused(team, ann, ben, request_call, to):
    outsider = team.add("eve", "responses")
    request_call(Visitor(team.site))
    page = open_request(ann)
    offered = [o["value"] for o in page.main.select("#to option")]
    assert team.id_of(ben) in offered and team.id_of(outsider) not in offered
    page = press(ann, page, "hand", to=to or team.id_of(outsider))
    assert was_refused(page) and "Pick who takes over the request" in page.words


def test_stop_outcome_closes_the_request(team, ann, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="stop")
    assert "Closed" in page.words
    assert events(team, "request.closed")[0][2] == {"outcome": "stop"}


@pytest.mark.parametrize("outcome", ["", "sang"])
def test_call_without_valid_outcome_is_refused_preserving_note(team, ann, request_call, outcome):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome=outcome, note="my words")
    assert was_refused(page) and "Pick what happened on the call" in page.words and "my words" in page.words


def test_note_is_stored_encrypted_and_shown(team, ann, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "note", note=f"{NOTE} one")
    assert f"{NOTE} one" in page.words
    with team.app.app_context():
        sealed = db.session.execute(text("SELECT ciphertext FROM callback_note")).scalar_one()
    assert_absent([NOTE], bytes(sealed))
    page = press(ann, page, "note", note="  ")
    assert was_refused(page) and "Write the note first" in page.words


class TestOrder:
    @pytest.mark.each_database
    @pytest.mark.usefixtures("monday_noon")
    def test_queue_sorts_by_due_time_and_counts_overdue(self, team, ann, request_call, clock):
        request_call(Visitor(team.site), name="Late One")
        clock.forward(3 * DAY)
        request_call(Visitor(team.site), name="Later One", days=["2"])
        request_call(Visitor(team.site), name="Soon One", days=[])
        clock.forward(60)
        page = ann.sign_in("/staff/callbacks")
        assert names_in(page) == ["Late One", "Soon One", "Later One"]
        row = page.main.select(".app-worklist__over")
        assert len(row) == 1 and "1 day late" in row[0].get_text()
        tab = next(link for link in page.main.select(".app-tabs a") if "Overdue" in link.get_text())
        assert tab.get_text(" ", strip=True) == "Overdue 1"
        assert names_in(ann.get(tab["href"])) == ["Late One"]

    @pytest.mark.each_database
    @pytest.mark.usefixtures("monday_noon")
    def test_urgent_request_precedes_an_earlier_due_time(self, team, ann, request_call, clock):
        request_call(Visitor(team.site), name="First Come")
        clock.forward(DAY)
        ann.sign_in()
        urgent = Visitor(team.site)
        urgent.walk(hopelessness="3")
        urgent.disagree()
        request_call(urgent, name="Call First", share="yes")
        page = ann.get("/staff/callbacks")
        assert names_in(page) == ["Call First", "First Come"] and "Call first" in page.words
        page = open_request(ann, "Call First")
        assert "Nobody watched these answers live" in page.words and "Offer 988" in page.words
        assert page.main.find("svg", class_="app-freq")

    def test_shared_summary_matches_the_patients_preview(self, team, ann, request_call):
        visitor = Visitor(team.site)
        visitor.walk(sadness="2", appetite="declined", pain="1")
        visitor.disagree()
        preview = [li.get_text() for li in visitor.get("/consultation").main.select(".app-preview li")]
        request_call(visitor, share="yes")
        assert [li.get_text() for li in open_request(ann).main.select(".app-preview li")] == preview

    @pytest.mark.each_database
    def test_filters_select_language_and_owner(self, team, ann, request_call):
        request_call(Visitor(team.site), name="English One")
        request_call(Visitor(team.site), name="Spanish One", language="es")
        press(ann, open_request(ann, "English One"), "claim")
        found = {
            query: names_in(ann.get(f"/staff/callbacks?{query}"))
            for query in ("language=es", "owner=me", "owner=unclaimed", "language=en&owner=unclaimed")
        }
        assert found == {
            "language=es": ["Spanish One"],
            "owner=me": ["English One"],
            "owner=unclaimed": ["Spanish One"],
            "language=en&owner=unclaimed": [],
        }

    @pytest.mark.each_database
    def test_pagination_returns_each_request_exactly_once(self, team, ann):
        fill(team, 60)
        seen, page = [], ann.get("/staff/callbacks")
        for expected in (25, 25, 10):
            rows = [link["href"] for link in page.main.select(".app-worklist__name a")]
            assert len(rows) == expected
            seen += rows
            following = next((link for link in page.main.select(".app-pages a") if "Next" in link.get_text()), None)
            page = ann.get(following["href"]) if following else page
        assert len(set(seen)) == 60 and following is None

    @pytest.mark.each_database
    def test_malformed_page_cursor_shows_the_first_page(self, team, ann):
        fill(team, 3)
        first = [link["href"] for link in ann.get("/staff/callbacks").main.select(".app-worklist__name a")]
        for after in ("x", "1.2", "0.99999999999999.x", "1.1.1.1", ".."):
            page = ann.get(f"/staff/callbacks?after={after}")
            assert page.status == 200 and len(first) == 3
            assert [link["href"] for link in page.main.select(".app-worklist__name a")] == first, after
        page = ann.get("/staff/callbacks?after=%00")
        assert (page.status, page.heading) == (400, "We did not understand that")

    @pytest.mark.each_database
    def test_queue_queries_use_indexes_without_table_scans(self, team, ann):
        """No plan scans a whole table: page size and the cap of a count limit the rows that are read."""
        fill(team, 300)
        queries = ("", "?tab=overdue", "?tab=closed", "?owner=me", "?language=es", "?tab=withdrawn")

        def open_tabs():
            for query in queries:
                assert ann.get(f"/staff/callbacks{query}").status == 200

        asked = statements_of(team.app, open_tabs)
        assert sum("callback_request" in statement for statement, _ in asked) > 20
        assert_indexed(team.app, asked, "callback_request")


def fill(team, count):
    """Insert requests that no key decrypts; of more than 100, every fifth is closed."""
    rows = []
    for number in range(count):
        state_group, state = [("waiting", "new"), ("closed", "closed")][number % 5 == 4 and count > 100]
        rows.append(
            {
                "id": f"{number:032x}",
                "language": "es" if number % 10 == 0 else "en",
                "rank": 1,
                "asked_at": 0,
                "due_at": 2_000_000_000 + number // 3,
                "attempts": 0,
                "version": 1,
                "state": state,
                "state_group": state_group,
                "ended_at": number if state_group == "closed" else None,
            }
        )
    with plain_engine(team.app.config["SETTINGS"]["DATABASE_URL"]) as engine, engine.begin() as connection:
        connection.execute(insert(CallbackRequest.__table__), rows)


class TestDuplicates:
    @pytest.mark.each_database
    def test_possible_duplicates_match_by_phone_or_email(self, team, ann, request_call):
        request_call(Visitor(team.site), name="Rosa One", email="")
        request_call(Visitor(team.site), name="Rosa Two", phone="+1 303.555.0144", email="")
        request_call(Visitor(team.site), name="Rosa Three", phone="303 555 0178", email=FORM["email"].upper())
        request_call(Visitor(team.site), name="Rosa Four", phone="303 555 0179")
        ann.get("/staff/callbacks")
        assert len(open_request(ann, "Rosa One").main.select("#same ~ ul li")) == 1
        assert len(open_request(ann, "Rosa Three").main.select("#same ~ ul li")) == 1

    @pytest.mark.each_database
    def test_search_after_change_finds_only_the_new_number(self, team, ann, request_call, clock):
        visitor = Visitor(team.site)
        request_call(visitor)
        ann.get("/staff/callbacks")
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
        page = visitor.fill(page, "/consultation/review", **{**FORM, "phone": "303 555 0166"})
        clock.forward(5)
        visitor.fill(page, "/consultation/sent")
        found = {
            number: ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact=number).heading
            for number in ("303 555 0144", "303 555 0166")
        }
        assert found == {"303 555 0144": "0 requests found", "303 555 0166": NAME}
        assert "Request changed by the patient" in open_request(ann).words

    @pytest.mark.each_database
    def test_contact_hashes_are_keyed_and_deleted_on_withdrawal(self, team, ann, request_call):
        visitor = Visitor(team.site)
        request_call(visitor)
        ann.get("/staff/callbacks")
        with team.app.app_context():
            hashes = list(db.session.execute(text("SELECT hash FROM callback_contact")).scalars())
        assert len(hashes) == 2 and hashlib.sha256(b"+13035550144").hexdigest() not in hashes
        visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
        with team.app.app_context():
            assert list(db.session.execute(text("SELECT hash FROM callback_contact")).scalars()) == []


@pytest.mark.each_database
def test_withdrawn_request_loses_notes_and_all_actions(team, ann, request_call):
    visitor = Visitor(team.site)
    request_call(visitor)
    page = press(ann, open_request(ann), "note", note=NOTE)
    assert NOTE in page.words
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    page = ann.get(page.address)
    assert "This request was canceled" in page.words
    assert_absent([NOTE, *SECRETS], page.text)
    for what in ("claim", "note", "call", "hand", "close", "reopen", "erase"):
        assert page.main.find("form", action=f"{page.address}/{what}") is None
    assert names_in(ann.get("/staff/callbacks")) == []
    with team.app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


def test_note_after_withdrawal_is_refused(team, ann, request_call):
    visitor = Visitor(team.site)
    request_call(visitor)
    page = open_request(ann)
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    page = press(ann, page, "note", note="too late")
    assert was_refused(page) and "It is erased" in page.words


@pytest.mark.each_database
def test_deletion_by_staff_invalidates_the_reference(team, ann, request_call):
    visitor = Visitor(team.site)
    reference = reference_on(request_call(visitor))
    page = press(ann, open_request(ann), "erase")
    assert "The request is erased" in page.words
    fresh = Visitor(team.site)
    page = fresh.send(fresh.get("/consultation/status"), "/consultation/status", reference=reference)
    assert "We can’t find a request with this reference" in page.words


@pytest.mark.usefixtures("monday_noon")
def test_request_entered_by_staff_gets_a_working_reference(team, ann, clock):
    page = ann.fill(ann.get("/staff/callbacks/new"), "/staff/callbacks/new", **FORM)
    reference = reference_on(page)
    assert "by 5:00 PM on Tuesday, November 24" in page.words
    visitor = Visitor(team.site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
    assert "We have your request" in page.words
    assert "entered for a caller" in open_request(ann).words
    page = ann.fill(ann.get("/staff/callbacks/new"), "/staff/callbacks/new", **{**FORM, "name": ""})
    assert was_refused(page) and page.typed("/staff/callbacks/new")["message"] == [FORM["message"]]


@pytest.mark.each_database
@pytest.mark.usefixtures("monday_noon")
def test_closed_day_moves_due_times_of_new_requests_only(team, ann, request_call):
    request_call(Visitor(team.site), name="Before")
    page = ann.send(ann.get("/staff/callbacks/closed-days"), "/staff/callbacks/closed-days", day="2026-11-24")
    assert "November 24, 2026" in page.words
    assert "Wednesday, November 25" in request_call(Visitor(team.site), name="After").words
    with team.app.app_context():
        due = list(db.session.scalars(select(CallbackRequest.due_at).order_by(CallbackRequest.asked_at)))
    assert due[0] < due[1]
    page = ann.send(page, "/staff/callbacks/closed-days/2026-11-24/remove")
    assert "November 24, 2026" not in page.words
    assert "Tuesday, November 24" in Visitor(team.site).get("/consultation").words
    for wrong in ("", "soon", "2026-13-01"):
        page = ann.send(page, "/staff/callbacks/closed-days", day=wrong)
        assert was_refused(page) and "Enter a day such as" in page.words


def test_undecryptable_request_is_listed_and_explained(team, ann, request_call):
    request_call(Visitor(team.site))
    with team.app.app_context():
        db.session.execute(text("UPDATE callback_request SET key_id = 'ffffffff', index_key_id = NULL"))
        db.session.commit()
    page = ann.get("/staff/callbacks")
    assert names_in(page) == ["Can’t be opened"]
    page = open_request(ann, "Can’t be opened")
    assert page.status == 200 and "has no key that opens this request" in page.words


def test_unknown_request_returns_404(team, ann):
    assert ann.get("/staff/callbacks/nothing").status == 404


def test_contact_data_is_absent_from_urls_logs_and_events(team, ann, request_call, caplog):
    caplog.set_level(logging.DEBUG)
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="no_answer", note=NOTE)
    assert NOTE in page.words and PHONE in page.words
    ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact="303 555 0144")
    assert "requests.searched" in [action for action, _, _ in events(team)]
    assert_absent([*SECRETS, NOTE], caplog.text, json.dumps(events(team)), page.response.request.url)


def test_queue_decrypts_requests_of_both_keys_after_rotation(
    make_site, sqlite_url, keys, tmp_path, request_call, clock
):
    own = tmp_path / "keys"
    shutil.copytree(keys, own)
    own.chmod(0o700)
    site = make_site(KEYS_DIR=own)
    ann = Team(site).sign_in("ann", "callbacks")
    request_call(Visitor(site), name="Before")
    runner = create_commands_app({"KEYS_DIR": own, "DATABASE_URL": sqlite_url, "CLOCK": clock}).test_cli_runner()
    for purpose in (CALLBACK, SEARCH):
        fresh = runner.invoke(args=["keys", "add", purpose]).stdout.strip()
        assert runner.invoke(args=["keys", "activate", purpose, fresh]).exit_code == 0
    request_call(Visitor(site), name="After")
    assert set(names_in(ann.get("/staff/callbacks"))) == {"Before", "After"}, "an unknown key id reloads the key file"
    with site.app_context():
        key_id = set(db.session.scalars(select(CallbackRequest.key_id)))
    assert key_id == set(Keyring(own, (CALLBACK,)).derive_all(CALLBACK, "x"))


@pytest.mark.each_database
def test_note_during_withdrawal_is_refused_and_not_stored(team, ann, request_call):
    """The patient withdraws after the request was read here, and before the note is written."""
    visitor = Visitor(team.site)
    reference, who = reference_on(request_call(visitor)), team.id_of(ann)
    with team.app.app_context():
        request = db.session.scalars(select(CallbackRequest)).one()
        withdrawn = []

        def withdraw(session, context, instances):
            if not withdrawn:
                withdrawn.append(True)
                with team.site.app_context():
                    patient_service.withdraw(reference, 0)

        event.listen(db.session, "before_flush", withdraw)
        try:
            with pytest.raises(NotAllowedError):
                staff_service.record_note(request, request.version, NOTE, who, 0)
        finally:
            event.remove(db.session, "before_flush", withdraw)
        assert withdrawn
    with team.app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


def test_form_error_and_list_views_are_audited(team, ann, request_call):
    request_call(Visitor(team.site))
    page = open_request(ann)
    before = len(events(team, "request.viewed"))
    assert PHONE in press(ann, page, "note", note="").words
    assert len(events(team, "request.viewed")) == before + 1
    listed = [detail for _, _, detail in events(team, "requests.listed")]
    assert {"tab": "waiting"} in listed


def test_takeover_conflict_preserves_the_typed_call_note(team, ann, ben, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    press(ben, open_request(ben), "take-over")
    page = press(ann, page, "call", outcome="spoke", note="what we said")
    assert was_refused(page) and "what we said" in page.main.find("textarea").get_text()


def test_stop_outcome_is_shown_on_the_request_page(team, ann, request_call):
    request_call(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="stop")
    assert "Do not call about this anymore" in page.words
    assert "Request closed : Asked us to stop" in page.words.replace("closed:", "closed :")


def test_request_entered_by_staff_is_audited_under_their_account(team, ann):
    page = ann.get("/staff/callbacks/new")
    for phone in (FORM["phone"], "303 555 0111"):
        ann.fill(page, "/staff/callbacks/new", **{**FORM, "phone": phone})
    assert [(action, actor) for action, actor, _ in events(team, "request.")] == [
        ("request.entered", team.id_of(ann)),
        ("request.changed", team.id_of(ann)),
    ]


def test_staff_entry_without_public_key_preserves_the_form(team, ann):
    page = ann.get("/staff/callbacks/new")
    with team.app.app_context():
        db.session.execute(text("DELETE FROM callback_key"))
        db.session.commit()
    page = ann.fill(page, "/staff/callbacks/new", **FORM)
    assert page.status == 503 and page.typed("/staff/callbacks/new")["message"] == [FORM["message"]]


NEW = "/staff/callbacks/new"


def test_entry_form_begins_with_the_name_and_folds_the_rest(ann):
    page = ann.get(NEW)
    assert page.main.select_one("[autofocus]")["id"] == "name"
    folded = [field["name"] for field in page.main.select("details:not([open]) input")]
    assert {"email", "reach_by", "days", "parts", "say", "assistance", "patient", "guardian"} <= set(folded)
    seen = {field["name"] for field in page.main.select("input, textarea")} - set(folded)
    assert seen == {"csrf_token", "secret", "name", "phone", "voicemail", "language", "message"}
    page = ann.fill(page, NEW, **{**FORM, "name": "", "guardian": "Zentinelaparent"})
    assert was_refused(page)
    opened = {field["name"] for field in page.main.select("details[open] input")}
    assert {"email", "say", "patient", "guardian"} <= opened and page.main.select_one("#name[autofocus]") is None


def test_entered_request_is_one_press_away(ann):
    page = ann.fill(ann.get(NEW), NEW, **FORM)
    link = page.main.find("a", string="Open this request")
    assert ann.get(link["href"]).heading == NAME


@pytest.mark.each_database
def test_caller_with_an_open_request_is_warned_of_once(team, ann, request_call):
    request_call(Visitor(team.site), name="Zentinelaold Caller")
    form = ann.get(NEW)
    page = ann.fill(form, NEW, **FORM)
    assert was_refused(page) and "There is an open request with this number or email." in page.words
    assert len(team.events("request.entered")) == 0, "nothing is stored yet"
    link = page.main.select_one("#notice a")
    assert "Zentinelaold Caller" in link.get_text() and ann.get(link["href"]).heading == "Zentinelaold Caller"
    entered = ann.fill(page, NEW)
    assert "The request is entered" in entered.words and len(team.events("request.entered")) == 1
    assert reference_on(ann.fill(page, NEW)) == reference_on(entered), "sent twice it is one request"


def test_form_entered_twice_is_one_request_without_a_warning(team, ann):
    form = ann.get(NEW)
    first, again = (reference_on(ann.fill(form, NEW, **FORM)) for _ in range(2))
    assert first == again and len(team.events("request.entered")) == 1


@pytest.mark.parametrize("query", ["", "?lang=es"])
@pytest.mark.parametrize("path", ["/staff/callbacks", "/staff/callbacks/today"])
def test_desk_says_when_the_clinic_is_closed(team, clock, path, query):
    words = "Está cerrado." if query else "We are closed."
    for hour, closed in ((0, False), (6, True)):
        clock.now = NOON + hour * 3600
        assert (words in team.sign_in(f"ann{hour}", "callbacks").get(path + query).words) is closed


def test_tabs_are_counted_in_singular_and_plural(team, ann, request_call):
    def tabs(query=""):
        tabs = ann.get(f"/staff/callbacks{query}").main.select(".app-tabs a")
        return [" ".join(tab.get_text().split()) for tab in tabs]

    for name in ("Ada", "Bea", "Cleo"):
        request_call(Visitor(team.site), name=name)
    page = open_request(ann, "Ada")
    press(ann, page, "call", outcome="spoke")
    assert tabs() == ["Waiting 2", "Overdue 0", "Reached 0", "Closed 1", "Canceled 0"]
    assert tabs("?lang=es") == ["En espera 2", "Atrasadas 0", "Contactadas 0", "Cerrada 1", "Canceladas 0"]
    press(ann, open_request(ann, "Bea"), "call", outcome="spoke")
    assert tabs()[3] == "Cerradas 2"
    assert "Atrasadas 0" in ann.get("/staff/callbacks/today").words


@pytest.mark.usefixtures("monday_noon")
def test_closed_days_are_excluded_from_overdue_days(team, ann, request_call, clock):
    request_call(Visitor(team.site))
    ann.send(ann.get("/staff/callbacks/closed-days"), "/staff/callbacks/closed-days", day="2026-11-25")
    clock.forward(2 * DAY)
    assert "Late today" in ann.sign_in("/staff/callbacks").words


@pytest.mark.each_database
def test_stale_page_cannot_delete_a_changed_request(team, ann, request_call, clock):
    visitor = Visitor(team.site)
    request_call(visitor)
    page = open_request(ann)
    changed = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    changed = visitor.fill(changed, "/consultation/review", **FORM, news="yes")
    clock.forward(5)
    visitor.fill(changed, "/consultation/sent")
    page = press(ann, page, "erase")
    assert was_refused(page) and "The patient changed this request on" in page.words
    page = press(ann, ann.get(page.address), "erase")
    assert "The request is erased" in page.words
    assert [action for action, _, _ in events(team, "request.erased")] == ["request.erased"]


@pytest.mark.each_database
def test_malformed_address_is_refused_or_ignored(team):
    member = team.sign_in("all", "callbacks", "admin")
    refused = (
        *("/staff/callbacks/%00", "/staff/callbacks?after=1.2.%00", "/staff/audit?subject=%00", "/staff/audit?who=%00"),
        *("/staff/accounts/%00", "/staff/sign-in?next=%00"),
    )
    ignored = {
        "/staff/callbacks?after=99999999999.2.x": ("Call-backs", "Call first, then by the time we promised"),
        "/staff/callbacks?tab=closed&after=99999999999.x": ("Call-backs", "The last that ended comes first"),
        "/staff/audit?until=9999-12-31": ("Audit", "Who did what, newest first"),
    }
    for address in refused:
        page = member.get(address)
        assert (page.status, page.heading) == (400, "We did not understand that"), address
    for address, (heading, words) in ignored.items():
        page = member.get(address)
        assert (page.status, page.heading) == (200, heading) and words in page.words, address


@pytest.mark.each_database
def test_null_byte_in_sign_in_email_is_refused(team):
    unauthorized = team.add("nul")
    fields = {"csrf_token": unauthorized.get("/staff/sign-in").token, "email": "a\x00b@example.org", "password": "x"}
    assert unauthorized.client.post("/staff/sign-in", data=fields, base_url=unauthorized.base).status_code == 400
