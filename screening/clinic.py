"""The clinic, read from one TOML file; ``clinic-demo.toml`` if there is none.

An invalid file refuses the startup with one line that names the field.
"""

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time
from itertools import pairwise
from pathlib import Path
from typing import Any
from unicodedata import category
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from screening.colors import contrast, mixed
from screening.config import SettingsError
from screening.public_holidays import public_holidays

DEMO = Path(__file__).with_name("clinic-demo.toml")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CONTRAST = 4.5
"""Least contrast of text and background: WCAG 2.2, success criterion 1.4.3 (AA)."""

WEB_ADDRESS = r"https://[A-Za-z0-9.-]+(/[^\s'\";,]*)?"

DAY_GROUNDS = {"paper": "#faf6ef", "surface": "#ffffff", "sand": "#f2eadc", "button text": "#ffffff"}
NIGHT_GROUNDS = {"paper": "#151a1a", "surface": "#1e2525", "sand": "#242b2a", "button text": "#0c2428"}
"""The colors next to which an accent is used, beside its own tint: tokens of ``static/src/_tokens.scss``."""

SHADES = {"tint": 0.12, "pale": 0.3, "mid": 0.65}
"""The share of the accent in the tokens made of it: chosen answers and cards, and the lighter parts of drawings."""


@dataclass(frozen=True)
class Accent:
    """The color of buttons and links in light (``day``) and dark (``night``) mode, as ``#rrggbb``."""

    day: str
    night: str

    @property
    def day_shades(self) -> dict[str, str]:
        """The tokens made of the color, for light mode."""
        return {name: mixed(self.day, DAY_GROUNDS["surface"], share) for name, share in SHADES.items()}

    @property
    def night_shades(self) -> dict[str, str]:
        """The tokens made of the color, for dark mode."""
        return {name: mixed(self.night, NIGHT_GROUNDS["paper"], share) for name, share in SHADES.items()}


@dataclass(frozen=True)
class Hours:
    """A day's business hours, in the clinic's time zone. ``pause``: start and end of a lunch break, if any."""

    opens: time
    closes: time
    pause: tuple[time, time] | None = None

    @property
    def ranges(self) -> tuple[tuple[time, time], ...]:
        """The one or two times from opening to closing."""
        if self.pause is None:
            return ((self.opens, self.closes),)
        return (self.opens, self.pause[0]), (self.pause[1], self.closes)


@dataclass(frozen=True)
class Clinic:
    """One clinic. ``hours`` has seven entries from Monday, None on closed days; ``phone`` is E.164."""

    demo: bool
    name: str
    phone: str
    phone_spoken: str
    address: str
    country: str
    time_zone: ZoneInfo
    hours: tuple[Hours | None, ...]
    holidays: tuple[tuple[date, str], ...]
    """Days without calls although their weekday has hours, by date: date, and name or an empty text."""

    accent: Accent
    neutral_site: str
    privacy_notice: str
    """URL of the notice of privacy practices (45 CFR 164.520); empty if there is none."""

    nondiscrimination_notice: str
    """URL of the nondiscrimination notice (45 CFR 92.10); empty if there is none."""

    language_help_notice: str
    """URL of the notice that language help and auxiliary aids are free (45 CFR 92.11); empty if there is none."""

    mail_name: str
    """The sender name of mails, best one that reveals nothing to others who see it."""

    security_contact: str
    """Where vulnerabilities are reported: an https, mailto or tel URI; default is the phone."""

    security_policy: str
    """URL of the clinic's disclosure policy; empty if there is none."""

    @property
    def neutral_origin(self) -> str:
        """Return the origin (scheme and host) of the neutral site, for the content security policy."""
        parts = urlsplit(self.neutral_site)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def holiday_dates(self) -> frozenset[date]:
        """Return the dates of the holidays."""
        return frozenset(day for day, _ in self.holidays)

    @property
    def week(self) -> tuple[tuple[int, int, Hours], ...]:
        """Return the business hours, equal days grouped: first weekday, last weekday (Monday is 0), hours."""
        runs: list[tuple[int, int, Hours]] = []
        for day, hours in enumerate(self.hours):
            if hours is None:
                continue
            if runs and runs[-1][1] == day - 1 and runs[-1][2] == hours:
                runs[-1] = (runs[-1][0], day, hours)
            else:
                runs.append((day, day, hours))
        return tuple(runs)


def load(path: Path) -> Clinic:
    """Read the clinic file, or the demo clinic's if it does not exist. Raises SettingsError naming file and field."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return load(DEMO)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path.name}: {error}") from error
    return _Reader(path.name, table).clinic()


class _Reader:
    """Parses one clinic file; one method per kind of field."""

    FIELDS = (
        *("demo", "name", "phone", "address", "country", "time_zone"),
        *("hours", "holidays", "closed_on", "open_on", "accent", "neutral_site", "mail_name"),
        *("privacy_notice", "nondiscrimination_notice", "language_help_notice"),
        *("security_contact", "security_policy"),
    )

    def __init__(self, file: str, table: dict[str, Any]) -> None:
        self.file = file
        self.table = table

    def fail(self, field: str, problem: str) -> SettingsError:
        return SettingsError(f"{self.file}: {field}: {problem}")

    def clinic(self) -> Clinic:
        for field in self.table:
            if field not in self.FIELDS:
                raise self.fail(field, "is not a field of the clinic file")
        country = self.text("country")
        if country not in phonenumbers.SUPPORTED_REGIONS:
            raise self.fail("country", "must be a two-letter country code, such as US")
        demo = self.table.get("demo", False)
        if not isinstance(demo, bool):
            raise self.fail("demo", "must be true or false")
        phone, phone_spoken = self.phone(country)
        name = self.text("name")
        return Clinic(
            demo=demo,
            name=name,
            phone=phone,
            phone_spoken=phone_spoken,
            address=self.text("address"),
            country=country,
            time_zone=self.time_zone(),
            hours=self.hours(),
            holidays=self.holidays(),
            accent=self.accent(),
            neutral_site=self.web_address("neutral_site"),
            privacy_notice=self.web_address("privacy_notice", required=False),
            nondiscrimination_notice=self.web_address("nondiscrimination_notice", required=False),
            language_help_notice=self.web_address("language_help_notice", required=False),
            mail_name=self.text("mail_name") if "mail_name" in self.table else name,
            security_contact=self.contact("security_contact") or f"tel:{phone}",
            security_policy=self.web_address("security_policy", required=False),
        )

    def text(self, field: str) -> str:
        value = self.table.get(field)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(field, "is missing, or not a text")
        if any(category(letter) in ("Cc", "Zl", "Zp") for letter in value.strip()):  # it would end a header of a mail
            raise self.fail(field, "must be one line, without line breaks and control characters")
        return value.strip()

    def phone(self, country: str) -> tuple[str, str]:
        try:
            number = phonenumbers.parse(self.text("phone"), country)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_possible_number(number):
            raise self.fail("phone", "must be a phone number, with its country code if it is abroad")
        formats = phonenumbers.PhoneNumberFormat
        spoken = phonenumbers.format_number(number, formats.NATIONAL).replace(" ", "\N{NO-BREAK SPACE}")
        return phonenumbers.format_number(number, formats.E164), spoken

    def time_zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.text("time_zone"))
        except (KeyError, ValueError, OSError):
            raise self.fail("time_zone", "must be a name such as America/Denver") from None

    def hours(self) -> tuple[Hours | None, ...]:
        table = self.table.get("hours")
        if not isinstance(table, dict) or not table:
            raise self.fail("hours", "must give at least one day's hours")
        for day in table:
            if day not in DAYS:
                raise self.fail(f"hours.{day}", f"is not one of {', '.join(DAYS)}")
        return tuple(self.day(day, table[day]) if day in table else None for day in DAYS)

    def day(self, day: str, value: object) -> Hours:
        try:
            opens, *pause, closes = (time.fromisoformat(text) for text in value)  # type: ignore[attr-defined]
        except (TypeError, ValueError):
            pause = [time()]
        if len(pause) not in (0, 2):
            problem = 'must be two times such as ["08:00", "17:00"], or four, ["08:00", "12:00", "13:00", "17:00"]'
            raise self.fail(f"hours.{day}", problem)
        times = [opens, *pause, closes]
        if any(first.tzinfo for first in times) or not all(first < then for first, then in pairwise(times)):
            raise self.fail(f"hours.{day}", "must open before it closes, and each time be later than the one before")
        return Hours(opens, closes, (pause[0], pause[1]) if pause else None)

    def holidays(self) -> tuple[tuple[date, str], ...]:
        value = self.table.get("holidays", [])
        try:
            named = public_holidays(value) if isinstance(value, str) else self.dates("holidays")
        except ValueError:
            raise self.fail("holidays", 'must be a country such as "US", or a list of dates') from None
        closed, opened = self.dates("closed_on"), self.dates("open_on")
        for day in sorted(closed.keys() & opened.keys()):
            raise self.fail("open_on", f"names {day}, which closed_on names, too")
        return tuple(sorted((day, name) for day, name in {**named, **closed}.items() if day not in opened))

    def dates(self, field: str) -> dict[date, str]:
        try:
            found = [text.strip().partition(" ") for text in self.table.get(field, [])]
            return {date.fromisoformat(day): name.strip() for day, _, name in found}
        except (AttributeError, TypeError, ValueError):
            problem = 'must be a list of dates such as "2026-12-25", or "2026-12-25 Christmas Day"'
            raise self.fail(field, problem) from None

    def accent(self) -> Accent:
        table = self.table.get("accent")
        if not isinstance(table, dict):
            raise self.fail("accent", "must give a color for day and one for night")
        for part in ("day", "night"):
            if not isinstance(table.get(part), str) or not re.fullmatch(r"#[0-9a-f]{6}", table[part]):
                raise self.fail(f"accent.{part}", "must be a color such as #0e525c")
        accent = Accent(table["day"], table["night"])
        for part, color, grounds in (
            ("day", accent.day, DAY_GROUNDS | {"its tint": accent.day_shades["tint"]}),
            ("night", accent.night, NIGHT_GROUNDS | {"its tint": accent.night_shades["tint"]}),
        ):
            for ground, other in grounds.items():
                ratio = contrast(color, other)
                if ratio < CONTRAST:
                    problem = f"{color} has a contrast of {ratio:.1f} with {ground}, less than {CONTRAST}"
                    raise self.fail(f"accent.{part}", problem)
        return accent

    def contact(self, field: str) -> str:
        """Return a URI of one of the schemes of RFC 9116, 2.5.3; empty if there is none."""
        value = self.table.get(field, "")
        text = value if isinstance(value, str) else "?"
        if text and not (_is_mailto(text) or re.fullmatch(rf"{WEB_ADDRESS}|tel:\+[0-9][0-9-]{{4,20}}", text)):
            raise self.fail(field, "must be an address such as mailto:security@clinic.example, https://… or tel:+1…")
        return text

    def web_address(self, field: str, required: bool = True) -> str:
        value = self.table.get(field, "")
        if value == "" and not required:
            return ""
        if not isinstance(value, str) or not re.fullmatch(WEB_ADDRESS, value):
            raise self.fail(field, "must be an address that starts with https://")
        return value


def _is_mailto(text: str) -> bool:
    kind, _, address = text.partition(":")
    with suppress(EmailNotValidError):
        return kind == "mailto" and validate_email(address, check_deliverability=False).ascii_email == address
    return False
