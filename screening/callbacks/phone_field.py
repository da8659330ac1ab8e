"""A form field for a phone number, which asks back where the number may be mistyped or of another country."""

import re
from typing import Any

from flask_babel import get_locale, lazy_gettext
from wtforms import StringField, ValidationError
from wtforms.utils import unset_value

from screening.callbacks import phone_numbers
from screening.callbacks.contact_details import group_digits
from screening.callbacks.phone_numbers import Fault, PhoneNumberError, Reading, UnconfirmedError
from screening.web.form_fields import MaxLength
from screening.web.typed_text import single_line

MAX_PHONE = 100

PHONE = lazy_gettext("Check the phone number. It should look like %(example)s")
FAULTS = {
    Fault.MALFORMED: PHONE,
    Fault.NOT_UNDERSTOOD: lazy_gettext("We did not understand “%(part)s”. Please give one phone number and no words"),
    Fault.FROM_ABROAD: lazy_gettext(
        "Check the phone number. If it is from another country, start with +, such as %(part)s"
    ),
    Fault.NO_AREA_CODE: lazy_gettext("Please add the area code. The phone number should look like %(example)s"),
    Fault.PREMIUM: lazy_gettext("It costs extra to call this phone number. Please give a different one"),
}
CONFIRM = lazy_gettext("Is %(number)s right? Check the box below, or change the number")
PICK_COUNTRY = lazy_gettext("Which country is this phone number from?")
CONFIRMED = lazy_gettext("Yes, %(number)s is right")
FROM_COUNTRY = lazy_gettext("%(country)s: %(number)s")

NEVER_BROKEN = str.maketrans({" ": "\N{NO-BREAK SPACE}", "-": "\N{NON-BREAKING HYPHEN}"})
AGREED = re.compile(r"\+\d{7,15}(;ext=\d{1,9})?")


class PhoneField(StringField):
    """A phone number. ``agreed`` is the number that the person confirmed, sent in a second field ``agreed_name``.

    After ``read`` failed, ``options`` holds the numbers to choose from, with their labels.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, filters=[single_line], validators=[MaxLength(MAX_PHONE)], **options)
        self.agreed_name = f"{self.name}_agreed"
        self.agreed = ""
        self.options: tuple[tuple[str, str], ...] = ()

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        """Read both fields."""
        super().process(formdata, data, extra_filters)
        sent = formdata.getlist(self.agreed_name) if formdata else []
        self.agreed = next(filter(AGREED.fullmatch, sent), "")

    def read(self, country: str, language: str) -> str:
        """Return the number, for a clinic in ``country``, as E.164 with its extension. Raises ValidationError."""
        self.options = ()
        try:
            return phone_numbers.read(self.data, country, language, self.agreed)
        except PhoneNumberError as error:
            part = error.part or phone_numbers.ANOTHER_COUNTRY
            raise ValidationError(
                FAULTS[error.fault] % {"part": part, "example": phone_numbers.example(country)}
            ) from None
        except UnconfirmedError as error:
            self.options = tuple(
                (reading.number, _label(reading, error.readings, country)) for reading in error.readings
            )
            if len(error.readings) > 1:
                raise ValidationError(PICK_COUNTRY) from None
            raise ValidationError(CONFIRM % {"number": group_digits(error.readings[0].number, country)}) from None


def _label(reading: Reading, readings: tuple[Reading, ...], country: str) -> str:
    spoken = group_digits(reading.number, country).translate(NEVER_BROKEN)
    if len(readings) == 1:
        return str(CONFIRMED % {"number": spoken})
    name = get_locale().territories.get(reading.country, reading.country)
    return str(FROM_COUNTRY % {"country": name, "number": spoken})
