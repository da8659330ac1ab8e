"""A redirect from an address with a trailing slash to the page without it."""

from contextlib import suppress

from flask import Flask, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

PERMANENT = 308


def init_app(app: Flask) -> None:
    """Redirect GET and HEAD. Called after the checks of the application, which apply to these addresses as well."""

    @app.before_request
    def redirect_to_page() -> Response | None:
        if request.routing_exception is None or request.method not in ("GET", "HEAD") or not request.path.endswith("/"):
            return None
        with suppress(HTTPException):  # another kind of address: not found
            endpoint, values = app.url_map.bind("").match(request.path[:-1], method="GET")
            query = request.query_string.decode(errors="replace")
            return redirect(url_for(endpoint, **values) + (f"?{query}" if query else ""), PERMANENT)
        return None
