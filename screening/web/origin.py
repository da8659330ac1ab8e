"""A second check beside the form token: a form that says it comes from another site is refused.

A browser that hides where it comes from sends nothing, or ``null``; then the token alone decides.
"""

from urllib.parse import urlsplit

from flask import Flask, abort, request


def init_app(app: Flask) -> None:
    """Refuse posts whose ``Origin`` or ``Referer`` names another scheme or host."""

    @app.before_request
    def check_origin() -> None:
        if request.method == "POST" and not is_own():
            abort(400)


def is_own() -> bool:
    """Whether nothing says that this request was sent from another site."""
    return all(map(_is_ours, ("Origin", "Referer")))


def _is_ours(header: str) -> bool:
    value = request.headers.get(header, "")
    if value in ("", "null"):
        return True
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return (parts.scheme, parts.netloc) == (request.scheme, request.host)
