"""An iCalendar file (RFC 5545) with one appointment. Pure.

Times are UTC, so they are right on every device and across clock changes without a time zone definition.
"""

from datetime import UTC, datetime, timedelta

MEDIA_TYPE = "text/calendar"

LINE_BYTES = 75
"""Octets of a line without its break; longer ones are folded."""


def calendar_file(uid: str, title: str, starts: int, minutes: int, revision: int, now: float) -> bytes:
    """Return the file. Times are in seconds since 1970, UTC.

    A file with the same ``uid`` and a higher ``revision`` replaces the appointment in a calendar.
    """
    begins = datetime.fromtimestamp(starts, UTC)
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//screening//appointment//EN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"SEQUENCE:{revision}",
        f"DTSTAMP:{_utc(datetime.fromtimestamp(int(now), UTC))}",
        f"DTSTART:{_utc(begins)}",
        f"DTEND:{_utc(begins + timedelta(minutes=minutes))}",
        f"SUMMARY:{_escaped(title)}",
        "CLASS:PRIVATE",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return b"".join(_folded(line) for line in lines)


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return "\\n".join(escaped.splitlines())


def _folded(line: str) -> bytes:
    """Return a line in UTF-8 with its break, folded where a character begins."""
    parts, length = [""], 0
    for character in line:
        size = len(character.encode())
        if length + size > LINE_BYTES:
            parts.append(" ")
            length = 1
        parts[-1] += character
        length += size
    return "".join(f"{part}\r\n" for part in parts).encode()
