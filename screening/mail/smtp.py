"""The way to the mail server: one connection a mail, certificate checked, and each failure told by one word."""

import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from screening.config import SettingsError
from screening.mail.rendering import message_id_domain

REFUSED, BUSY, UNREACHABLE, TIMEOUT = "refused", "busy", "unreachable", "timeout"
CERTIFICATE, SIGN_IN, UNWRITABLE, INTERRUPTED = "certificate", "sign-in", "unwritable", "interrupted"
"""Why a mail was not sent. They stand in the database and are put into words for staff."""

PERMANENT_ERRORS = 500
"""From this reply code on the server means: never (RFC 5321, section 4.2.1)."""

REQUIRED_SETTINGS = ("SITE_URL", "MAIL_FROM", "MAIL_TO_STAFF")


class MailError(Exception):
    """A mail was not accepted. ``lasting``: it will not be, however often it is tried."""

    def __init__(self, kind: str, lasting: bool = False) -> None:
        super().__init__(kind)
        self.kind, self.lasting = kind, lasting


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings with which no mail could be sent, or a password would go over an open line. SettingsError."""
    if not settings["MAIL_HOST"]:
        return
    for name in REQUIRED_SETTINGS:
        if not settings[name]:
            raise SettingsError(f"SCREENING_{name} is missing: with SCREENING_MAIL_HOST it must be set")
    if settings["MAIL_USER"] and settings["MAIL_TLS"] == "none":
        raise SettingsError("SCREENING_MAIL_TLS is 'none', but SCREENING_MAIL_USER needs starttls or tls")
    if bool(settings["MAIL_USER"]) != bool(settings["MAIL_PASSWORD_FILE"]):
        raise SettingsError("SCREENING_MAIL_USER and SCREENING_MAIL_PASSWORD_FILE go together")


def check_files(settings: Mapping[str, Any]) -> None:
    """Refuse a password or certificate file that cannot be read: what only the worker needs. Raises SettingsError."""
    for name in ("MAIL_PASSWORD_FILE", "MAIL_CA"):
        if settings["MAIL_HOST"] and settings[name] and not _readable(settings[name]):
            raise SettingsError(f"SCREENING_{name}: {settings[name].name} cannot be read")


class Session:
    """A connection that is ready for a message."""

    def __init__(self, line: smtplib.SMTP, sender: str) -> None:
        self._line, self._sender = line, sender

    def send(self, message: EmailMessage) -> None:
        """Hand a message over; when this returns, the server has accepted it. Raises MailError."""
        try:
            self._line.send_message(message, self._sender)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(min(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPSenderRefused as error:  # nothing wrong with this one mail: the settings may be mended
            raise MailError(REFUSED if error.smtp_code >= PERMANENT_ERRORS else BUSY) from error
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code) from error
        except smtplib.SMTPNotSupportedError as error:  # an address beyond ASCII, and a server that takes none
            raise MailError(REFUSED, lasting=True) from error
        except OSError as error:
            raise _broken(error) from error


@contextmanager
def session(settings: Mapping[str, Any]) -> Iterator[Session]:
    """A connection to the mail server of the settings. Raises MailError.

    What goes wrong with the farewell is nobody's concern: the message was accepted before.
    """
    line = _signed_in(settings)
    try:
        yield Session(line, settings["MAIL_FROM"])
    finally:
        with suppress(OSError):
            line.quit()
        line.close()


def _signed_in(settings: Mapping[str, Any]) -> smtplib.SMTP:
    try:
        line = _connected(settings)
    except (ssl.SSLError, smtplib.SMTPNotSupportedError) as error:
        raise MailError(CERTIFICATE) from error
    except OSError as error:  # those of smtplib among them
        raise _broken(error) from error
    if settings["MAIL_USER"]:
        try:
            _sign_in(line, settings["MAIL_USER"], settings["MAIL_PASSWORD_FILE"])
        except MailError:
            line.close()
            raise
    return line


def _sign_in(line: smtplib.SMTP, user: str, password: Path) -> None:
    try:
        line.login(user, password.read_text().strip())
    except (smtplib.SMTPServerDisconnected, TimeoutError) as error:
        raise _broken(error) from error
    except (OSError, UnicodeError) as error:  # refused by the server, or no password to be had
        raise MailError(SIGN_IN) from error


def _connected(settings: Mapping[str, Any]) -> smtplib.SMTP:
    """A connection, safe unless the settings say otherwise; without a safe one nothing of a mail goes out."""
    mode, ca = settings["MAIL_TLS"], settings["MAIL_CA"]
    place = (settings["MAIL_HOST"], settings["MAIL_PORT"])
    options = {"timeout": settings["MAIL_TIMEOUT"], "local_hostname": message_id_domain(settings["MAIL_FROM"])}
    if mode == "none":
        return smtplib.SMTP(*place, **options)
    trusted = ssl.create_default_context(cafile=ca)
    if mode == "tls":
        return smtplib.SMTP_SSL(*place, context=trusted, **options)
    line = smtplib.SMTP(*place, **options)
    try:
        line.starttls(context=trusted)
    except BaseException:
        line.close()
        raise
    return line


def _refusal(code: int) -> MailError:
    return MailError(REFUSED, lasting=True) if code >= PERMANENT_ERRORS else MailError(BUSY)


def _broken(error: OSError) -> MailError:
    """A connection that failed; smtplib hides a time-out behind "disconnected"."""
    late = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
    return MailError(TIMEOUT if late else UNREACHABLE)


def _readable(file: Path) -> bool:
    try:
        return bool(file.read_bytes())
    except OSError:
        return False
