"""Choices of select fields."""

from collections.abc import Mapping

from flask_babel.speaklater import LazyString
from wtforms import SelectChoice


def select_choices(labels: Mapping[str, str | LazyString]) -> list[SelectChoice]:
    """Return a field's choices from a mapping of the value that is sent to the label that is shown."""
    return [SelectChoice(value=value, label=label) for value, label in labels.items()]
