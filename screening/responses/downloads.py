"""Files of releases on their way out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import Flask, Response, current_app

from screening.responses import store
from screening.responses.models import Release


def response(release: Release, name: str) -> Response:
    """A file as a download that comes in pieces. Raises LookupError when there is no such file."""
    found = store.find(release.id, name)
    if found is None:
        raise LookupError(f"{release.number} has no {name}")
    pieces = _pieces(current_app._get_current_object(), release.id, name)  # type: ignore[attr-defined]
    answer = Response(pieces, mimetype="text/csv")
    answer.content_length = found.size
    answer.headers.set("Content-Disposition", "attachment", filename=f"{release.number}-{name}")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _pieces(app: Flask, release_id: int, name: str) -> Iterator[bytes]:
    """The bytes of a file. The context is given back between pieces: a slow reader holds no connection."""
    pieces = store.read(release_id, name)
    with_context = partial(_next, app, pieces)
    yield from iter(with_context, None)


def _next(app: Flask, pieces: Iterator[bytes]) -> bytes | None:
    with app.app_context():
        return next(pieces, None)
