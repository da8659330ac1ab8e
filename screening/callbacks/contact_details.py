"""What a patient asks for: everything that is sealed of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import phonenumbers

from screening.callbacks.business_hours import PartOfDay, PreferredTimes


@dataclass(frozen=True)
class ContactDetails:
    """One request as it was sent. Phones are E.164, with ``;ext=`` where there is an extension.

    ``answers`` are those of a shared summary, question id to code, of the questionnaire's
    ``version``; None when none was shared.
    """

    name: str
    say: str
    patient: str
    language: str
    assistance: str
    phone: str
    email: str
    reach_by: str
    days: tuple[int, ...]
    parts: tuple[str, ...]
    voicemail: bool
    minor: bool
    guardian: str
    guardian_phone: str
    message: str
    news: bool
    answers: Mapping[str, str] | None = None
    version: int | None = None

    @property
    def wish(self) -> PreferredTimes:
        """When it suits to be called."""
        return PreferredTimes(frozenset(self.days), frozenset(PartOfDay(part) for part in self.parts))

    @property
    def ask_for(self) -> str:
        """The name a caller says."""
        return self.guardian if self.minor else self.say or self.name

    @property
    def call(self) -> str:
        """The number to call: for someone under 18, the parent's or guardian's."""
        return self.guardian_phone if self.minor else self.phone

    @property
    def write_to(self) -> str:
        """The address to write to; empty for who chose a call, and under 18, where a parent or guardian is called."""
        return self.email if self.reach_by == "email" and not self.minor else ""

    @property
    def contacts(self) -> tuple[str, ...]:
        """Every number and address by which the same person may be known again."""
        return tuple(sorted({c.partition(";")[0].lower() for c in (self.phone, self.email, self.guardian_phone) if c}))

    def stored(self) -> dict[str, Any]:
        """As JSON can hold it, without the summary."""
        return {name: value for name, value in asdict(self).items() if name not in ("answers", "version")}

    def shared(self) -> dict[str, Any]:
        """The shared summary, as JSON can hold it."""
        return {"answers": self.answers, "version": self.version}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> ContactDetails:
        """Back from JSON. What an older version did not have is empty. Raises TypeError for what it cannot be."""
        known = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
        return cls(**{**known, "days": tuple(known["days"]), "parts": tuple(known["parts"])})


def group_digits(phone: str, country: str) -> str:
    """A stored phone number as people write it: in the national way at home, with its country code abroad."""
    if not phone:
        return ""
    number = phonenumbers.parse(phone.replace(";ext=", " ext. "), country)
    home = phonenumbers.region_code_for_country_code(number.country_code or 0) == country
    formats = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(number, formats.NATIONAL if home else formats.INTERNATIONAL)
