"""A running server as a WSGI application, so that the test client without a browser can use it over HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from werkzeug.test import Client

CONNECTION_LOST = 599
"""The status of a connection that ended without an answer."""


class RemoteSite:
    """``connect`` opens a connection to the server; each request uses a new one."""

    def __init__(self, connect: Callable[[], http.client.HTTPConnection]) -> None:
        self.connect = connect

    @classmethod
    def at(cls, port: int) -> RemoteSite:
        """Return the server that listens on a port of this machine."""
        return cls(lambda: http.client.HTTPConnection("127.0.0.1", port))

    def test_client(self) -> Client:
        """Return a client with cookies, as ``Flask.test_client`` does."""
        return Client(self)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/%:@!$&'()*+,;=~")
        query = environ["QUERY_STRING"]
        headers = {
            name[5:].replace("_", "-"): value for name, value in environ.items() if name.startswith("HTTP_") and value
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        body = environ["wsgi.input"].read()
        connection = self.connect()
        try:
            connection.request(environ["REQUEST_METHOD"], f"{path}?{query}" if query else path, body or None, headers)
            answer = connection.getresponse()
            page = answer.read()
            fields = [(name, value) for name, value in answer.getheaders() if name.lower() != "connection"]
        except (OSError, http.client.HTTPException):
            start_response(f"{CONNECTION_LOST} broken off", [("Content-Type", "text/html")])
            return [b""]
        finally:
            connection.close()
        start_response(f"{answer.status} {answer.reason}", fields)
        return [page]
