"""Health checks: ``/healthz`` reports that the process answers, ``/readyz`` that its dependencies work."""

from __future__ import annotations

import shutil

import pytest
from sqlalchemy import text

from screening.extensions import db

SURFACES = [("visitor", "staff"), ("visitor",), ("staff",)]


def fetch(site, address, **options):
    return site.test_client().get(address, **options)


@pytest.mark.parametrize(
    ("database_kind", "surfaces"), [*(("sqlite", surfaces) for surfaces in SURFACES), ("postgresql", SURFACES[0])]
)
def test_healthy_process_returns_ok_for_any_host_without_cookie(make_site, surfaces):
    site = make_site(SERVE=surfaces)
    for address, words in (("/healthz", "ok\n"), ("/readyz", "database ok\nkeys ok\nmigrations ok\n")):
        answer = fetch(site, address, base_url="http://10.0.0.7:8000", headers={"Cookie": "draft=x; staff=y"})
        assert (answer.status_code, answer.text) == (200, words)
        assert answer.headers["Cache-Control"] == "no-store" and "Set-Cookie" not in answer.headers
        assert answer.mimetype == "text/plain"


@pytest.mark.parametrize("surfaces", SURFACES)
def test_unreachable_database_leaves_process_alive_but_not_ready(make_site, surfaces):
    site = make_site(DATABASE_URL="postgresql://rosa:none@127.0.0.1:9/site", SERVE=surfaces)
    assert fetch(site, "/healthz").status_code == 200
    answer = fetch(site, "/readyz")
    assert (answer.status_code, answer.text) == (503, "database away\nkeys ok\nmigrations unknown\n")


@pytest.mark.each_database
def test_outdated_schema_is_not_ready(site):
    with site.app_context(), db.engines["pending"].begin() as connection:
        connection.execute(text("DELETE FROM alembic_version_pending"))
    answer = fetch(site, "/readyz")
    assert (answer.status_code, answer.text) == (503, "database ok\nkeys ok\nmigrations behind\n")


def test_missing_keys_are_not_ready(make_site, tmp_path, keys):
    shutil.copytree(keys, tmp_path / "keys")
    site = make_site(KEYS_DIR=tmp_path / "keys")
    (tmp_path / "keys" / "staff.toml").unlink()
    answer = fetch(site, "/readyz")
    assert (answer.status_code, answer.text) == (503, "database ok\nkeys missing\nmigrations ok\n")
