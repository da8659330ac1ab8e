"""What select fields of forms offer."""

from collections.abc import Mapping

from flask_babel.speaklater import LazyString
from wtforms import SelectChoice


def select_choices(labels: Mapping[str, str | LazyString]) -> list[SelectChoice]:
    """Choices of a field: the value that is sent, and what it is called."""
    return [SelectChoice(value=value, label=label) for value, label in labels.items()]
