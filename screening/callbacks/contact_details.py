"""Contact details: everything in a request that is stored encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import phonenumbers

from screening.callbacks.business_hours import PartOfDay, PreferredTimes


@dataclass(frozen=True)
class ContactDetails:
    """The fields of one request. Phone numbers are E.164, with ``;ext=`` before an extension.

    ``say``: the name to ask for on the phone, if it is another. ``patient``: new, existing or empty. ``assistance``:
    interpreter or relay call.
    ``answers``: question ids and codes of a shared summary, of the questionnaire's ``version``; None if none is shared.
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
    words: str = field(default="", compare=False)
    """The two words that staff say first on the phone. Set when the request is stored."""

    @property
    def preferred_times(self) -> PreferredTimes:
        """The preferred times of a call."""
        return PreferredTimes(frozenset(self.days), frozenset(PartOfDay(part) for part in self.parts))

    @property
    def ask_for(self) -> str:
        """The name to ask for on the phone."""
        return self.guardian if self.minor else self.say or self.name

    @property
    def call(self) -> str:
        """The number to call; for patients under 18, that of the parent or guardian."""
        return self.guardian_phone if self.minor else self.phone

    @property
    def write_to(self) -> str:
        """The e-mail address to write to; empty if a call was chosen, or the patient is under 18."""
        return self.email if self.reach_by == "email" and not self.minor else ""

    @property
    def contacts(self) -> tuple[str, ...]:
        """Every phone number and e-mail address, without extension and in lower case, to find duplicates by."""
        return tuple(sorted({c.partition(";")[0].lower() for c in (self.phone, self.email, self.guardian_phone) if c}))

    def stored(self) -> dict[str, Any]:
        """Return the fields, without the summary's, for encoding as JSON."""
        return {name: value for name, value in asdict(self).items() if name not in ("answers", "version")}

    def shared(self) -> dict[str, Any]:
        """Return the fields of the shared summary, for encoding as JSON."""
        return {"answers": self.answers, "version": self.version}

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> ContactDetails:
        """Return the details from decoded JSON. Missing optional fields are None. Raises TypeError and KeyError."""
        known = {each.name: stored[each.name] for each in fields(cls) if each.name in stored}
        return cls(**{**known, "days": tuple(known["days"]), "parts": tuple(known["parts"])})


def group_digits(phone: str, country: str) -> str:
    """Return a stored phone number formatted for reading: national format for ``country``, else international."""
    if not phone:
        return ""
    number = phonenumbers.parse(phone.replace(";ext=", " ext. "), country)
    home = phonenumbers.region_code_for_country_code(number.country_code or 0) == country
    formats = phonenumbers.PhoneNumberFormat
    return phonenumbers.format_number(number, formats.NATIONAL if home else formats.INTERNATIONAL)
