"""Files of releases on their way out: each is made once, stored, and from then on the same from every node."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from flask import Flask, Response, current_app
from sqlalchemy.exc import IntegrityError

from screening.extensions import db
from screening.releases import exporters, file_store
from screening.releases.models import Release, ReleaseFile


def response(release: Release, name: str) -> Response:
    """A file as a download that comes in pieces. Takes and raises what ``open_file`` does."""
    size, pieces = open_file(release, name)
    answer = Response(pieces, mimetype=exporters.media_type(name))
    answer.content_length = size
    answer.headers.set("Content-Disposition", "attachment", filename=exporters.download_name(release.number, name))
    answer.headers["Cache-Control"] = "no-store"
    return answer


def open_file(release: Release, name: str, progress: exporters.Progress | None = None) -> tuple[int, Iterator[bytes]]:
    """A file's size and its bytes, in pieces; it is made and stored first when it was never asked for.

    ``name`` is one of ``files.NAMES``, else KeyError. The pieces bring their own application context, and nothing is
    held open between them. Call it with nothing unwritten in the session: in SQLite one writes at a time. Raises
    LookupError when the rows are missing.
    """
    if name not in exporters.NAMES:
        raise KeyError(name)
    found = file_store.find_file(release.id, name) or _make(release, name, progress)
    return found.size, _pieces(current_app._get_current_object(), release.id, name)  # type: ignore[attr-defined]


def _make(release: Release, name: str, progress: exporters.Progress | None) -> ReleaseFile:
    """Make a file beside the database, then store it in one transaction. Whoever stores it first has made it."""
    if name.endswith(".csv"):
        raise LookupError(f"{release.number} has no {name}")
    with TemporaryDirectory(prefix="release-") as folder:
        target = Path(folder) / name
        exporters.build(release, name, target, progress)
        try:
            with target.open("rb") as file, db.engines[None].begin() as connection:
                file_store.store_file(
                    connection, release.id, name, iter(partial(file.read, file_store.CHUNK_BYTES), b"")
                )
        except IntegrityError:  # another was faster; its bytes count
            pass
    found = file_store.find_file(release.id, name)
    if found is None:
        raise LookupError(f"{release.number} has no {name}")
    return found


def _pieces(app: Flask, release_id: int, name: str) -> Iterator[bytes]:
    """The bytes of a file. The context is given back between pieces: a slow reader holds no connection."""
    pieces = file_store.read_file(release_id, name)
    while True:
        with app.app_context():
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
