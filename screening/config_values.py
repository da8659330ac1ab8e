"""Settings of more than one part: expert determination, and waits between calls."""

from dataclasses import dataclass
from datetime import date

RETRY_OUTCOMES = ("busy", "no_answer", "voicemail", "wrong_number", "email_sent")
"""Outcomes of a call or an e-mail after which the next call waits (``callbacks.workflow.EFFECTS``)."""


def retry_minutes(text: str) -> dict[str, int]:
    """Return the minutes by outcome. Raises ValueError."""
    given = dict(part.strip().partition("=")[::2] for part in text.split(","))
    if set(given) != set(RETRY_OUTCOMES) or not all(minutes.isdecimal() for minutes in given.values()):
        raise ValueError(f"takes minutes for each of {', '.join(RETRY_OUTCOMES)}, such as busy=30,no_answer=180,…")
    return {outcome: int(minutes) for outcome, minutes in given.items()}


@dataclass(frozen=True)
class Determination:
    """An expert determination (45 CFR 164.514(b)(1)), which allows releases to state months: its date and expert."""

    day: date
    by: str


def determination(text: str) -> Determination | None:
    """Return the determination of a text, None for an empty one. Raises ValueError."""
    if not text:
        return None
    day, _, by = text.partition(" ")
    try:
        found = Determination(date.fromisoformat(day), by.strip())
    except ValueError:
        found = None
    if found is None or not found.by:
        raise ValueError("takes a date and the expert's name, such as 2026-10-01 Name of the expert")
    return found
