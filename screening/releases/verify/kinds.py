"""Checks of single values of a manifest."""

import re
from collections.abc import Callable
from typing import Any

Kind = Callable[[Any], bool]


def text(pattern: str) -> Kind:
    """Return a check for a text that matches the pattern."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def whole(value: object) -> bool:
    """Return whether a value is a whole number from 0."""
    return type(value) is int and value >= 0


def amount(value: object) -> bool:
    """Return whether a value is a number from 0."""
    return type(value) in (int, float) and float(str(value)) >= 0


def fraction(value: object) -> bool:
    """Return whether a value is a share, 0 to 1."""
    return amount(value) and float(str(value)) <= 1


def percentage(value: object) -> bool:
    """Return whether a value is a whole percentage, 0 to 100."""
    return whole(value) and int(str(value)) <= 100


def rounded(value: object) -> bool:
    """Return whether a value is a share rounded to four places."""
    return fraction(value) and round(float(str(value)), 4) == value
