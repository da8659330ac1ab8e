"""What the doctor may find: something that is not as it should be, and what mends it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flask_babel.speaklater import LazyString


class Severity(Enum):
    """How much it presses: somebody must see to it now, or soon; or it is only good to know."""

    NOW = "now"
    SOON = "soon"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing. ``what`` is wrong, ``step`` mends it, by ``command`` where there is one. Nothing personal.

    The texts are lazy: a finding is kept for a while and read in either language.
    """

    severity: Severity
    what: LazyString
    step: LazyString
    command: str = ""

    @property
    def needs_action(self) -> bool:
        """Whether a person must do something."""
        return self.severity is not Severity.NOTE

    @property
    def fix(self) -> str:
        """Step and command in one line."""
        return f"{self.step} {self.command}".strip()


@dataclass(frozen=True)
class CheckInputs:
    """What a check goes by: every setting (see ``config``), and the time in seconds since 1970, UTC."""

    settings: dict[str, Any]
    now: float

    @property
    def serves_staff(self) -> bool:
        """Whether this machine has the staff's side, and so its keys."""
        return "staff" in self.settings["SERVE"]


Check = Callable[[CheckInputs], Iterable[Finding]]
"""Looks at one thing. May raise whatever it meets: that becomes a finding of its own."""
