"""Delivery from the outbox, whatever the mail server answers: each mail once, and none lost."""

from __future__ import annotations

import logging
import random
import socket
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import pytest
from aiosmtpd.smtp import AuthResult
from sqlalchemy import text

from screening.callbacks.notifications import CONFIRMED, PROMISED, REQUEST_WAITING
from screening.config import ROOT, SettingsError
from screening.durations import DAY_SECONDS
from screening.extensions import db
from screening.mail import delivery, smtp
from screening.mail.delivery import LEASE_SECONDS, RETRY_DELAYS
from screening.mail.models import DROPPED, FAILED, PENDING, SENT
from tests.support.absence import assert_absent
from tests.support.mail_server import HANG_UP, OK, SILENCE, plain
from tests.support.mail_site import FROM, TEAM, MailSite
from tests.support.processes import python
from tests.support.sample_patient import FORM, ROSA, SECRETS
from tests.support.staff_client import Team
from tests.support.threads import run_together
from tests.support.visitor import Visitor

PREFERS_PHONE = replace(ROSA, reach_by="phone")


@contextmanager
def port_without_listener():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound and never listening, so that no other process is assigned it
        yield bound.getsockname()[1]


@contextmanager
def unresponsive_server():
    """Accepts a connection and sends nothing until the test ends."""
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


class TestMailContent:
    @pytest.mark.each_database
    @pytest.mark.usefixtures("monday_noon")
    def test_new_request_notifies_staff_and_confirms_to_patient(self, mail_site, mail_server):
        mail_site.request_call()
        assert mail_site.states() == [(CONFIRMED, PENDING, None), (REQUEST_WAITING, PENDING, None)]
        assert mail_site.deliver() == 2
        assert mail_site.states() == [(CONFIRMED, SENT, None), (REQUEST_WAITING, SENT, None)]
        (team,), (patient,) = mail_server.to(TEAM), mail_server.to(ROSA.email)
        assert team["Subject"] == "A request waits"
        words = plain(team)
        assert "by 5:00\u202fPM on Tuesday, November 24" in words
        assert f"https://check.example.org/staff/callbacks/{mail_site.mails()[0].subject}" in words
        assert patient["Subject"] == "We got your request"
        words = plain(patient)
        assert "We will get back to you by 5:00\u202fPM on Tuesday, November 24" in words
        assert "https://check.example.org/consultation/status\n" in words
        assert mail_site.deliver() == 0 and len(mail_server.arrived) == 2

    def test_patient_choosing_a_phone_call_gets_no_mail(self, mail_site, mail_server):
        mail_site.request_call(PREFERS_PHONE)
        mail_site.request_call(replace(ROSA, minor=True, guardian="Ana", guardian_phone="+13035550199"))
        mail_site.deliver()
        assert {message["To"] for message in mail_server.arrived} == {TEAM}

    @pytest.mark.usefixtures("monday_noon")
    def test_change_mails_a_new_due_time_or_a_confirmation(self, mail_site, mail_server):
        made = mail_site.request_call()
        mail_site.deliver()
        mail_site.change(made, replace(ROSA, email="other@example.org"))
        mail_site.change(made, replace(ROSA, days=(3,), parts=("morning",)))
        mail_site.deliver()
        assert [kind for kind, _, _ in mail_site.states()].count(REQUEST_WAITING) == 1, "staff were notified earlier"
        assert "by 12:00\u202fPM on Thursday, December 3" in plain(mail_server.arrived[-1])
        subjects = Counter(message["Subject"] for message in mail_server.arrived if message["To"] != TEAM)
        assert subjects == {"We got your request": 2, "A new time for your request": 1}

    def test_mail_uses_the_address_current_at_delivery(self, mail_site, mail_server):
        made = mail_site.request_call()
        mail_site.change(made, replace(ROSA, email="other@example.org"))
        mail_site.deliver()
        assert mail_server.to(ROSA.email) == [] and len(mail_server.to("other@example.org")) == 2

    @pytest.mark.each_database
    @pytest.mark.parametrize("what", ["withdrawn", "called instead", "reached"])
    def test_outdated_confirmation_is_dropped(self, mail_site, mail_server, what):
        made = mail_site.request_call()
        if what == "withdrawn":
            mail_site.withdraw(made)
        elif what == "called instead":
            mail_site.change(made, PREFERS_PHONE)
        else:
            with mail_site.app.app_context():
                db.session.execute(text("UPDATE callback_request SET state = 'reached', state_group = 'reached'"))
                db.session.commit()
        mail_site.deliver()
        assert mail_server.to(ROSA.email) == []
        assert (CONFIRMED, DROPPED, None) in mail_site.states()
        assert len(mail_server.to(TEAM)) == (what == "called instead")

    def test_confirmation_after_due_time_contains_an_apology(self, mail_site, mail_server, clock):
        mail_site.request_call()
        clock.forward(10 * DAY_SECONDS)
        mail_site.deliver()
        assert "We are late, and we are sorry" in plain(mail_server.to(ROSA.email)[0])

    def test_plain_and_html_parts_match_in_the_patients_language(self, mail_site, mail_server):
        mail_site.request_call(replace(ROSA, language="es"))
        mail_site.deliver()
        (message,) = mail_server.to(ROSA.email)
        html = message.get_body(("html",)).get_content()
        assert message["Subject"] == "Recibimos su solicitud" and message["Content-Language"] == "es"
        assert '<html lang="es">' in html and "<img" not in html and "src=" not in html and "url(" not in html
        for paragraph in plain(message).strip().split("\n\n"):
            assert paragraph in html
        assert '<a href="https://check.example.org/consultation/status">' in html

    def test_mail_headers_state_sender_and_auto_submission(self, mail_site, mail_server):
        mail_site.request_call()
        mail_site.deliver()
        for message, mail in zip(mail_server.arrived, mail_site.mails(), strict=True):
            assert message["From"] == f"Demo Clinic <{FROM}>" and message["Auto-Submitted"] == "auto-generated"
            assert message["Message-ID"] in {f"<{m.id}@clinic.example.org>" for m in mail_site.mails()}, mail.id

    def test_internationalized_domain_is_sent_as_punycode(self, mail_site, mail_server):
        mail_site.request_call(replace(ROSA, email="rosa@exämple.org"))
        mail_site.deliver()
        assert len(mail_server.to("rosa@xn--exmple-cua.org")) == 1


class TestEnqueueing:
    @pytest.mark.each_database
    def test_request_and_mail_are_stored_in_a_single_transaction(
        self, make_mail_site, mail_server, clock, request_call
    ):
        mail_site = MailSite(make_mail_site(mail_server.port), clock)
        visitor = Visitor(mail_site.site)
        with mail_site.app.app_context():
            db.session.execute(text("ALTER TABLE outbox_mail RENAME TO outbox_away"))
            db.session.commit()
        assert request_call(visitor).status == 503
        with mail_site.app.app_context():
            assert db.session.execute(text("SELECT count(*) FROM callback_request")).scalar_one() == 0
            db.session.execute(text("ALTER TABLE outbox_away RENAME TO outbox_mail"))
            db.session.execute(text("ALTER TABLE audit_event RENAME TO audit_away"))
            db.session.commit()
        assert request_call(visitor).status == 503 and mail_site.mails() == []

    @pytest.mark.each_database
    def test_repeated_submission_stores_each_mail_once(self, mail_site):
        for _ in range(2):
            mail_site.request_call(secret="5" * 32)
        assert len(mail_site.mails()) == 2

    def test_unset_mail_host_stores_no_mail(self, make_site, database_url, clock):
        mail_site = MailSite(make_site(), clock)
        mail_site.request_call()
        assert mail_site.mails() == [] and mail_site.deliver() == 0


class TestDeliveryFailure:
    def test_permanent_refusal_fails_without_retry(self, mail_site, mail_server, clock):
        mail_server.refused[ROSA.email] = "550 no such user"
        mail_server.answers = ["554 we do not like it"]
        mail_site.request_call()
        assert mail_site.deliver() == 0
        assert {(state, error) for _, state, error in mail_site.states()} == {(FAILED, smtp.REFUSED)}
        clock.forward(9 * DAY_SECONDS)
        assert mail_site.deliver() == 0 and mail_server.arrived == []

    @pytest.mark.each_database
    def test_temporary_refusal_backs_off_and_finally_fails(self, mail_site, mail_server, clock):
        mail_server.refused[TEAM] = "451 later"
        mail_site.request_call(PREFERS_PHONE)
        for wait in RETRY_DELAYS:
            assert mail_site.deliver() == 0
            assert mail_site.states() == [(REQUEST_WAITING, PENDING, smtp.BUSY)]
            clock.forward(wait - 1)
            before = mail_site.mails()[0].attempts
            mail_site.deliver()
            assert mail_site.mails()[0].attempts == before, "not before it is due"
            clock.forward(1)
        assert mail_site.deliver() == 0
        assert mail_site.states() == [(REQUEST_WAITING, FAILED, smtp.BUSY)] and sorted(RETRY_DELAYS) == list(
            RETRY_DELAYS
        )
        assert max(RETRY_DELAYS) == DAY_SECONDS

    def test_recovered_server_receives_waiting_mail(self, mail_site, mail_server, clock):
        mail_server.answers = ["451 later", "421 closing"]
        mail_site.request_call()
        assert mail_site.deliver() == 0
        clock.forward(RETRY_DELAYS[0])
        assert mail_site.deliver() == 2 and len(mail_server.arrived) == 2

    def test_unreachable_server_delays_mail_without_loss(self, make_mail_site, mail_server, clock):
        with port_without_listener() as port:
            mail_site = MailSite(make_mail_site(port), clock)
            mail_site.request_call(PREFERS_PHONE)
            assert mail_site.deliver() == 0
        assert mail_site.states() == [(REQUEST_WAITING, PENDING, smtp.UNREACHABLE)]
        clock.forward(RETRY_DELAYS[0])
        assert MailSite(make_mail_site(mail_server.port), clock).deliver() == 1

    def test_unresponsive_server_times_out_and_mail_waits(self, make_mail_site, clock):
        with unresponsive_server() as port:
            mail_site = MailSite(make_mail_site(port, MAIL_TIMEOUT=0.2), clock)
            mail_site.request_call(PREFERS_PHONE)
            assert mail_site.deliver() == 0
        assert mail_site.states() == [(REQUEST_WAITING, PENDING, smtp.TIMEOUT)]

    def test_lost_reply_resends_with_the_same_message_id(self, make_mail_site, mail_server, clock):
        short_timeout = MailSite(make_mail_site(mail_server.port, MAIL_TIMEOUT=0.5), clock)
        mail_server.answers = [SILENCE]
        short_timeout.request_call(PREFERS_PHONE)
        assert short_timeout.deliver() == 0 and short_timeout.states()[0][2] == smtp.TIMEOUT
        clock.forward(RETRY_DELAYS[0])
        assert MailSite(make_mail_site(mail_server.port), clock).deliver() == 1
        first, second = mail_server.arrived
        assert first["Message-ID"] == second["Message-ID"]

    def test_failed_quit_command_leaves_the_mail_sent(self, mail_site, mail_server, monkeypatch):
        async def bad_quit(*_arguments):
            return "554 no"

        mail_server.handle_QUIT = bad_quit
        mail_site.request_call(PREFERS_PHONE)
        assert mail_site.deliver() == 1 and mail_site.states() == [(REQUEST_WAITING, SENT, None)]

    def test_undecryptable_request_does_not_block_other_mail(self, mail_site, mail_server, clock, caplog):
        mail_site.request_call()
        with mail_site.app.app_context():
            db.session.execute(text("UPDATE callback_request SET key_id = '00000000'"))
            db.session.commit()
        clock.forward(1)
        mail_site.request_call(PREFERS_PHONE)
        assert mail_site.deliver() == 2
        assert (CONFIRMED, PENDING, smtp.UNWRITABLE) in mail_site.states()
        assert "DecryptionError" in caplog.text


class TestTlsAndLogin:
    def settings(self, certificate, mode="starttls"):
        return {"MAIL_TLS": mode, "MAIL_CA": certificate}

    def test_trusted_certificate_permits_starttls_delivery(
        self, make_mail_site, start_mail_server, server_side, certificate, clock
    ):
        mail_server = start_mail_server(tls_context=server_side, require_starttls=True)
        mail_site = MailSite(make_mail_site(mail_server.port, **self.settings(certificate)), clock)
        mail_site.request_call(PREFERS_PHONE)
        assert mail_site.deliver() == 1 and len(mail_server.arrived) == 1

    def test_trusted_certificate_permits_implicit_tls_delivery(
        self, make_mail_site, start_mail_server, server_side, certificate, clock
    ):
        mail_server = start_mail_server(ssl_context=server_side)
        mail_site = MailSite(make_mail_site(mail_server.port, **self.settings(certificate, "tls")), clock)
        mail_site.request_call(PREFERS_PHONE)
        assert mail_site.deliver() == 1

    @pytest.mark.parametrize("fault", ["unknown", "another name", "no starttls"])
    def test_untrusted_connection_sends_nothing(
        self, make_mail_site, start_mail_server, server_side, certificate, clock, fault
    ):
        mail_server = start_mail_server() if fault == "no starttls" else start_mail_server(tls_context=server_side)
        settings = self.settings(None if fault == "unknown" else certificate)
        settings["MAIL_HOST"] = "localhost" if fault == "another name" else "127.0.0.1"
        mail_site = MailSite(make_mail_site(mail_server.port, **settings), clock)
        mail_site.request_call(PREFERS_PHONE)
        assert mail_site.deliver() == 0 and mail_server.arrived == []
        assert mail_site.states() == [(REQUEST_WAITING, PENDING, smtp.CERTIFICATE)]

    def test_smtp_password_is_read_from_file_at_each_delivery(
        self, make_mail_site, start_mail_server, server_side, certificate, clock, tmp_path
    ):
        def authenticate(mail_server, session, envelope, mechanism, login):
            return AuthResult(success=(login.login, login.password) == (b"clinic", b"open sesame"), handled=False)

        mail_server = start_mail_server(tls_context=server_side, authenticator=authenticate, auth_required=True)
        file = tmp_path / "password"
        settings = {"MAIL_USER": "clinic", "MAIL_PASSWORD_FILE": file, **self.settings(certificate)}
        mail_site = MailSite(make_mail_site(mail_server.port, **settings), clock)
        mail_site.request_call(PREFERS_PHONE)
        for wrong in ("shut sesame\n", None):
            file.write_text(wrong) if wrong else file.unlink()
            assert mail_site.deliver() == 0
            assert mail_site.states() == [(REQUEST_WAITING, PENDING, smtp.SIGN_IN)]
            clock.forward(DAY_SECONDS)
        file.write_text("open sesame\n")
        assert mail_site.deliver() == 1

    def test_unanswered_smtp_login_is_a_timeout_not_a_refusal(
        self, make_mail_site, start_mail_server, server_side, certificate, clock, tmp_path
    ):
        def ignore(mail_server, session, envelope, mechanism, login):
            return AuthResult(success=False, handled=True)

        mail_server = start_mail_server(tls_context=server_side, authenticator=ignore, auth_required=True)
        file = tmp_path / "password"
        file.write_text("open sesame")
        settings = {"MAIL_USER": "clinic", "MAIL_PASSWORD_FILE": file, "MAIL_TIMEOUT": 0.5}
        mail_site = MailSite(make_mail_site(mail_server.port, **settings, **self.settings(certificate)), clock)
        mail_site.request_call(PREFERS_PHONE)
        assert mail_site.deliver() == 0
        assert mail_site.states() == [(REQUEST_WAITING, PENDING, smtp.TIMEOUT)]

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"MAIL_TO_STAFF": ""}, "SCREENING_MAIL_TO_STAFF is missing"),
            ({"SITE_URL": ""}, "SCREENING_SITE_URL is missing"),
            ({"MAIL_USER": "clinic", "MAIL_PASSWORD_FILE": ROOT}, "needs starttls or tls"),
            ({"MAIL_USER": "clinic", "MAIL_TLS": "tls"}, "must be set together"),
        ],
    )
    def test_invalid_mail_settings_refuse_startup(self, make_mail_site, settings, message):
        with pytest.raises(SettingsError, match=message):
            make_mail_site(25, **settings)


KILLED = """
import os, sys
from pathlib import Path
from screening.app import create_app
from screening.mail import delivery, smtp
from tests.support.mail_site import mail_settings

place, url, keys, port, now = sys.argv[1:]
send = smtp.Session.send

def send_and_die(*arguments):
    if place == "after":
        send(*arguments)
    os._exit(9)

smtp.Session.send = send_and_die
settings = {"DATABASE_URL": url, "KEYS_DIR": Path(keys), "CLOCK": lambda: float(now)}
staff = create_app(settings | mail_settings(int(port))).extensions["staff"]
with staff.app_context():
    delivery.deliver(delivery.Mailer.of(staff))
"""


class TestKilledWorker:
    def check_killed_worker(self, mail_site, mail_server, clock, database_url, keys, place, copies):
        mail_site.request_call(PREFERS_PHONE)
        killed = python("-c", KILLED, place, database_url, str(keys), str(mail_server.port), str(clock()))
        assert killed.returncode == 9, killed.stderr
        assert len(mail_server.arrived) == copies - 1
        assert mail_site.deliver() == 0, "the claim is valid until its lease expires"
        clock.forward(LEASE_SECONDS)
        assert mail_site.deliver() == 1 and mail_site.states() == [(REQUEST_WAITING, SENT, None)]
        assert len(mail_server.arrived) == copies and len({m["Message-ID"] for m in mail_server.arrived}) == 1
        clock.forward(9 * DAY_SECONDS)
        assert mail_site.deliver() == 0 and len(mail_server.arrived) == copies

    def test_worker_killed_before_sending_delays_the_mail(self, mail_site, mail_server, clock, database_url, keys):
        self.check_killed_worker(mail_site, mail_server, clock, database_url, keys, "before", 1)

    @pytest.mark.each_database
    def test_worker_killed_after_sending_repeats_the_message_id(
        self, mail_site, mail_server, clock, database_url, keys
    ):
        """The server has the mail, but the database does not record it: it is sent twice, with one Message-ID."""
        self.check_killed_worker(mail_site, mail_server, clock, database_url, keys, "after", 2)

    @pytest.mark.each_database
    def test_mail_that_kills_workers_fails_after_max_attempts(self, mail_site, clock):
        mail_site.request_call(PREFERS_PHONE)
        with mail_site.app.app_context():
            for _ in range(delivery.MAX_ATTEMPTS):
                assert delivery.claim_next(int(clock())) is not None
                clock.forward(LEASE_SECONDS)
        assert mail_site.deliver() == 0
        assert mail_site.states() == [(REQUEST_WAITING, FAILED, smtp.INTERRUPTED)]

    @pytest.mark.each_database
    def test_expired_claim_cannot_overwrite_the_state(self, mail_site, mail_server, clock, monkeypatch):
        send, late = smtp.Session.send, []

        def send_late(session, message):
            if late:
                return send(session, message)
            late.append(message)
            clock.forward(LEASE_SECONDS)
            assert mail_site.deliver() == 1, "another worker claims and sends it"
            raise smtp.MailError(smtp.BUSY)

        monkeypatch.setattr(smtp.Session, "send", send_late)
        mail_site.request_call(PREFERS_PHONE)
        assert mail_site.deliver() == 0
        assert late and mail_site.states() == [(REQUEST_WAITING, SENT, None)] and len(mail_server.arrived) == 1

    @pytest.mark.each_database
    def test_concurrent_deliveries_send_each_mail_once(self, mail_site, mail_server):
        for _ in range(20):
            mail_site.request_call()
        sent = run_together(4, lambda _number: mail_site.deliver())
        assert sum(sent) == len(mail_server.arrived) == 40
        assert len({message["Message-ID"] for message in mail_server.arrived}) == 40
        assert {state for _, state, _ in mail_site.states()} == {SENT}


@pytest.mark.each_database
@pytest.mark.parametrize("seed", range(3))
def test_every_mail_ends_sent_once_or_shown_as_failed(make_mail_site, mail_server, clock, seed):
    """Whatever the server answers, each mail is accepted once, or listed to staff as failed."""
    rng = random.Random(seed)
    mail_site = MailSite(make_mail_site(mail_server.port), clock)
    possible = [OK, OK, "451 later", "421 closing", "554 never", HANG_UP]
    mail_server.answers = [rng.choice(possible) for _ in range(60)]
    for number in range(12):
        mail_site.request_call(replace(ROSA, reach_by=rng.choice(["email", "phone"]), email=f"{number}@example.org"))
    for _ in range(len(RETRY_DELAYS) + 1):
        mail_site.deliver()
        clock.forward(DAY_SECONDS)
    accepted = Counter(mail_server.acknowledged)
    member = Team(mail_site.site).add("ann", "callbacks")
    shown = member.sign_in("/staff/mail").main.select("tbody tr")
    mails = mail_site.mails()
    assert {mail.state for mail in mails} == {SENT, FAILED}, "the draws include both outcomes"
    assert len(shown) == sum(mail.state == FAILED for mail in mails)
    for mail in mails:
        assert accepted[f"<{mail.id}@clinic.example.org>"] == (mail.state == SENT), "accepted exactly once"


@pytest.mark.each_database
def test_patient_data_is_absent_from_outbox_logs_and_staff_mail(mail_site, mail_server, clock, request_call, caplog):
    caplog.set_level(logging.DEBUG)
    visitor = Visitor(mail_site.site)
    visitor.walk(hopelessness="3")
    visitor.disagree()
    mail_server.refused[ROSA.email] = f"550 {ROSA.email} is unknown"
    request_call(visitor, **{**FORM, "reach_by": "email"}, share="yes")
    mail_site.deliver()
    with mail_site.app.app_context():
        rows = str(db.session.execute(text("SELECT * FROM outbox_mail")).all())
    (to_staff,) = mail_server.to(TEAM)
    logged = "\n".join(
        record.getMessage() + str(record.exc_info) for record in caplog.records if record.name != "mail.log"
    )
    assert (CONFIRMED, FAILED, smtp.REFUSED) in mail_site.states() and PROMISED not in rows
    assert "a mail was not sent" in logged, "the control: the delivery is logged"
    parts = (str(part.get_content()) for part in to_staff.iter_parts())
    assert_absent(SECRETS, rows, logged, to_staff.as_string(), *parts)
