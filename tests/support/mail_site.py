"""A site that sends mail, as seen by the process that holds the keys."""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import select

from screening.callbacks import clinic_calendar, patient_service
from screening.callbacks.contact_details import ContactDetails
from screening.extensions import db
from screening.mail import delivery
from screening.mail.delivery import Mailer
from screening.mail.models import OutboxMail
from tests.support.clock import Clock
from tests.support.sample_patient import ROSA

TEAM, FROM = "team@clinic.example.org", "desk@clinic.example.org"


def mail_settings(port: int) -> dict[str, Any]:
    """Return the settings of a site that sends mail through a server on this port."""
    return {
        "MAIL_HOST": "127.0.0.1",
        "MAIL_PORT": port,
        "MAIL_TLS": "none",
        "MAIL_FROM": FROM,
        "MAIL_TO_STAFF": TEAM,
        "SITE_URL": "https://check.example.org",
    }


class MailSite:
    """The process of a site that holds the keys: stores requests, delivers mail, and reads the outbox."""

    def __init__(self, site: Flask, clock: Clock) -> None:
        self.site, self.clock = site, clock
        self.app: Flask = site.extensions["staff"]
        self.sends_mail = bool(self.app.config["SETTINGS"]["MAIL_HOST"])

    def request_call(self, details: ContactDetails = ROSA, secret: str = "") -> str:
        """Store a request; return its reference."""
        with self.app.app_context():
            calendar = clinic_calendar.current_calendar(self.app.extensions["clinic"])
            secret = secret or patient_service.fresh_secret()
            return patient_service.submit(
                secret, details, calendar, self.clock(), False, mails=self.sends_mail
            ).reference

    def change(self, made: str, details: ContactDetails) -> None:
        with self.app.app_context():
            calendar = clinic_calendar.current_calendar(self.app.extensions["clinic"])
            secret = patient_service.fresh_secret()
            patient_service.change(made, details, calendar, self.clock(), False, secret, mails=self.sends_mail)

    def withdraw(self, made: str) -> None:
        with self.app.app_context():
            patient_service.withdraw(made, self.clock())

    def deliver(self) -> int:
        """Deliver the mail that is due now."""
        with self.app.app_context():
            return delivery.deliver(Mailer.of(self.app))

    def mails(self) -> list[OutboxMail]:
        """Return the rows of the outbox, oldest first."""
        with self.app.app_context():
            found = list(db.session.scalars(select(OutboxMail).order_by(OutboxMail.posted_at, OutboxMail.kind)))
            db.session.expunge_all()
        return found

    def states(self) -> list[tuple[str, str, str | None]]:
        """Return type, state and error of each mail."""
        return [(mail.kind, mail.state, mail.error) for mail in self.mails()]
