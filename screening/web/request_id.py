"""A random request id, made only when something is logged: in the log, ``X-Request-ID`` and the staff error page."""

import secrets

from flask import Flask, Response, has_request_context, request

KEY = "screening.request_id"


def make() -> str:
    """The id of the request being answered, made when it is first asked for; empty outside a request."""
    return str(request.environ.setdefault(KEY, secrets.token_hex(8))) if has_request_context() else ""


def made() -> str:
    """The same where something was logged; else empty."""
    return str(request.environ.get(KEY, ""))


def init_app(app: Flask) -> None:
    """Tell the id in the answer."""

    @app.after_request
    def tell(response: Response) -> Response:
        if made():
            response.headers["X-Request-ID"] = made()
        return response
