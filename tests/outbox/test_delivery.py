"""From a request to the mail server, whatever its mood: each mail once, and none lost."""

from __future__ import annotations

import logging
import random
import socket
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
from aiosmtpd.smtp import AuthResult
from sqlalchemy import text

from screening.callback.letters import CONFIRMED, PROMISED, REQUEST_WAITS
from screening.config import ROOT, SettingsError
from screening.extensions import db
from screening.outbox import delivery, smtp
from screening.outbox.delivery import DAY, LEASE, WAITS
from screening.outbox.models import DROPPED, FAILED, SENT, WAITING
from tests.callback.conftest import ROSA as TYPED
from tests.outbox.conftest import FROM, HANG_UP, OK, ROSA, SECRETS, SILENCE, TEAM, Desk, plain
from tests.staff.clerk import Office
from tests.visitor import Visitor

CALLED = replace(ROSA, reach_by="phone")


@contextmanager
def a_port_nobody_listens_at():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound and never listening, so nobody else gets it meanwhile
        yield bound.getsockname()[1]


@contextmanager
def a_server_that_never_answers():
    """Takes connections and says nothing until it is let go."""
    done = threading.Event()

    def hold():
        connection, _ = listening.accept()
        done.wait()
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=hold)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()


class TestWhatIsSent:
    def test_the_team_is_told_and_who_chose_e_mail_is_promised(self, desk, server):
        desk.ask()
        assert desk.states() == [(CONFIRMED, WAITING, None), (REQUEST_WAITS, WAITING, None)]
        assert desk.deliver() == 2
        assert desk.states() == [(CONFIRMED, SENT, None), (REQUEST_WAITS, SENT, None)]
        (team,), (patient,) = server.to(TEAM), server.to(ROSA.email)
        assert team["Subject"] == "A request waits"
        words = plain(team)
        assert "by 5:00\u202fPM on Tuesday, November 24" in words
        assert f"https://check.example.org/staff/callbacks/{desk.mails()[0].subject}" in words
        assert patient["Subject"] == "We got your request"
        words = plain(patient)
        assert "We will get back to you by 5:00\u202fPM on Tuesday, November 24" in words
        assert "https://check.example.org/consultation/status\n" in words
        assert desk.deliver() == 0 and len(server.arrived) == 2

    def test_who_chose_a_call_gets_no_mail(self, desk, server):
        desk.ask(CALLED)
        desk.ask(replace(ROSA, minor=True, guardian="Ana", guardian_phone="+13035550199"))
        desk.deliver()
        assert {message["To"] for message in server.arrived} == {TEAM}

    def test_a_moved_promise_is_told_and_a_kept_one_confirmed_again(self, desk, server):
        made = desk.ask()
        desk.deliver()
        desk.change(made, replace(ROSA, email="other@example.org"))
        desk.change(made, replace(ROSA, days=(3,), parts=("morning",)))
        desk.deliver()
        assert [kind for kind, _, _ in desk.states()].count(REQUEST_WAITS) == 1, "the team knows of it"
        assert "by 12:00\u202fPM on Thursday, December 3" in plain(server.arrived[-1])
        subjects = Counter(message["Subject"] for message in server.arrived if message["To"] != TEAM)
        assert subjects == {"We got your request": 2, "A new time for your request": 1}

    def test_a_mail_goes_where_the_request_says_when_it_is_sent(self, desk, server):
        made = desk.ask()
        desk.change(made, replace(ROSA, email="other@example.org"))
        desk.deliver()
        assert server.to(ROSA.email) == [] and len(server.to("other@example.org")) == 2

    @pytest.mark.parametrize("what", ["withdrawn", "called instead", "reached"])
    def test_what_is_no_longer_so_is_not_written(self, desk, server, what):
        made = desk.ask()
        if what == "withdrawn":
            desk.withdraw(made)
        elif what == "called instead":
            desk.change(made, CALLED)
        else:
            with desk.app.app_context():
                db.session.execute(text("UPDATE callback_request SET state = 'reached', shelf = 'reached'"))
                db.session.commit()
        desk.deliver()
        assert server.to(ROSA.email) == []
        assert (CONFIRMED, DROPPED, None) in desk.states()
        assert len(server.to(TEAM)) == (what == "called instead")

    def test_a_promise_that_is_over_is_not_made(self, desk, server, clock):
        desk.ask()
        clock.forward(3 * DAY)
        desk.deliver()
        assert "We are late, and we are sorry" in plain(server.to(ROSA.email)[0])

    def test_both_parts_say_the_same_in_the_patients_language(self, desk, server):
        desk.ask(replace(ROSA, language="es"))
        desk.deliver()
        (message,) = server.to(ROSA.email)
        html = message.get_body(("html",)).get_content()
        assert message["Subject"] == "Recibimos su solicitud" and message["Content-Language"] == "es"
        assert '<html lang="es">' in html and "<img" not in html and "src=" not in html and "url(" not in html
        for paragraph in plain(message).strip().split("\n\n"):
            assert paragraph in html
        assert '<a href="https://check.example.org/consultation/status">' in html

    def test_it_says_who_sends_it_and_that_a_machine_does(self, desk, server):
        desk.ask()
        desk.deliver()
        for message, mail in zip(server.arrived, desk.mails(), strict=True):
            assert message["From"] == f"Demo Clinic <{FROM}>" and message["Auto-Submitted"] == "auto-generated"
            assert message["Message-ID"] in {f"<{m.id}@clinic.example.org>" for m in desk.mails()}, mail.id

    def test_an_address_of_a_far_country_is_written_to(self, desk, server):
        desk.ask(replace(ROSA, email="rosa@exämple.org"))
        desk.deliver()
        assert len(server.to("rosa@xn--exmple-cua.org")) == 1


class TestItsCause:
    def test_without_the_outbox_nothing_is_stored_and_without_the_request_no_mail(self, mailing, server, clock, ask):
        desk = Desk(mailing(server.port), clock)
        visitor = Visitor(desk.site)
        with desk.app.app_context():
            db.session.execute(text("ALTER TABLE outbox_mail RENAME TO outbox_away"))
            db.session.commit()
        assert ask(visitor).status == 503
        with desk.app.app_context():
            assert db.session.execute(text("SELECT count(*) FROM callback_request")).scalar_one() == 0
            db.session.execute(text("ALTER TABLE outbox_away RENAME TO outbox_mail"))
            db.session.execute(text("ALTER TABLE audit_event RENAME TO audit_away"))
            db.session.commit()
        assert ask(visitor).status == 503 and desk.mails() == []

    def test_a_form_sent_twice_is_one_request_and_one_mail(self, desk):
        for _ in range(2):
            desk.ask(secret="5" * 32)
        assert len(desk.mails()) == 2

    def test_without_a_mail_server_nothing_is_posted(self, make_site, database_url, clock):
        desk = Desk(make_site(DATABASE_URL=database_url), clock)
        desk.ask()
        assert desk.mails() == [] and desk.deliver() == 0


class TestFailure:
    def test_what_is_refused_for_good_fails_at_once(self, desk, server, clock):
        server.strangers[ROSA.email] = "550 no such user"
        server.answers = ["554 we do not like it"]
        desk.ask()
        assert desk.deliver() == 0
        assert {(state, error) for _, state, error in desk.states()} == {(FAILED, smtp.REFUSED)}
        clock.forward(9 * DAY)
        assert desk.deliver() == 0 and server.arrived == []

    def test_what_is_put_off_is_tried_later_and_later_and_then_given_up(self, desk, server, clock):
        server.strangers[TEAM] = "451 later"
        desk.ask(CALLED)
        for wait in WAITS:
            assert desk.deliver() == 0
            assert desk.states() == [(REQUEST_WAITS, WAITING, smtp.BUSY)]
            clock.forward(wait - 1)
            before = desk.mails()[0].attempts
            desk.deliver()
            assert desk.mails()[0].attempts == before, "not before its time"
            clock.forward(1)
        assert desk.deliver() == 0
        assert desk.states() == [(REQUEST_WAITS, FAILED, smtp.BUSY)] and sorted(WAITS) == list(WAITS)
        assert max(WAITS) == DAY

    def test_a_server_that_comes_back_gets_what_waited(self, desk, server, clock):
        server.answers = ["451 later", "421 closing"]
        desk.ask()
        assert desk.deliver() == 0
        clock.forward(WAITS[0])
        assert desk.deliver() == 2 and len(server.arrived) == 2

    def test_a_server_that_is_down_costs_nothing_but_time(self, mailing, server, clock):
        with a_port_nobody_listens_at() as port:
            desk = Desk(mailing(port), clock)
            desk.ask(CALLED)
            assert desk.deliver() == 0
        assert desk.states() == [(REQUEST_WAITS, WAITING, smtp.UNREACHABLE)]
        clock.forward(WAITS[0])
        assert Desk(mailing(server.port), clock).deliver() == 1

    def test_a_server_that_never_answers_is_left_in_time(self, mailing, clock):
        with a_server_that_never_answers() as port:
            desk = Desk(mailing(port, MAIL_TIMEOUT=0.2), clock)
            desk.ask(CALLED)
            assert desk.deliver() == 0
        assert desk.states() == [(REQUEST_WAITS, WAITING, smtp.TIMEOUT)]

    def test_a_lost_answer_may_bring_a_second_copy_that_can_be_known(self, mailing, server, clock):
        desk = Desk(mailing(server.port, MAIL_TIMEOUT=0.5), clock)
        server.answers = [SILENCE]
        desk.ask(CALLED)
        assert desk.deliver() == 0 and desk.states()[0][2] == smtp.TIMEOUT
        clock.forward(WAITS[0])
        assert desk.deliver() == 1
        first, second = server.arrived
        assert first["Message-ID"] == second["Message-ID"]

    def test_a_farewell_that_fails_changes_nothing(self, desk, server, monkeypatch):
        async def bad_quit(*_arguments):
            return "554 no"

        server.handle_QUIT = bad_quit
        desk.ask(CALLED)
        assert desk.deliver() == 1 and desk.states() == [(REQUEST_WAITS, SENT, None)]

    def test_one_that_cannot_be_written_holds_up_no_other(self, desk, server, clock, caplog):
        desk.ask()
        with desk.app.app_context():
            db.session.execute(text("UPDATE callback_request SET sealed_with = '00000000'"))
            db.session.commit()
        clock.forward(1)
        desk.ask(CALLED)
        assert desk.deliver() == 2
        assert (CONFIRMED, WAITING, smtp.UNWRITABLE) in desk.states()
        assert "UnsealableError" in caplog.text


class TestSafety:
    def settings(self, certificate, mode="starttls"):
        return {"MAIL_TLS": mode, "MAIL_CA": certificate}

    def test_a_certificate_that_is_trusted_lets_mail_through(self, mailing, serve, server_side, certificate, clock):
        server = serve(tls_context=server_side, require_starttls=True)
        desk = Desk(mailing(server.port, **self.settings(certificate)), clock)
        desk.ask(CALLED)
        assert desk.deliver() == 1 and len(server.arrived) == 1

    def test_so_does_one_from_the_first_byte_on(self, mailing, serve, server_side, certificate, clock):
        server = serve(ssl_context=server_side)
        desk = Desk(mailing(server.port, **self.settings(certificate, "tls")), clock)
        desk.ask(CALLED)
        assert desk.deliver() == 1

    @pytest.mark.parametrize("fault", ["unknown", "another name", "no starttls"])
    def test_without_a_safe_line_nothing_is_sent(self, mailing, serve, server_side, certificate, clock, fault):
        server = serve() if fault == "no starttls" else serve(tls_context=server_side)
        settings = self.settings(None if fault == "unknown" else certificate)
        settings["MAIL_HOST"] = "localhost" if fault == "another name" else "127.0.0.1"
        desk = Desk(mailing(server.port, **settings), clock)
        desk.ask(CALLED)
        assert desk.deliver() == 0 and server.arrived == []
        assert desk.states() == [(REQUEST_WAITS, WAITING, smtp.CERTIFICATE)]

    def test_the_password_comes_from_its_file(self, mailing, serve, server_side, certificate, clock, tmp_path):
        def ask_for(server, session, envelope, mechanism, login):
            return AuthResult(success=(login.login, login.password) == (b"clinic", b"open sesame"), handled=False)

        server = serve(tls_context=server_side, authenticator=ask_for, auth_required=True)
        file = tmp_path / "password"
        settings = {
            "MAIL_USER": "clinic",
            "MAIL_PASSWORD_FILE": file,
            **self.settings(certificate),
        }
        desk = Desk(mailing(server.port, **settings), clock)
        desk.ask(CALLED)
        for wrong in ("shut sesame\n", None):
            file.write_text(wrong) if wrong else file.unlink()
            assert desk.deliver() == 0
            assert desk.states() == [(REQUEST_WAITS, WAITING, smtp.SIGN_IN)]
            clock.forward(DAY)
        file.write_text("open sesame\n")
        assert desk.deliver() == 1

    def test_a_sign_in_that_is_never_answered_is_not_called_refused(
        self, mailing, serve, server_side, certificate, clock, tmp_path
    ):
        def say_nothing(server, session, envelope, mechanism, login):
            return AuthResult(success=False, handled=True)

        server = serve(tls_context=server_side, authenticator=say_nothing, auth_required=True)
        file = tmp_path / "password"
        file.write_text("open sesame")
        settings = {"MAIL_USER": "clinic", "MAIL_PASSWORD_FILE": file, "MAIL_TIMEOUT": 0.5}
        desk = Desk(mailing(server.port, **settings, **self.settings(certificate)), clock)
        desk.ask(CALLED)
        assert desk.deliver() == 0
        assert desk.states() == [(REQUEST_WAITS, WAITING, smtp.TIMEOUT)]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"MAIL_TEAM": ""}, "SCREENING_MAIL_TEAM is missing"),
            ({"SITE_URL": ""}, "SCREENING_SITE_URL is missing"),
            ({"MAIL_USER": "clinic", "MAIL_PASSWORD_FILE": ROOT}, "needs starttls or tls"),
            ({"MAIL_USER": "clinic", "MAIL_TLS": "tls"}, "go together"),
        ],
    )
    def test_settings_that_cannot_work_stop_the_start(self, mailing, settings, message):
        with pytest.raises(SettingsError, match=message):
            mailing(25, **settings)


KILLED = """
import os, sys
from screening import create_app
from screening.outbox import delivery, smtp

place, url, keys, port, now = sys.argv[1:]
die = lambda *arguments, **named: os._exit(9)
if place == "before":
    smtp.Session.send = die
else:
    delivery._mark = die
site = create_app({"DATABASE_URL": url, "KEYS": __import__("pathlib").Path(keys), "CLOCK": lambda: float(now),
    "MAIL_HOST": "127.0.0.1", "MAIL_PORT": int(port), "MAIL_TLS": "none", "MAIL_FROM": "desk@clinic.example.org",
    "MAIL_TEAM": "team@clinic.example.org", "SITE_URL": "https://check.example.org"})
with site.extensions["staff"].app_context():
    delivery.deliver()
"""


class TestWorkersThatDie:
    @pytest.mark.parametrize(("place", "copies"), [("before", 1), ("after", 2)])
    def test_what_a_killed_worker_had_is_taken_up_again(self, desk, server, clock, database_url, keys, place, copies):
        """Killed before the server has it: sent once. Between that and the mark: twice, by one Message-ID."""
        desk.ask(CALLED)
        arguments = [place, database_url, str(keys), str(server.port), str(clock())]
        killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, timeout=60)
        assert killed.returncode == 9 and len(server.arrived) == copies - 1
        assert desk.deliver() == 0, "its claim holds for a while"
        clock.forward(LEASE)
        assert desk.deliver() == 1 and desk.states() == [(REQUEST_WAITS, SENT, None)]
        assert len(server.arrived) == copies and len({m["Message-ID"] for m in server.arrived}) == 1
        clock.forward(9 * DAY)
        assert desk.deliver() == 0 and len(server.arrived) == copies

    def test_one_that_dies_of_the_same_mail_each_time_is_shown(self, desk, clock):
        desk.ask(CALLED)
        with desk.app.app_context():
            for _ in range(delivery.MOST_ATTEMPTS):
                assert delivery.claim_next() is not None
                clock.forward(LEASE)
        assert desk.deliver() == 0
        assert desk.states() == [(REQUEST_WAITS, FAILED, smtp.INTERRUPTED)]

    def test_who_comes_back_after_its_time_marks_nothing(self, desk, server, clock):
        desk.ask(CALLED)
        with desk.app.app_context():
            late = delivery.claim_next()
        clock.forward(LEASE)
        assert desk.deliver() == 1
        with desk.app.app_context():
            delivery._put_off(late, smtp.MailError(smtp.BUSY))
        assert desk.states() == [(REQUEST_WAITS, SENT, None)]

    def test_several_at_once_never_send_one_twice(self, desk, server, together):
        for _ in range(20):
            desk.ask()
        sent = together(4, desk.deliver)
        assert sum(sent) == len(server.arrived) == 40
        assert len({message["Message-ID"] for message in server.arrived}) == 40
        assert {state for _, state, _ in desk.states()} == {SENT}


@pytest.mark.parametrize("seed", range(3))
def test_every_request_ends_mailed_or_seen_as_failed(mailing, server, clock, seed):
    """A server of the worst moods: whatever it answers, each mail is accepted once or staff see that it failed."""
    dice = random.Random(seed)
    desk = Desk(mailing(server.port), clock)
    moods = [OK, OK, "451 later", "421 closing", "554 never", HANG_UP]
    server.answers = [dice.choice(moods) for _ in range(60)]
    for number in range(12):
        desk.ask(replace(ROSA, reach_by=dice.choice(["email", "phone"]), email=f"{number}@example.org"))
    for _ in range(len(WAITS) + 1):
        desk.deliver()
        clock.forward(DAY)
    told = Counter(server.told)
    office = Office(desk.site)
    clerk = office.hire("ann", "callbacks")
    shown = clerk.sign_in("/staff/mail").main.select("tbody tr")
    mails = desk.mails()
    assert {mail.state for mail in mails} == {SENT, FAILED}, "the dice have shown both"
    assert len(shown) == sum(mail.state == FAILED for mail in mails)
    for mail in mails:
        assert told[f"<{mail.id}@clinic.example.org>"] == (mail.state == SENT), "accepted just once"


def test_nothing_of_a_patient_is_in_the_outbox_the_logs_or_the_teams_mail(desk, server, clock, ask, caplog):
    caplog.set_level(logging.DEBUG)
    visitor = Visitor(desk.site)
    visitor.walk(hopelessness="3")
    visitor.disagree()
    server.strangers[ROSA.email] = "550 zentinela@example.org is unknown"
    ask(visitor, **TYPED, reach_by="email", share="yes")
    desk.deliver()
    with desk.app.app_context():
        rows = str(db.session.execute(text("SELECT * FROM outbox_mail")).all())
    (team,) = server.to(TEAM)
    del team["Message-ID"]
    logged = "\n".join(
        record.getMessage() + str(record.exc_info) for record in caplog.records if record.name != "mail.log"
    )
    assert (CONFIRMED, FAILED, smtp.REFUSED) in desk.states() and PROMISED not in rows
    for place in (rows, logged, team.as_string(), *(str(part.get_content()) for part in team.iter_parts())):
        assert [secret for secret in SECRETS if secret in place] == []
