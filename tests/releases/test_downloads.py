"""Release files: built once, identical for all downloads, and streamed in little memory."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from screening.extensions import db
from screening.releases import downloads, exporters, file_store
from screening.releases.models import Release, ReleaseChunk, ReleaseFile
from tests.support import release_factory
from tests.support.processes import python

BUILT = [name for name in exporters.NAMES if not name.endswith(".csv")]


@pytest.fixture
def app(commands, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    commands.add_url_rule("/<name>", view_func=lambda name: downloads.response(db.session.get_one(Release, 1), name))
    return commands


@pytest.fixture
def release(app, questionnaire):
    return release_factory.release(questionnaire)


@pytest.fixture
def left_behind(tmp_path):
    return lambda: list((tmp_path / "temporary").iterdir())


def fetch(release, name) -> bytes:
    size, pieces = downloads.open_file(release, name)
    content = b"".join(pieces)
    assert len(content) == size
    return content


def stored() -> list[tuple[str, int]]:
    """Return the files in the database, and how many chunks each has."""
    pieces = select(func.count()).where(
        ReleaseChunk.release_id == ReleaseFile.release_id, ReleaseChunk.name == ReleaseFile.name
    )
    found = select(ReleaseFile.name, pieces.scalar_subquery()).order_by(ReleaseFile.name)
    return [tuple(row) for row in db.session.execute(found)]


def refuse(*_args):
    raise AssertionError("made a second time")


@pytest.mark.parametrize(
    ("database_kind", "name"), [*(("sqlite", name) for name in exporters.NAMES), ("postgresql", "full.zip")]
)
def test_file_is_built_once_and_stays_identical(release, monkeypatch, left_behind, name):
    content = fetch(release, name)
    assert (name, 1) in stored() and left_behind() == []
    monkeypatch.setattr(exporters, "build", refuse)
    assert fetch(release, name) == content


@pytest.mark.each_database
def test_concurrent_builds_return_the_first_stored_file(app, release, monkeypatch, left_behind):
    nodes = []

    def build(of, name, data, target, progress):
        nodes.append(name)
        if len(nodes) == 1:
            with ThreadPoolExecutor() as pool:
                nodes.append(pool.submit(other_node).result())
            target.write_bytes(b"second to be stored")
        else:
            target.write_bytes(b"first to be stored")

    def other_node():
        with app.app_context():
            return fetch(db.session.get_one(Release, 1), "signs.zip")

    monkeypatch.setattr(exporters, "build", build)
    assert fetch(release, "signs.zip") == b"first to be stored"
    assert nodes == ["signs.zip", "signs.zip", b"first to be stored"]
    assert stored() == [("full.csv", 1), ("signs.csv", 1), ("signs.zip", 1)] and left_behind() == []


class KilledError(BaseException):
    """Stands for the end of the process."""


@pytest.mark.each_database
def test_process_killed_during_storing_leaves_no_partial_file(release, monkeypatch, left_behind):
    monkeypatch.setattr(file_store, "CHUNK_BYTES", 1000)

    def pieces(parts):
        yield next(iter(parts))
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(file_store, "_pieces", pieces)
        with pytest.raises(KilledError):
            fetch(release, "signs.xlsx")
    assert [name for name, _ in stored()] == ["full.csv", "signs.csv"] and left_behind() == []
    assert db.session.scalar(select(func.count()).where(ReleaseChunk.name == "signs.xlsx")) == 0
    assert fetch(release, "signs.xlsx").startswith(b"PK")


def test_process_killed_during_building_leaves_no_file(release, monkeypatch, left_behind):
    def build(of, name, data, target, progress):
        target.write_bytes(b"half")
        raise KilledError

    monkeypatch.setattr(exporters, "build", build)
    with pytest.raises(KilledError):
        fetch(release, "full.zip")
    assert [name for name, _ in stored()] == ["full.csv", "signs.csv"] and left_behind() == []


@pytest.mark.each_database
def test_slow_download_holds_no_database_connection(release, monkeypatch):
    monkeypatch.setattr(file_store, "CHUNK_BYTES", 1000)
    fetch(release, "full.xlsx")
    assert dict(stored())["full.xlsx"] > 2
    _, pieces = downloads.open_file(release, "full.xlsx")
    db.session.remove()
    next(pieces)
    assert db.engines[None].pool.checkedout() == 0


@pytest.mark.parametrize("name", ["signs.pdf", "../signs.csv", ""])
def test_unknown_file_name_raises_key_error(release, name):
    with pytest.raises(KeyError):
        downloads.open_file(release, name)


def test_missing_stored_rows_raise_lookup_error(app, release):
    with db.engines[None].begin() as connection:
        connection.execute(ReleaseFile.__table__.delete())
    with pytest.raises(LookupError, match=r"R-0001 has no full\.csv"):
        downloads.open_file(release, "full.csv")


@pytest.mark.parametrize("name", exporters.NAMES)
def test_download_has_attachment_headers(app, release, name):
    client = app.test_client()
    head, got = client.head(f"/{name}"), client.get(f"/{name}")
    assert got.data == fetch(release, name) and head.data == b""
    for answer in (head, got):
        assert answer.headers["Content-Length"] == str(len(got.data))
        assert answer.headers["Content-Disposition"] == f"attachment; filename=R-0001-{name}"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.mimetype == exporters.media_type(name)
    assert (got.mimetype_params.get("charset") == "utf-8") == name.endswith(".csv")


MEASURE = """
import sys
from screening.cli.commands_app import create_commands_app
from screening.extensions import db
from screening.releases import downloads
from screening.releases.models import Release

def memory(kind):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(kind)) / 1024

app = create_commands_app({"DATABASE_URL": sys.argv[1]})
with app.app_context():
    before = memory("VmRSS")
    sizes = []
    for name in ("full.csv", "full.xlsx", "full.zip"):
        _, pieces = downloads.open_file(db.session.get_one(Release, 1), name)
        sizes.append(sum(map(len, pieces)))
    print(memory("VmHWM") - before, *sizes)
"""


@pytest.mark.each_database
def test_large_download_uses_little_memory(app, database_url, questionnaire):
    release_factory.release(questionnaire, count=2000, suppressed=0, times=25)
    done = python("-c", MEASURE, database_url)
    assert done.returncode == 0, done.stderr
    growth, *sizes = map(float, done.stdout.split())
    assert sizes[0] > 2_500_000 and growth < 20, growth
