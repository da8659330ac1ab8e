"""A message from one template: its first line is the subject, paragraphs become a plain and a small HTML part."""

from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from email_validator import validate_email
from flask import Flask

from screening.mail.types import Message


class Renderer:
    """Renders letters with the templates, languages and clinic of an application."""

    def __init__(self, app: Flask) -> None:
        self._app, self._clinic, self._crises = app, app.extensions["clinic"], app.extensions["crisis"]
        self._locales, self._from = app.extensions["locales"], app.config["SETTINGS"]["MAIL_FROM"]

    def render(self, letter: Message, mail_id: str, now: int) -> EmailMessage:
        """The message of a letter, in its language. Raises ValueError for an address that is none."""
        subject, parts, html = self._rendered(letter)
        message = EmailMessage(policy.SMTP)
        message["From"] = Address(self._clinic.mail_name, addr_spec=self._from)
        message["To"] = _in_ascii(letter.to)
        message["Subject"] = subject
        message["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
        message["Message-ID"] = f"<{mail_id}@{message_id_domain(self._from)}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
        message.set_content("\n\n".join(parts) + "\n")
        message.add_alternative(html, subtype="html")
        message["Content-Language"] = letter.language
        return message

    def _rendered(self, letter: Message) -> tuple[str, list[str], str]:
        """Subject, paragraphs and HTML. In a context of its own, since gettext reads the language of the context."""
        language = letter.language if letter.language in self._locales else self._locales[0]
        values = {"clinic": self._clinic, "crisis": self._crises[language], **letter.values}
        environment = self._app.jinja_env
        with self._app.app_context() as context:
            context.g.locale = language
            text = environment.get_template(f"mail/{letter.template}.txt").render(values)
            subject, *parts = [part.strip() for part in text.split("\n\n") if part.strip()]
            html = environment.get_template("mail/frame.html").render(subject=subject, parts=parts, language=language)
        return subject, parts, html


def message_id_domain(address: str) -> str:
    """What stands behind the @ of an address, in ASCII."""
    return _in_ascii(address).rpartition("@")[2]


def _in_ascii(address: str) -> str:
    """An address as every mail server takes it, where it can be written so."""
    parsed = validate_email(address, check_deliverability=False)
    return parsed.ascii_email or parsed.normalized
