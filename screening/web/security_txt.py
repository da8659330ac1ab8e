"""``/.well-known/security.txt``: whom to tell of a weakness, for those who look where RFC 9116 says."""

from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response

from screening import current

VALIDITY = timedelta(days=180)
"""RFC 9116, 2.5.5: less than a year ahead. A copy that somebody kept is not believed for longer."""

PATH = "/.well-known/security.txt"

security_txt = Blueprint("security_txt", __name__)


@security_txt.get(PATH)
def show() -> Response:
    """The file, written anew at each look, so it never expires where the site runs."""
    clinic = current.clinic()
    lines = ["# This is a demo. No clinic stands behind it, and nobody answers its phone."] if clinic.demo else []
    lines += [f"Contact: {clinic.security_contact}", f"Expires: {_expires()}"]
    lines.append(f"Preferred-Languages: {', '.join(current_app.extensions['locales'])}")
    lines += [f"Canonical: {address}" for address in _canonical()]
    if clinic.security_policy:
        lines.append(f"Policy: {clinic.security_policy}")
    response = make_response("\n".join(lines) + "\n")
    response.content_type = "text/plain; charset=utf-8"
    return response


def _expires() -> str:
    """A midnight, so that all who look on one day are told the same."""
    day = datetime.fromtimestamp(current.now(), UTC).date() + VALIDITY
    return datetime.combine(day, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _canonical() -> list[str]:
    """Where the file is found, for each name of the site that is known; the RFC knows https addresses only."""
    settings = current.settings()
    parts = [urlsplit(settings[name]) for name in ("SITE_URL", "STAFF_URL")]
    return list(dict.fromkeys(f"https://{part.netloc}{PATH}" for part in parts if part.scheme == "https"))
