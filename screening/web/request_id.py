"""A random request id, made when a line is logged: in the log, ``X-Request-ID`` and the staff error page."""

import secrets

from flask import Flask, Response, has_request_context, request

KEY = "screening.request_id"


def make() -> str:
    """Return the id of the current request, created on the first call; empty outside a request."""
    return str(request.environ.setdefault(KEY, secrets.token_hex(8))) if has_request_context() else ""


def made() -> str:
    """Return the id of the current request if one was created, else an empty string."""
    return str(request.environ.get(KEY, ""))


def init_app(app: Flask) -> None:
    """Add the header ``X-Request-ID`` to responses of requests that have an id."""

    @app.after_request
    def add_header(response: Response) -> Response:
        if made():
            response.headers["X-Request-ID"] = made()
        return response
