"""Renders a mail from one text template: the first line is the subject, paragraphs become a plain and an HTML part."""

from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from email_validator import validate_email
from flask import Flask

from screening.mail.types import Message


class Renderer:
    """Renders mails with the templates, languages and clinic of an application."""

    def __init__(self, app: Flask) -> None:
        self._app, self._clinic, self._crises = app, app.extensions["clinic"], app.extensions["crisis"]
        self._locales, self._from = app.extensions["locales"], app.config["SETTINGS"]["MAIL_FROM"]

    def render(self, composed: Message, mail_id: str, now: int) -> EmailMessage:
        """Return the e-mail, in the message's language. Raises ValueError for an invalid address."""
        subject, parts, html = self._rendered(composed)
        message = EmailMessage(policy.SMTP)
        message["From"] = Address(self._clinic.mail_name, addr_spec=self._from)
        message["To"] = _in_ascii(composed.to)
        message["Subject"] = subject
        message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        message["Message-ID"] = f"<{mail_id}@{message_id_domain(self._from)}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses automatic replies
        message.set_content("\n\n".join(parts) + "\n")
        message.add_alternative(html, subtype="html")
        message["Content-Language"] = composed.language
        return message

    def _rendered(self, composed: Message) -> tuple[str, list[str], str]:
        """Return subject, paragraphs and HTML. Pushes an application context, which sets the language of gettext."""
        language = composed.language if composed.language in self._locales else self._locales[0]
        values = {"clinic": self._clinic, "crisis": self._crises[language], **composed.values}
        environment = self._app.jinja_env
        with self._app.app_context() as context:
            context.g.locale = language
            text = environment.get_template(f"mail/{composed.template}.txt").render(values)
            subject, *parts = [part.strip() for part in text.split("\n\n") if part.strip()]
            html = environment.get_template("mail/frame.html").render(subject=subject, parts=parts, language=language)
        return subject, parts, html


def message_id_domain(address: str) -> str:
    """Return the domain of an e-mail address, in ASCII."""
    return _in_ascii(address).rpartition("@")[2]


def _in_ascii(address: str) -> str:
    """Return an address in ASCII (punycode domain) if it has such a form, else as it is."""
    parsed = validate_email(address, check_deliverability=False)
    return parsed.ascii_email or parsed.normalized
