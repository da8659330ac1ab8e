"""Every setting: name, default and meaning.

Read from ``SCREENING_<NAME>``, else ``instance/settings.toml``, else the default. An unknown name refuses the startup.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import limits

from screening.config_values import determination, retry_minutes
from screening.email_address import normalize_email
from screening.questionnaires.loader import LIBRARY

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "SCREENING_"
MIN_GROUP_SIZE_FLOOR = 5
"""The lowest value of ``MIN_GROUP_SIZE``. Its default, 11, follows CMS, which suppresses cells of 1 to 10."""

MOST_ALONE_PERCENT = 50
"""The highest value of ``MAX_ALONE_PERCENT``."""

MIN_AUDIT_DAYS = 366
"""A database trigger refuses to delete audit events within a year."""

APPLICATIONS = ("visitor", "staff")
TLS_MODES = ("starttls", "tls", "none")
LOG_FORMATS = ("text", "json")
MAX_PORT = 65535
MAX_TIMEOUT = 60
"""Seconds. A mail takes a dozen answers of the mail server, and the worker's claim ends after 15 minutes."""


class SettingsError(ValueError):
    """A setting, key file or clinic file is invalid. The message says what to change."""


def _surfaces(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(_names(text)))
    if not names or not set(names) <= set(APPLICATIONS):
        raise ValueError(f"takes one or both of {', '.join(APPLICATIONS)}")
    return names


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _hosts(text: str) -> tuple[str, ...]:
    names = _names(text.lower())
    if not names or not all(re.fullmatch(r"\.?[\w.-]+(:\d+)?|\[?[0-9a-f:]+\]?", name) for name in names):
        raise ValueError("takes host names such as check.clinic.example, without https:// and path")
    return names


def _flag(text: str) -> bool:
    try:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    except KeyError:
        raise ValueError("takes true or false") from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("takes a whole number from 0")
    return int(text)


def _at_least(floor: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        count = _count(text)
        if count < floor:
            raise ValueError(f"must be at least {floor}")
        return count

    return parse


def _limit(text: str) -> str:
    try:
        limits.parse_many(text)
    except ValueError:
        raise ValueError("takes a rate such as 120 per minute") from None
    return text


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _path_if_any(text: str) -> Path | None:
    return _path(text) if text else None


def _within(low: int, high: int, unit: str) -> Callable[[str], int]:
    def parse(text: str) -> int:
        count = _count(text)
        if not low <= count <= high:
            raise ValueError(f"takes {unit} from {low} to {high}")
        return count

    return parse


_port = _within(1, MAX_PORT, "a port")


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"takes one of {', '.join(choices)}")
        return text

    return parse


def _listener(text: str) -> tuple[str, int] | None:
    host, _, port = text.rpartition(":")
    if text and not host:
        raise ValueError("takes an address and port such as 127.0.0.1:9109")
    return (host, _port(port)) if text else None


def _address(text: str) -> str:
    try:
        return normalize_email(text) if text else ""
    except ValueError:
        raise ValueError("takes one e-mail address such as team@clinic.example") from None


def _origin(text: str) -> str:
    if text and not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d+)?(/[A-Za-z0-9._~/-]*)?", text):
        raise ValueError("takes an address such as https://check.clinic.example")
    return text.rstrip("/")


@dataclass(frozen=True)
class Setting:
    """One setting. ``parse`` converts its text to a value; its ValueError says which values are valid."""

    name: str
    default: str
    parse: Callable[[str], Any]
    meaning: str


SETTINGS = (
    Setting("SERVE", "visitor,staff", _surfaces, "which of `visitor` and `staff` this process serves"),
    Setting("DATABASE_URL", "", str, "`postgresql://user:password@host/name`; empty: two SQLite files in `instance/`"),
    Setting("HTTPS", "false", _flag, "true behind https: `__Host-` cookies, HSTS. Set it on every public site"),
    Setting(
        "ALLOWED_HOSTS",
        "localhost,127.0.0.1",
        _hosts,
        "host names the site answers to; `.example.org` includes subdomains",
    ),
    Setting("TRUSTED_PROXY_COUNT", "0", _count, "number of your reverse proxies in front, which set `X-Forwarded-*`"),
    Setting(
        "FRAME_ANCESTORS", "", _names, "origins that may show the site in a frame, such as `https://clinic.example`"
    ),
    Setting("KEYS_DIR", "instance/keys", _path, "folder of the key files"),
    Setting(
        "CLINIC_FILE", "instance/clinic.toml", _path, "the clinic file; if it does not exist, the demo clinic is shown"
    ),
    Setting("QUESTIONNAIRE_FILE", str(LIBRARY / "warning_signs.toml"), _path, "the questionnaire definition"),
    Setting(
        "MIN_GROUP_SIZE",
        "11",
        _at_least(MIN_GROUP_SIZE_FLOOR),
        "k: fewest responses that are shuffled together, and fewest rows of a group in a release; at least 5",
    ),
    Setting(
        "HIERARCHIES_FILE",
        "screening/releases/hierarchies.toml",
        _path,
        "generalization hierarchies of age and length of pain",
    ),
    Setting(
        "EXPERT_DETERMINATION",
        "",
        determination,
        "date and expert of a determination that releases may state months; without one they state years",
    ),
    Setting(
        "MAX_ALONE_PERCENT",
        "20",
        _within(1, MOST_ALONE_PERCENT, "a percentage"),
        "rows of `signs` that may stand alone in the measured attack; above it a release needs a confirmation",
    ),
    Setting("CLOSED_REQUEST_RETENTION_DAYS", "30", _at_least(1), "days for which a closed call-back request is stored"),
    Setting(
        "AUDIT_RETENTION_DAYS",
        "730",
        _at_least(MIN_AUDIT_DAYS),
        f"days for which audit events are stored; at least {MIN_AUDIT_DAYS}",
    ),
    Setting(
        "RETRY_MINUTES",
        "busy=30,no_answer=180,voicemail=1440,wrong_number=1440,email_sent=4320",
        retry_minutes,
        "minutes until a patient may be called again, by the outcome of the last call or e-mail",
    ),
    Setting("MAX_ATTEMPTS", "4", _at_least(1), "calls without success after which staff are offered other ways"),
    Setting("DUE_SOON_MINUTES", "60", _count, "minutes before the due time at which staff get a mail; 0: none"),
    Setting("RATE_LIMIT_FORMS", "120 per minute", _limit, "forms that one client network may send"),
    Setting("RATE_LIMIT_REQUESTS", "10 per 5 minutes", _limit, "call-back requests that one client network may send"),
    Setting("RATE_LIMIT_LOOKUPS", "20 per 5 minutes", _limit, "references that one client network may look up"),
    Setting("RATE_LIMIT_SIGN_INS", "30 per minute", _limit, "staff passwords that one client network may try"),
    Setting("RATE_LIMIT_MAILS", "5 per day", _limit, "mails about call-back requests to one email address"),
    Setting(
        "RATE_LIMIT_STORAGE_URL",
        "memory://",
        str,
        "storage of the rate limits; `memory://` counts in each process separately",
    ),
    Setting("STAFF_SECOND_FACTOR", "true", _flag, "whether staff need an authenticator app; false only for a demo"),
    Setting("STAFF_IDLE_MINUTES", "15", _within(5, 60, "minutes"), "minutes without a click that end a staff session"),
    Setting("SITE_URL", "", _origin, "URL of the site, for links in mails: `https://check.clinic.example`"),
    Setting("STAFF_URL", "", _origin, "URL of the staff pages; empty: `/staff` under `SCREENING_SITE_URL`"),
    Setting("MAIL_HOST", "", str, "host name of the mail server; empty: no mail is sent"),
    Setting("MAIL_PORT", "587", _port, "port of the mail server: usually 587 with `starttls`, 465 with `tls`"),
    Setting(
        "MAIL_TLS",
        "starttls",
        _one_of(TLS_MODES),
        "`starttls`, `tls` (from the first byte), or `none` (on this machine only)",
    ),
    Setting("MAIL_CA", "", _path_if_any, "file of trusted CA certificates; empty: those of the system"),
    Setting("MAIL_USER", "", str, "user name at the mail server; empty: no sign-in"),
    Setting("MAIL_PASSWORD_FILE", "", _path_if_any, "file that contains only the password"),
    Setting("MAIL_FROM", "", _address, "sender address of mails"),
    Setting("MAIL_TO_STAFF", "", _address, "address of the staff, who are notified of new requests"),
    Setting("MAIL_TO_LEAD", "", _address, "address for mails about overdue requests; empty: `SCREENING_MAIL_TO_STAFF`"),
    Setting("LOG_FORMAT", "text", _one_of(LOG_FORMATS), "format of the log: `text` or `json`"),
    Setting(
        "METRICS_ADDRESS",
        "",
        _listener,
        "address and port of the Prometheus metrics, such as `127.0.0.1:9109`; empty: no metrics",
    ),
    Setting(
        "MAIL_TIMEOUT",
        "20",
        _within(1, MAX_TIMEOUT, "seconds"),
        "timeout of each answer of the mail server, in seconds",
    ),
)


def read_settings(
    overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return all settings as ``{name: value}``; ``overrides`` (parsed values) take precedence, for tests.

    Relative paths are relative to the project's folder. Raises SettingsError.
    """
    environ = os.environ if environ is None else environ
    texts = _file(ROOT / "instance" / "settings.toml")
    texts |= {name.removeprefix(PREFIX): text for name, text in environ.items() if name.startswith(PREFIX)}
    known = [setting.name for setting in SETTINGS]
    for name in texts:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            raise SettingsError(f"{PREFIX}{name} is not a setting{hint}")
    values = {setting.name: _value(setting, texts.get(setting.name, setting.default)) for setting in SETTINGS}
    values.update(overrides or {})
    return {name: ROOT / value if isinstance(value, Path) else value for name, value in values.items()}


def _value(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{setting.name} is {text!r}, but it {error}") from error


def _file(path: Path) -> dict[str, str]:
    """Return the settings file's values as texts by upper-case name; lists are joined with commas."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path.name}: {error}") from error
    return {name.upper(): _text(value) for name, value in table.items()}


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
