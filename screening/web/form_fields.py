"""Choices of select fields, and the maximum length of text fields."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from wtforms import Field, SelectChoice
from wtforms.validators import StopValidation

TOO_LONG = lazy_gettext("Please make this shorter: %(most)s characters at most, and now there are %(count)s")


class MaxLength:
    """A validator: at most ``most`` characters (Unicode code points, after cleaning). Skips the later validators.

    Pages have no ``maxlength``, because browsers truncate pasted text without a word.
    """

    def __init__(self, most: int):
        self.most = most

    def __call__(self, form: Any, field: Field) -> None:
        """Raise StopValidation with the count for a longer text."""
        count = len(field.data or "")
        if count > self.most:
            raise StopValidation(TOO_LONG % {"most": self.most, "count": count})


def select_choices(labels: Mapping[str, str | LazyString]) -> list[SelectChoice]:
    """Return a field's choices from a mapping of the value that is sent to the label that is shown."""
    return [SelectChoice(value=value, label=label) for value, label in labels.items()]
