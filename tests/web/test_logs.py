"""The log: one line per failure, as text or JSON, with the request's id and no personal data."""

from __future__ import annotations

import json
import logging
import re
import sys

import pytest

from screening.web import logs
from tests.support.absence import assert_absent

SECRET = "zentinelsecret"


@pytest.fixture(autouse=True)
def restored_logging():
    yield
    logs.configure("text")


def new_lines(capsys):
    return capsys.readouterr().err.splitlines()


def fail_page(site, capsys):
    """Make a page fail, after discarding the site's startup log."""
    capsys.readouterr()

    def broken():
        raise ValueError(f"{SECRET}@example.org")

    site.view_functions["information.about"] = broken
    return site.test_client().get(f"/about?{SECRET}=1", headers={"User-Agent": SECRET})


def test_failure_logs_a_json_line_with_the_response_request_id(make_site, capsys):
    answer = fail_page(make_site(LOG_FORMAT="json"), capsys)
    (line,) = new_lines(capsys)
    found = json.loads(line)
    assert set(found) == {"time", "level", "logger", "message", "request_id"}
    assert (found["level"], found["logger"]) == ("error", "screening.web.errors")
    assert found["message"].startswith("a request failed: ValueError < broken (test_logs.py:")
    assert re.fullmatch(r"[0-9a-f]{16}", found["request_id"])
    assert answer.headers["X-Request-ID"] == found["request_id"] and answer.status_code == 500
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", found["time"])
    assert_absent((SECRET,), line, answer.text)


def test_failure_logs_a_single_text_line_with_request_id(make_site, capsys):
    answer = fail_page(make_site(), capsys)
    (line,) = new_lines(capsys)
    assert " error screening.web.errors: a request failed: ValueError < broken" in line
    assert line.endswith(f"(request {answer.headers['X-Request-ID']})")
    assert_absent((SECRET,), line)


def test_request_id_is_unique_and_absent_without_log_lines(make_site, capsys):
    site = make_site(LOG_FORMAT="json")
    assert "X-Request-ID" not in site.test_client().get("/").headers
    first = fail_page(site, capsys).headers["X-Request-ID"], len(new_lines(capsys))
    second = fail_page(site, capsys).headers["X-Request-ID"], len(new_lines(capsys))
    assert first[0] != second[0] and first[1] == second[1] == 1


@pytest.mark.parametrize("kind", ["text", "json"])
def test_traceback_logs_frames_without_exception_message(kind, capsys):
    def broken():
        raise ValueError(SECRET)

    logs.configure(kind)
    try:
        broken()
    except ValueError:
        logging.getLogger("other").exception("broken\nline")
    (line,) = new_lines(capsys)
    assert "ValueError < broken (test_logs.py:" in line
    assert_absent((SECRET,), line)
    assert (json.loads(line)["message"] if kind == "json" else line).count("\n") == (kind == "json")


def test_reconfiguring_logging_adds_no_duplicate_lines(make_site, capsys):
    make_site()
    make_site(LOG_FORMAT="json")
    capsys.readouterr()
    logging.getLogger("screening.any").warning("once")
    assert len(new_lines(capsys)) == 1 and sys.stderr is not None
