"""A message from one template: its first line is the subject, paragraphs become a plain and a small HTML part."""

from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from email_validator import validate_email
from flask import current_app, g

from screening import current
from screening.mail.types import Message


def render(letter: Message, mail_id: str) -> EmailMessage:
    """The message of a letter, in its language. Raises ValueError for an address that is none."""
    settings, clinic = current.settings(), current.clinic()
    subject, parts, html = _rendered(letter)
    message = EmailMessage(policy.SMTP)
    message["From"] = Address(clinic.mail_name, addr_spec=settings["MAIL_FROM"])
    message["To"] = _in_ascii(letter.to)
    message["Subject"] = subject
    message["Date"] = format_datetime(datetime.fromtimestamp(current.now(), UTC))
    message["Message-ID"] = f"<{mail_id}@{message_id_domain(settings['MAIL_FROM'])}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
    message.set_content("\n\n".join(parts) + "\n")
    message.add_alternative(html, subtype="html")
    message["Content-Language"] = letter.language
    return message


def message_id_domain(address: str) -> str:
    """What stands behind the @ of an address, in ASCII."""
    return _in_ascii(address).rpartition("@")[2]


def _rendered(letter: Message) -> tuple[str, list[str], str]:
    """Subject, paragraphs and HTML. In a context of its own, since a context speaks one language."""
    with current_app._get_current_object().app_context():  # type: ignore[attr-defined]
        locales = current_app.extensions["locales"]
        g.locale = letter.language if letter.language in locales else locales[0]
        known = {"clinic": current.clinic(), "crisis": current_app.extensions["crisis"][g.locale], **letter.values}
        environment = current_app.jinja_env
        text = environment.get_template(f"mail/{letter.template}.txt").render(known)
        subject, *parts = [part.strip() for part in text.split("\n\n") if part.strip()]
        html = environment.get_template("mail/frame.html").render(subject=subject, parts=parts, language=g.locale)
    return subject, parts, html


def _in_ascii(address: str) -> str:
    """An address as every mail server takes it, where it can be written so."""
    parsed = validate_email(address, check_deliverability=False)
    return parsed.ascii_email or parsed.normalized
