"""Downloads of release files: each file is built once and stored, so that every node returns the same bytes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask, Response, current_app
from sqlalchemy.exc import IntegrityError

from screening.extensions import db
from screening.releases import exporters, file_store
from screening.releases.models import Release, ReleaseFile

MANIFEST = "manifest.json"


def response(release: Release, name: str) -> Response:
    """Return a response with the manifest, a README or a file, which is streamed. Raises what ``open_file`` does."""
    if name == MANIFEST:
        answer = Response(release.manifest.encode(), mimetype="application/json")
    elif name in exporters.READMES:
        if file_store.find_file(release.id, f"{exporters.READMES[name]}.csv") is None:
            raise LookupError(f"{release.number} has no rows of {name}")
        answer = Response(exporters.readme(release, exporters.READMES[name]), mimetype="text/markdown")
    else:
        size, pieces = open_file(release, name)
        answer = Response(pieces, mimetype=exporters.media_type(name))
        answer.content_length = size
    answer.headers.set("Content-Disposition", "attachment", filename=exporters.download_name(release.number, name))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def open_file(release: Release, name: str, progress: exporters.Progress | None = None) -> tuple[int, Iterator[bytes]]:
    """Return a file's size and an iterator of its bytes; build and store the file first if necessary.

    ``name`` is one of ``exporters.NAMES``. Each piece is read in its own application context, without an open
    connection in between. The session must have no uncommitted changes, since SQLite allows one writer at a time.
    Raises KeyError for an unknown name, LookupError when the rows are missing.
    """
    if name not in exporters.NAMES:
        raise KeyError(name)
    found = file_store.find_file(release.id, name) or _make(release, name, progress)
    return found.size, _pieces(current_app._get_current_object(), release.id, name)  # type: ignore[attr-defined]


def _make(release: Release, name: str, progress: exporters.Progress | None) -> ReleaseFile:
    """Build a file in a temporary folder, then store it in one transaction, unless another request was faster."""
    source = f"{name.partition('.')[0]}.csv"
    if name == source or file_store.find_file(release.id, source) is None:
        raise LookupError(f"{release.number} has no {name}")
    with TemporaryDirectory(prefix="release-") as folder:
        target = Path(folder) / name
        data = file_store.read_file(release.id, source)
        exporters.build(release, name, data, target, progress)
        try:
            with target.open("rb") as file, db.engines[None].begin() as connection:
                file_store.store_file(
                    connection, release.id, name, iter(partial(file.read, file_store.CHUNK_BYTES), b"")
                )
        except IntegrityError:  # a concurrent request stored it first
            pass
    found = file_store.find_file(release.id, name)
    if found is None:
        raise LookupError(f"{release.number} has no {name}")
    return found


def _pieces(app: Flask, release_id: int, name: str) -> Iterator[bytes]:
    """Yield the bytes of a file. No context is open between pieces, so a slow client holds no connection."""
    pieces = file_store.read_file(release_id, name)
    while True:
        with app.app_context():
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
