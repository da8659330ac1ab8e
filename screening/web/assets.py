"""Static files: built and compressed ahead, named by their content hash, and cached by browsers as immutable."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from flask import Flask
from whitenoise import WhiteNoise

from screening.config import ROOT, SettingsError

BUILT = ROOT / "static" / "dist"
PREFIX = "/static/"


def init_app(app: Flask) -> None:
    """Add the template global ``asset('visitor.css')``. Raises SettingsError when no files were built."""
    try:
        manifest: dict[str, str] = json.loads((BUILT / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise SettingsError("static/dist has no manifest: run make css") from error
    app.jinja_env.globals["asset"] = lambda name: PREFIX + manifest[name]


def files(application: Any, headers: Mapping[str, str]) -> Callable[..., Any]:
    """Return WSGI middleware that serves the built files, with the given headers, before an application.

    Each file is passed to the server as one chunk: in several, a client that stops reading would block a thread.
    """

    def add_headers(file_headers: Any, path: str, url: str) -> None:
        for name, value in headers.items():
            file_headers[name] = value

    white_noise = WhiteNoise(
        application,
        root=str(BUILT),
        prefix=PREFIX,
        add_headers_function=add_headers,
        immutable_file_test=lambda path, url: bool(re.search(r"\.[0-9a-f]{10}\.\w+$", url)),
        allow_all_origins=False,
    )

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        environ["wsgi.file_wrapper"] = _whole
        return white_noise(environ, start_response)

    return serve


def _whole(file: BinaryIO, size: int = -1) -> list[bytes]:
    with file:
        return [file.read()]
