"""Findings of the doctor: what is wrong, and its fix."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flask_babel.speaklater import LazyString


class Severity(Enum):
    """The urgency of a finding; a ``NOTE`` needs no action."""

    NOW = "now"
    SOON = "soon"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One finding: ``what`` is wrong, ``step`` fixes it, with ``command`` if there is one. No personal data.

    The texts are lazy, since a cached finding is shown in either language.
    """

    severity: Severity
    what: LazyString
    step: LazyString
    command: str = ""

    @property
    def needs_action(self) -> bool:
        """Whether the finding needs action."""
        return self.severity is not Severity.NOTE

    @property
    def fix(self) -> str:
        """Step and command in one line."""
        return f"{self.step} {self.command}".strip()


@dataclass(frozen=True)
class CheckInputs:
    """The inputs of a check: all settings (see ``config``), and the time in seconds since 1970, UTC."""

    settings: dict[str, Any]
    now: float

    @property
    def serves_staff(self) -> bool:
        """Whether this machine serves the staff application, and so has its keys."""
        return "staff" in self.settings["SERVE"]


Check = Callable[[CheckInputs], Iterable[Finding]]
"""Yields findings about one subject. Any exception it raises becomes a finding."""
