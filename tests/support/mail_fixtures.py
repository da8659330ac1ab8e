"""Fixtures of mail: real SMTP servers, certificates, and sites that send mail."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.support.certificates import mail_server_certificate
from tests.support.clock import Clock
from tests.support.mail_server import MailServer
from tests.support.mail_site import MailSite, mail_settings


@pytest.fixture
def start_mail_server() -> Iterator[Callable[..., MailServer]]:
    """Return a function that starts mail servers; keyword arguments are those of aiosmtpd."""
    with ExitStack() as stack:

        def start(**options: Any) -> MailServer:
            server = MailServer(**options)
            server.start()
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def mail_server(start_mail_server: Callable[..., MailServer]) -> MailServer:
    return start_mail_server()


@pytest.fixture
def make_mail_site(make_site: Callable[..., Flask]) -> Callable[..., Flask]:
    """Return a function that creates a site sending mail to this port; keyword arguments are settings."""

    def make(port: int, **settings: Any) -> Flask:
        return make_site(**mail_settings(port) | settings)

    return make


@pytest.fixture
def mail_site(make_mail_site: Callable[..., Flask], mail_server: MailServer, clock: Clock) -> MailSite:
    return MailSite(make_mail_site(mail_server.port), clock)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    return mail_server_certificate(tmp_path_factory.mktemp("certificate") / "server.pem")


@pytest.fixture
def server_side(certificate: Path) -> ssl.SSLContext:
    """The TLS context of a mail server that uses the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
