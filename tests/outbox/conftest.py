"""A mail server to deliver to, with moods, and a clinic that mails."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from sqlalchemy import select

from screening.callback import opening, requests
from screening.callback.details import Details
from screening.extensions import db
from screening.outbox import delivery
from screening.outbox.models import OutboxMail
from tests.callback.conftest import ask  # noqa: F401 (a fixture)
from tests.conftest import Clock

OK, SILENCE, HANG_UP = "250 OK", "silence", "hang up"
"""Answers to a message; after the last two it was taken, and nobody is told."""

TEAM, FROM = "team@clinic.example.org", "desk@clinic.example.org"

ROSA = Details(
    name="Zentinela Rosa",
    say="Rosita",
    patient="new",
    language="en",
    assistance="",
    phone="+13035550144",
    email="zentinela@example.org",
    reach_by="email",
    days=(),
    parts=(),
    voicemail=False,
    minor=False,
    guardian="",
    guardian_phone="",
    message="zentinel words, on two\nlines",
    news=False,
)
SECRETS = ("entinel", "Rosa", "Rosita", "5550144")
"""Parts of what only the team may read."""


class MailServer(Controller):
    """A mail server. ``answers`` are given to the messages that come, one each; then every one is accepted."""

    def __init__(self, **options: Any) -> None:
        super().__init__(self, hostname="127.0.0.1", port=0, **options)
        self.answers: list[str] = []
        self.strangers: dict[str, str] = {}
        self.arrived: list[EmailMessage] = []
        self.told: list[str] = []
        self.on_arrival: Callable[[], None] = lambda: None

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802
        if address in self.strangers:
            return self.strangers[address]
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else OK
        if answer in (OK, SILENCE, HANG_UP):
            self.arrived.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        if answer == SILENCE:
            await asyncio.Event().wait()
        if answer == HANG_UP:
            server.transport.abort()
        if answer == OK:
            self.told.append(self.arrived[-1]["Message-ID"])
            self.on_arrival()
        return answer

    def to(self, address: str) -> list[EmailMessage]:
        """The messages that arrived for somebody."""
        return [message for message in self.arrived if message["To"] == address]


def plain(message: EmailMessage) -> str:
    """The words of a message's plain part."""
    part = message.get_body(("plain",))
    assert part is not None
    text: str = part.get_content()
    return text.replace("\r\n", "\n")


@pytest.fixture
def serve() -> Iterator[Callable[..., MailServer]]:
    """Starts mail servers; keyword arguments are aiosmtpd's."""
    with ExitStack() as stack:

        def start(**options: Any) -> MailServer:
            server = MailServer(**options)
            server.start()
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def server(serve: Callable[..., MailServer]) -> MailServer:
    return serve()


@pytest.fixture
def mailing(make_site: Callable[..., Flask], database_url: str) -> Callable[..., Flask]:
    """A site that mails by a server, once on each kind of database; keyword arguments are settings."""

    def make(port: int, **settings: Any) -> Flask:
        return make_site(
            **{
                "DATABASE_URL": database_url,
                "MAIL_HOST": "127.0.0.1",
                "MAIL_PORT": port,
                "MAIL_TLS": "none",
                "MAIL_FROM": FROM,
                "MAIL_TEAM": TEAM,
                "SITE_URL": "https://check.example.org",
                **settings,
            }
        )

    return make


class Desk:
    """The side of a site that holds the keys: takes requests, delivers, and looks into the outbox."""

    def __init__(self, site: Flask, clock: Clock) -> None:
        self.site, self.clock = site, clock
        self.app: Flask = site.extensions["staff"]

    def ask(self, details: Details = ROSA, secret: str = "") -> str:
        """A request comes in; its reference."""
        with self.app.app_context():
            calendar = opening.calendar(self.app.extensions["clinic"])
            secret = secret or requests.fresh_secret()
            return requests.submit(secret, details, calendar, self.clock(), False).reference

    def change(self, made: str, details: Details) -> None:
        with self.app.app_context():
            calendar = opening.calendar(self.app.extensions["clinic"])
            requests.change(made, details, calendar, self.clock(), False, requests.fresh_secret())

    def withdraw(self, made: str) -> None:
        with self.app.app_context():
            requests.withdraw(made, self.clock())

    def deliver(self) -> int:
        """Deliver what is due now."""
        with self.app.app_context():
            return delivery.deliver()

    def mails(self) -> list[OutboxMail]:
        """The outbox as it lies in the database, the oldest first."""
        with self.app.app_context():
            found = list(db.session.scalars(select(OutboxMail).order_by(OutboxMail.posted_at, OutboxMail.kind)))
            db.session.expunge_all()
        return found

    def states(self) -> list[tuple[str, str, str | None]]:
        """Kind, state and error of each mail."""
        return [(mail.kind, mail.state, mail.error) for mail in self.mails()]


@pytest.fixture
def desk(mailing: Callable[..., Flask], server: MailServer, clock: Clock) -> Desk:
    return Desk(mailing(server.port), clock)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-made certificate for 127.0.0.1, with its key in the same file."""
    file = tmp_path_factory.mktemp("certificate") / "server.pem"
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = (
        builder.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    )
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = builder.add_extension(here, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private)
    return file


@pytest.fixture
def server_side(certificate: Path) -> ssl.SSLContext:
    """What a server shows its certificate with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def together() -> Callable[[int, Callable[[], Any]], list[Any]]:
    """Runs a function in several threads that begin at the same moment; what each gave."""

    def run(count: int, step: Callable[[], Any]) -> list[Any]:
        begin, given = threading.Barrier(count), []

        def one() -> None:
            begin.wait()
            given.append(step())

        threads = [threading.Thread(target=one) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return given

    return run
