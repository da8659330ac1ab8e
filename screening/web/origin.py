"""Origin check, beside the form token: a POST whose headers name another site is refused.

A browser that hides its origin sends no header, or ``null``; then the token alone decides.
"""

from urllib.parse import urlsplit

from flask import Flask, abort, request


def init_app(app: Flask) -> None:
    """Refuse posts whose ``Origin``, ``Referer`` or ``Sec-Fetch-Site`` names another site."""

    @app.before_request
    def check_origin() -> None:
        if request.method == "POST" and not is_own():
            abort(400)


def is_own() -> bool:
    """Return whether no header names another site as the sender of this request."""
    return request.headers.get("Sec-Fetch-Site") != "cross-site" and all(map(_is_ours, ("Origin", "Referer")))


def is_proven() -> bool:
    """Return whether a header names this site as the sender of this request, and none names another."""
    named = request.headers.get("Origin", "null") != "null" or request.headers.get("Sec-Fetch-Site") == "same-origin"
    return named and is_own()


def _is_ours(header: str) -> bool:
    value = request.headers.get(header, "")
    if value in ("", "null"):
        return True
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc) == (request.scheme, request.host)
