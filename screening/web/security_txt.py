"""``/.well-known/security.txt`` (RFC 9116): where to report a vulnerability."""

from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response

from screening import current

VALIDITY = timedelta(days=180)
"""Time until the file expires. RFC 9116, 2.5.5 recommends less than a year, so that old copies are not relied on."""

PATH = "/.well-known/security.txt"

security_txt = Blueprint("security_txt", __name__)


@security_txt.get(PATH)
def show() -> Response:
    """Return the file. ``Expires`` is set on each request, so it never passes while the site runs."""
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
    """Return the time of expiry: a midnight, so that the file changes once a day only."""
    day = datetime.fromtimestamp(current.now(), UTC).date() + VALIDITY
    return datetime.combine(day, time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _canonical() -> list[str]:
    """Return the file's https addresses, one for each known name of the site; the RFC allows no http."""
    settings = current.settings()
    parts = [urlsplit(settings[name]) for name in ("SITE_URL", "STAFF_URL")]
    return list(dict.fromkeys(f"https://{part.netloc}{PATH}" for part in parts if part.scheme == "https"))
