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
from tests.support.databases import assert_indexed, statements_of
from tests.support.queue_pages import names_in, open_request, press
from tests.support.sample_patient import FORM, reference_on
from tests.support.staff_client import Team
from tests.support.visitor import Visitor

HOUR, DAY = 3600, 24 * 3600

pytestmark = pytest.mark.each_database


def events(team, action=""):
    with team.app.app_context():
        found = select(AuditEvent.action, AuditEvent.actor, AuditEvent.detail).order_by(AuditEvent.id)
        return [tuple(row) for row in db.session.execute(found) if row.action.startswith(action)]


def test_request_is_claimed_called_closed_and_reopened(team, ann, ask):
    ask(Visitor(team.site), voicemail="yes", days=["1"], parts=["morning"])
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
    done = [action for action, actor, _ in events(team, "request.")]
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


def test_voicemail_without_permission_is_refused(team, ann, ask):
    ask(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    assert "Do not leave one" in page.words
    assert page.main.find("button", value="voicemail") is None and page.main.find("button", value="no_answer")
    page = press(ann, page, "call", outcome="voicemail", note="kept words")
    assert page.status == 409 and "did not allow a voicemail" in page.words
    assert page.typed(f"{page.address.rpartition('/')[0]}/call")["note"] == ["kept words"]
    assert events(team, "request.attempted") == []


def test_concurrent_claim_gives_the_second_a_conflict(team, ann, ben, ask):
    ask(Visitor(team.site))
    hers, his = open_request(ann), open_request(ben)
    press(ann, hers, "claim")
    page = press(ben, his, "claim")
    assert page.status == 409 and "Somebody else changed this request a moment ago" in page.words
    assert "With Ann." in page.words
    assert len(events(team, "request.claimed")) == 1


def test_claim_of_a_stale_version_raises_not_allowed(team, ann, ask):
    """The second has read the request before the first stored it."""
    from screening.callback import states
    from screening.callback.states import NotAllowedError

    ask(Visitor(team.site))
    with team.app.app_context():
        request = db.session.scalars(select(CallbackRequest)).one()
        seen = request.version
        with db.engines[None].begin() as another:
            another.execute(text("UPDATE callback_request SET owner = 'x', version = version + 1"))
        with pytest.raises(NotAllowedError, match="changed"):
            desk.act(request, seen, lambda p: states.claim(p, "y"), "request.claimed", "y", 0)
        assert db.session.scalars(select(CallbackRequest.owner)).one() == "x"
    assert events(team, "request.claimed") == []


def test_call_on_colleagues_request_is_refused_until_handover(team, ann, ben, ask):
    ask(Visitor(team.site))
    press(ann, open_request(ann), "claim")
    page = open_request(ben)
    assert page.main.find("form", action=f"{page.address}/call") is None
    fields = {**page.typed(f"{page.address}/hand"), "outcome": "spoke"}
    refused = ben.post(f"{page.address}/call", fields)
    assert refused.status == 409 and "A colleague has this request" in refused.words
    page = press(ben, page, "hand", to=team.id_of(ben))
    assert "With Ben." in page.words and "The request is handed over" in page.words
    page = press(ben, page, "put-back")
    assert "With nobody yet." in page.words


@pytest.mark.parametrize("to", ["", "nobody"])
def test_handover_to_ineligible_account_is_refused(team, ann, ask, to):
    outsider = team.add("eve", "responses")
    ask(Visitor(team.site))
    page = open_request(ann)
    offered = [o["value"] for o in page.main.select("#to option")]
    assert team.id_of(ann) in offered and team.id_of(outsider) not in offered
    page = press(ann, page, "hand", to=to or team.id_of(outsider))
    assert page.status == 422 and "Pick who shall have the request" in page.words


def test_stop_outcome_closes_the_request(team, ann, ask):
    ask(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="stop")
    assert "Closed" in page.words
    assert events(team, "request.closed")[0][2] == {"reason": "stop"}


@pytest.mark.parametrize("outcome", ["", "sang"])
def test_call_without_valid_outcome_is_refused_preserving_note(team, ann, ask, outcome):
    ask(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome=outcome, note="my words")
    assert page.status == 422 and "Pick what happened on the call" in page.words and "my words" in page.words


def test_note_is_stored_encrypted_and_shown(team, ann, ask):
    ask(Visitor(team.site))
    page = press(ann, open_request(ann), "note", note="zentinote one")
    assert "zentinote one" in page.words
    with team.app.app_context():
        sealed = db.session.execute(text("SELECT sealed FROM callback_note")).scalar_one()
    assert b"zentinote" not in bytes(sealed)
    page = press(ann, page, "note", note="  ")
    assert page.status == 422 and "Write the note first" in page.words


class TestOrder:
    def test_queue_sorts_by_due_time_and_counts_overdue(self, team, ann, ask, clock):
        ask(Visitor(team.site), name="Late One")
        clock.forward(3 * DAY)
        ask(Visitor(team.site), name="Later One", days=["2"])
        ask(Visitor(team.site), name="Soon One", days=[])
        clock.forward(60)
        page = ann.sign_in("/staff/callbacks")
        assert names_in(page) == ["Late One", "Soon One", "Later One"]
        row = page.main.select(".app-queue__row--over")
        assert len(row) == 1 and "Overdue" in row[0].get_text() and "working day late" in row[0].get_text()
        tab = next(link for link in page.main.select(".app-tabs a") if "Overdue" in link.get_text())
        assert tab.get_text(" ", strip=True) == "Overdue 1"
        assert names_in(ann.get(tab["href"])) == ["Late One"]

    def test_urgent_request_precedes_an_earlier_due_time(self, team, ann, ask, clock):
        ask(Visitor(team.site), name="First Come")
        clock.forward(DAY)
        ann.sign_in()
        urgent = Visitor(team.site)
        urgent.walk(hopelessness="3")
        urgent.disagree()
        ask(urgent, name="Call First", share="yes")
        page = ann.get("/staff/callbacks")
        assert names_in(page) == ["Call First", "First Come"] and "Call first today" in page.words
        page = open_request(ann, "Call First")
        assert "Nobody watched these answers live" in page.words and "Offer 988" in page.words
        assert page.main.find("svg", class_="app-freq")

    def test_shared_summary_matches_the_patients_preview(self, team, ann, ask):
        visitor = Visitor(team.site)
        visitor.walk(sadness="2", appetite="declined", pain="1")
        visitor.disagree()
        preview = [li.get_text() for li in visitor.get("/consultation").main.select(".app-preview li")]
        ask(visitor, share="yes")
        assert [li.get_text() for li in open_request(ann).main.select(".app-preview li")] == preview

    def test_filters_select_language_and_owner(self, team, ann, ask):
        ask(Visitor(team.site), name="English One")
        ask(Visitor(team.site), name="Spanish One", language="es")
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

    def test_pagination_returns_each_request_exactly_once(self, team, ann):
        fill(team, 60)
        seen, page = [], ann.get("/staff/callbacks")
        for expected in (25, 25, 10):
            rows = [link["href"] for link in page.main.select(".app-queue__name a")]
            assert len(rows) == expected
            seen += rows
            following = next((link for link in page.main.select(".app-pages a") if "Next" in link.get_text()), None)
            page = ann.get(following["href"]) if following else page
        assert len(set(seen)) == 60 and following is None

    @pytest.mark.parametrize("after", ["x", "1.2", "0.99999999999999.x", "1.1.1.1", "..", "%00"])
    def test_malformed_page_cursor_causes_no_server_error(self, team, ann, after):
        fill(team, 3)
        assert ann.get(f"/staff/callbacks?after={after}").status == (400 if "%00" in after else 200)

    def test_queue_queries_use_indexes_without_table_scans(self, team, ann):
        """No step of the plan walks a whole table: what is read is bound by the page and by the count's limit."""
        fill(team, 300)
        queries = ("", "?tab=overdue", "?tab=closed", "?whose=me", "?language=es", "?tab=withdrawn")

        def look():
            for query in queries:
                assert ann.get(f"/staff/callbacks{query}").status == 200

        asked = statements_of(team.app, look)
        assert sum("callback_request" in statement for statement, _ in asked) > 20
        assert_indexed(team.app, asked, "callback_request")


def fill(team, count):
    """Requests that nobody can open, straight into the table."""
    with team.app.app_context():
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
    def test_possible_duplicates_match_by_phone_or_email(self, team, ann, ask):
        ask(Visitor(team.site), name="Rosa One", email="")
        ask(Visitor(team.site), name="Rosa Two", phone="+1 303.555.0144", email="")
        ask(Visitor(team.site), name="Rosa Three", phone="303 555 0178", email="ZENTINELA@example.org")
        ask(Visitor(team.site), name="Rosa Four", phone="303 555 0179")
        ann.get("/staff/callbacks")
        assert len(open_request(ann, "Rosa One").main.select("#same ~ ul li")) == 1
        assert len(open_request(ann, "Rosa Three").main.select("#same ~ ul li")) == 1

    @pytest.mark.parametrize("typed", ["(303) 555-0144", "+13035550144", "zentinela@EXAMPLE.org"])
    def test_contact_search_leaves_no_contact_in_url_or_audit_log(self, team, ann, ask, typed):
        ask(Visitor(team.site))
        page = ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact=typed)
        assert "1 request found" in page.words and "Zentinela Rosa" in page.words
        assert not urlsplit(page.response.request.url).query
        assert set(events(team, "requests.searched")[0][2]) == {"found"}, "the ids it found, not what was typed"
        page = ann.send(page, "/staff/callbacks/search", contact="303 555 0100")
        assert "0 requests found" in page.words
        assert ann.send(page, "/staff/callbacks/search", contact=" ").status == 422

    def test_search_after_change_finds_only_the_new_number(self, team, ann, ask, clock):
        visitor = Visitor(team.site)
        ask(visitor)
        ann.get("/staff/callbacks")
        page = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
        page = visitor.fill(page, "/consultation/review", **{**FORM, "phone": "303 555 0166"})
        clock.forward(5)
        visitor.fill(page, "/consultation/sent")
        found = {
            number: ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact=number).words
            for number in ("303 555 0144", "303 555 0166")
        }
        assert "0 requests" in found["303 555 0144"] and "1 request" in found["303 555 0166"]
        assert "Request changed by the patient" in open_request(ann).words

    def test_contact_hashes_are_keyed_and_deleted_on_withdrawal(self, team, ann, ask):
        import hashlib

        visitor = Visitor(team.site)
        ask(visitor)
        ann.get("/staff/callbacks")
        with team.app.app_context():
            hashes = list(db.session.execute(text("SELECT hash FROM callback_contact")).scalars())
        assert len(hashes) == 2 and hashlib.sha256(b"+13035550144").hexdigest() not in hashes
        visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
        with team.app.app_context():
            assert list(db.session.execute(text("SELECT hash FROM callback_contact")).scalars()) == []


def test_withdrawn_request_loses_notes_and_all_actions(team, ann, ask):
    visitor = Visitor(team.site)
    ask(visitor)
    page = press(ann, open_request(ann), "note", note="zentinote")
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    page = ann.get(page.address)
    assert "This request was taken back" in page.words and "zentinote" not in page.text
    for what in ("claim", "note", "call", "hand", "close", "reopen", "erase"):
        assert page.main.find("form", action=f"{page.address}/{what}") is None
    assert names_in(ann.get("/staff/callbacks")) == []
    with team.app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


def test_note_after_withdrawal_is_refused(team, ann, ask):
    visitor = Visitor(team.site)
    ask(visitor)
    page = open_request(ann)
    visitor.send(visitor.get("/consultation/status"), "/consultation/status/withdraw")
    page = press(ann, page, "note", note="too late")
    assert page.status == 409 and "It is erased" in page.words


def test_deletion_by_staff_invalidates_the_reference(team, ann, ask):
    visitor = Visitor(team.site)
    reference = reference_on(ask(visitor))
    page = press(ann, open_request(ann), "erase")
    assert "The request is erased" in page.words
    fresh = Visitor(team.site)
    assert fresh.send(fresh.get("/consultation/status"), "/consultation/status", reference=reference).status == 422


def test_request_entered_by_staff_gets_a_working_reference(team, ann, clock):
    page = ann.fill(ann.get("/staff/callbacks/new"), "/staff/callbacks/new", **FORM)
    reference = reference_on(page)
    assert "by 5:00 PM on Tuesday, November 24" in page.words
    visitor = Visitor(team.site)
    page = visitor.send(visitor.get("/consultation/status"), "/consultation/status", reference=reference)
    assert "We have your request" in page.words
    assert "entered for a caller" in open_request(ann).words
    page = ann.fill(ann.get("/staff/callbacks/new"), "/staff/callbacks/new", **{**FORM, "name": ""})
    assert page.status == 422 and page.typed("/staff/callbacks/new")["message"] == [FORM["message"]]


def test_closed_day_moves_due_times_of_new_requests_only(team, ann, ask):
    ask(Visitor(team.site), name="Before")
    page = ann.send(ann.get("/staff/callbacks/closed-days"), "/staff/callbacks/closed-days", day="2026-11-24")
    assert "November 24, 2026" in page.words
    assert "Wednesday, November 25" in ask(Visitor(team.site), name="After").words
    with team.app.app_context():
        due = list(db.session.scalars(select(CallbackRequest.due_at).order_by(CallbackRequest.asked_at)))
    assert due[0] < due[1]
    page = ann.send(page, "/staff/callbacks/closed-days/2026-11-24/remove")
    assert "November 24, 2026" not in page.words
    assert "Tuesday, November 24" in Visitor(team.site).get("/consultation").words
    for wrong in ("", "soon", "2026-13-01"):
        page = ann.send(page, "/staff/callbacks/closed-days", day=wrong)
        assert page.status == 422 and "Give a day such as" in page.words


def test_undecryptable_request_is_listed_and_explained(team, ann, ask):
    ask(Visitor(team.site))
    with team.app.app_context():
        db.session.execute(text("UPDATE callback_request SET sealed_with = 'ffffffff', indexed_with = NULL"))
        db.session.commit()
    page = ann.get("/staff/callbacks")
    assert names_in(page) == ["Can’t be opened"]
    page = open_request(ann, "Can’t be opened")
    assert page.status == 200 and "has no key that opens this request" in page.words


def test_unknown_request_returns_404(team, ann):
    assert ann.get("/staff/callbacks/nothing").status == 404


def test_contact_data_is_absent_from_urls_logs_and_events(team, ann, ask, caplog):
    import json
    import logging

    caplog.set_level(logging.DEBUG)
    ask(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="no_answer", note="zentinote")
    ann.send(ann.get("/staff/callbacks/search"), "/staff/callbacks/search", contact="303 555 0144")
    told = caplog.text + json.dumps(events(team)) + page.response.request.url
    for secret in ("Zentinel", "zentinel", "Rosita", "0144", "zentinote"):
        assert secret not in told, secret


def test_queue_decrypts_requests_of_both_keys_after_rotation(make_site, sqlite_url, keys, tmp_path, ask, clock):
    import shutil

    from screening.cli import create_commands_app

    own = tmp_path / "keys"
    shutil.copytree(keys, own)
    own.chmod(0o700)
    site = make_site(KEYS=own)
    team = Team(site)
    ann = team.add("ann", "callbacks")
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


def test_note_during_withdrawal_is_refused_and_not_stored(team, ann, ask):
    """The patient withdraws between our reading of the request and our writing of the note."""
    from sqlalchemy import event

    from screening.callback import requests
    from screening.callback.states import NotAllowedError

    visitor = Visitor(team.site)
    reference, who = reference_on(ask(visitor)), team.id_of(ann)
    with team.app.app_context():
        request = db.session.scalars(select(CallbackRequest)).one()
        withdrawn = []

        def withdraw(session, context, instances):
            if not withdrawn:
                withdrawn.append(True)
                with team.site.app_context():
                    requests.withdraw(reference, 0)

        event.listen(db.session, "before_flush", withdraw)
        try:
            with pytest.raises(NotAllowedError):
                desk.note(request, request.version, "zentinote", who, 0)
        finally:
            event.remove(db.session, "before_flush", withdraw)
        assert withdrawn
    with team.app.app_context():
        assert db.session.execute(text("SELECT count(*) FROM callback_note")).scalar_one() == 0


def test_form_error_and_list_views_are_audited(team, ann, ask):
    ask(Visitor(team.site))
    page = open_request(ann)
    before = len(events(team, "request.viewed"))
    assert "(303) 555-0144" in press(ann, page, "note", note="").words
    assert len(events(team, "request.viewed")) == before + 1
    listed = [detail for _, _, detail in events(team, "requests.listed")]
    assert {"tab": "waiting"} in listed


def test_takeover_conflict_preserves_the_typed_call_note(team, ann, ben, ask):
    ask(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    press(ben, open_request(ben), "hand", to=team.id_of(ben))
    page = press(ann, page, "call", outcome="spoke", note="what we said")
    assert page.status == 409 and "what we said" in page.main.find("textarea").get_text()


def test_stop_outcome_is_shown_on_the_request_page(team, ann, ask):
    ask(Visitor(team.site))
    page = press(ann, open_request(ann), "claim")
    page = press(ann, page, "call", outcome="stop")
    assert (
        "Do not call about this any more" in page.words
        and "Request closed : Asked us to stop" in page.words.replace("closed:", "closed :")
    )


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


def test_closed_days_are_excluded_from_overdue_days(team, ann, ask, clock):
    ask(Visitor(team.site))
    ann.send(ann.get("/staff/callbacks/closed-days"), "/staff/callbacks/closed-days", day="2026-11-25")
    clock.forward(2 * DAY)
    assert "Late today" in ann.sign_in("/staff/callbacks").words


def test_stale_page_cannot_delete_a_changed_request(team, ann, ask, clock):
    visitor = Visitor(team.site)
    ask(visitor)
    page = open_request(ann)
    changed = visitor.send(visitor.get("/consultation/status"), "/consultation/status/change")
    changed = visitor.fill(changed, "/consultation/review", **FORM, news="yes")
    clock.forward(5)
    visitor.fill(changed, "/consultation/sent")
    page = press(ann, page, "erase")
    assert page.status == 409 and "The patient changed this request on" in page.words
    page = press(ann, ann.get(page.address.rpartition("/")[0]), "erase")
    assert "The request is erased" in page.words
    assert [action for action, _, _ in events(team, "request.erased")] == ["request.erased"]


@pytest.mark.parametrize(
    "address",
    [
        *("/staff/callbacks/%00", "/staff/callbacks?after=1.2.%00", "/staff/callbacks?after=99999999999.2.x"),
        *("/staff/callbacks?tab=closed&after=99999999999.x", "/staff/audit?subject=%00", "/staff/audit?who=%00"),
        *("/staff/accounts/%00", "/staff/audit?until=9999-12-31", "/staff/sign-in?next=%00"),
    ],
)
def test_malformed_address_causes_no_server_error(team, address):
    member = team.add("all", "callbacks", "admin")
    member.sign_in()
    assert member.client.get(address).status_code in (200, 302, 303, 400, 404)


def test_null_byte_in_sign_in_email_is_refused(team):
    stranger = team.add("nul")
    page = stranger.get("/staff/sign-in")
    assert stranger.send(page, "/staff/sign-in", email="a\x00b@example.org", password="x").status == 400
