"""SMTP client: one connection per mail, verified certificate, and one constant per kind of failure."""

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
NOT_ASCII = "not-ascii"
"""Why a mail was not sent. Stored in the database; ``views.REASONS`` has the text for staff."""

PERMANENT_ERRORS = 500
"""Reply codes from here on are permanent failures (RFC 5321, section 4.2.1)."""

REQUIRED_SETTINGS = ("SITE_URL", "MAIL_FROM", "MAIL_TO_STAFF")


class MailError(Exception):
    """A mail was not accepted. ``lasting``: a permanent failure, not worth a retry."""

    def __init__(self, kind: str, lasting: bool = False) -> None:
        super().__init__(kind)
        self.kind, self.lasting = kind, lasting


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise SettingsError if no mail could be sent, or a password would be sent unencrypted."""
    if not settings["MAIL_HOST"]:
        return
    for name in REQUIRED_SETTINGS:
        if not settings[name]:
            raise SettingsError(f"SCREENING_{name} is missing: with SCREENING_MAIL_HOST it must be set")
    if settings["MAIL_USER"] and settings["MAIL_TLS"] == "none":
        raise SettingsError("SCREENING_MAIL_TLS is 'none', but SCREENING_MAIL_USER needs starttls or tls")
    if bool(settings["MAIL_USER"]) != bool(settings["MAIL_PASSWORD_FILE"]):
        raise SettingsError("SCREENING_MAIL_USER and SCREENING_MAIL_PASSWORD_FILE must be set together")


def check_files(settings: Mapping[str, Any]) -> None:
    """Raise SettingsError if the password or certificate file, which only the worker needs, cannot be read."""
    for name in ("MAIL_PASSWORD_FILE", "MAIL_CA"):
        if settings["MAIL_HOST"] and settings[name] and not _readable(settings[name]):
            raise SettingsError(f"SCREENING_{name}: {settings[name].name} cannot be read")


class Session:
    """A connection to the mail server, signed in and ready to send."""

    def __init__(self, connection: smtplib.SMTP, sender: str) -> None:
        self._connection, self._sender = connection, sender

    def send(self, message: EmailMessage) -> None:
        """Send a message. When this returns, the server has accepted it. Raises MailError."""
        try:
            self._connection.send_message(message, self._sender)
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(min(code for code, _ in error.recipients.values())) from error
        except smtplib.SMTPSenderRefused as error:  # not lasting: the settings are at fault, not this mail
            raise MailError(REFUSED if error.smtp_code >= PERMANENT_ERRORS else BUSY) from error
        except smtplib.SMTPResponseException as error:
            raise _refusal(error.smtp_code) from error
        except smtplib.SMTPNotSupportedError as error:  # an address beyond ASCII, which the server does not support
            raise MailError(NOT_ASCII, lasting=True) from error
        except OSError as error:
            raise _broken(error) from error


@contextmanager
def session(settings: Mapping[str, Any]) -> Iterator[Session]:
    """Yield a connection to the mail server. Raises MailError.

    Errors of QUIT are ignored, since the message was accepted before.
    """
    connection = _signed_in(settings)
    try:
        yield Session(connection, settings["MAIL_FROM"])
    finally:
        with suppress(OSError):
            connection.quit()
        connection.close()


def _signed_in(settings: Mapping[str, Any]) -> smtplib.SMTP:
    try:
        connection = _connected(settings)
    except (ssl.SSLError, smtplib.SMTPNotSupportedError) as error:
        raise MailError(CERTIFICATE) from error
    except OSError as error:  # smtplib's errors are OSErrors, too
        raise _broken(error) from error
    if settings["MAIL_USER"]:
        try:
            _sign_in(connection, settings["MAIL_USER"], settings["MAIL_PASSWORD_FILE"])
        except MailError:
            connection.close()
            raise
    return connection


def _sign_in(connection: smtplib.SMTP, user: str, password: Path) -> None:
    try:
        connection.login(user, password.read_text().strip())
    except (smtplib.SMTPServerDisconnected, TimeoutError) as error:
        raise _broken(error) from error
    except (OSError, UnicodeError) as error:  # refused by the server, or the password file cannot be read
        raise MailError(SIGN_IN) from error


def _connected(settings: Mapping[str, Any]) -> smtplib.SMTP:
    """Return a connection, with TLS unless ``MAIL_TLS`` is "none"; if TLS fails, nothing is sent."""
    mode, ca = settings["MAIL_TLS"], settings["MAIL_CA"]
    address = (settings["MAIL_HOST"], settings["MAIL_PORT"])
    options = {"timeout": settings["MAIL_TIMEOUT"], "local_hostname": message_id_domain(settings["MAIL_FROM"])}
    if mode == "none":
        return smtplib.SMTP(*address, **options)
    context = ssl.create_default_context(cafile=ca)
    if mode == "tls":
        return smtplib.SMTP_SSL(*address, context=context, **options)
    connection = smtplib.SMTP(*address, **options)
    try:
        connection.starttls(context=context)
    except BaseException:
        connection.close()
        raise
    return connection


def _refusal(code: int) -> MailError:
    return MailError(REFUSED, lasting=True) if code >= PERMANENT_ERRORS else MailError(BUSY)


def _broken(error: OSError) -> MailError:
    """Return the error of a failed connection; smtplib reports a timeout as a disconnection."""
    timed_out = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
    return MailError(TIMEOUT if timed_out else UNREACHABLE)


def _readable(file: Path) -> bool:
    try:
        return bool(file.read_bytes())
    except OSError:
        return False
