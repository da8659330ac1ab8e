"""CSRF protection of the visitor application: every POST must carry the draft's random token.

The call-back form also works without cookies. Then there is no draft to protect, and the ``Origin`` or
``Sec-Fetch-Site`` header must name this site.
"""

import hmac

from flask import Flask, request
from flask_wtf.csrf import CSRFError

from screening.draft import Draft, current_draft
from screening.web import origin

FIELD, HEADER = "csrf_token", "X-CSRFToken"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing: RFC 9110, section 9.2.1."""

WITHOUT_TOKEN = frozenset({"screener.leave"})
"""Endpoints without a token. Leaving works from any page, however old; ``origin`` refuses it from another site."""

WITHOUT_COOKIE = frozenset({"patient_callbacks.edit", "patient_callbacks.check", "patient_callbacks.send"})
"""Endpoints of the call-back form, which a browser without cookies may send, too."""


def init_app(app: Flask) -> None:
    """Raise CSRFError for every request with an unsafe method that lacks the token."""

    @app.before_request
    def check_form_token() -> None:
        if request.method in SAFE_METHODS or request.endpoint is None or request.endpoint in WITHOUT_TOKEN:
            return
        draft = current_draft()
        if is_valid(draft) or (draft.new and request.endpoint in WITHOUT_COOKIE and origin.is_proven()):
            return
        raise CSRFError("The form token is missing or wrong.")


def is_valid(draft: Draft) -> bool:
    """Return whether the request carries the draft's token, as a field or a header."""
    sent = request.form.get(FIELD) or request.headers.get(HEADER, "")
    known = draft.get("form_token", "")
    return bool(known) and hmac.compare_digest(sent.encode(), known.encode())
