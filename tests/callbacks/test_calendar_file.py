"""The calendar file of an appointment: lines, escaping, and times in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.callbacks.calendar_file import LINE_BYTES, calendar_file
from tests.support.absence import assert_absent
from tests.support.queue_pages import open_request, press
from tests.support.sample_patient import SECRETS
from tests.support.visitor import Visitor

DENVER = ZoneInfo("America/Denver")


def fields_of(content):
    """Read a file as RFC 5545 says: unfold, then split each line at its first colon."""
    assert content.endswith(b"\r\n") and b"\n" not in content.replace(b"\r\n", b"")
    unfolded = content.replace(b"\r\n ", b"").decode()
    return dict(line.split(":", 1) for line in unfolded.removesuffix("\r\n").split("\r\n"))


def unescaped(text):
    for written, meant in (("\\,", ","), ("\\;", ";"), ("\\n", "\n"), ("\\\\", "\\")):
        text = text.replace(written, meant)
    return text


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        (datetime(2026, 10, 31, 9, tzinfo=DENVER), "20261031T150000Z"),
        (datetime(2026, 11, 2, 9, tzinfo=DENVER), "20261102T160000Z"),
        (datetime(2026, 11, 1, 1, 30, tzinfo=DENVER, fold=1), "20261101T083000Z"),
        (datetime(2027, 3, 15, 9, tzinfo=DENVER), "20270315T150000Z"),
    ],
)
def test_local_time_is_right_across_clock_changes(local, expected):
    fields = fields_of(calendar_file("a@b", "Phone call", int(local.timestamp()), 30, 2, 0))
    assert fields["DTSTART"] == expected and fields["SUMMARY"] == "Phone call"
    ends = datetime.strptime(fields["DTEND"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert ends.timestamp() - local.timestamp() == 30 * 60


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"))), st.integers(0, 4_000_000_000))
def test_every_line_is_folded_and_reads_back(title, starts):
    content = calendar_file("a" * 90, title, starts, 30, 1, 0)
    assert all(len(line) <= LINE_BYTES for line in content.split(b"\r\n"))
    fields = fields_of(content)
    assert fields["UID"] == "a" * 90
    start = datetime.strptime(fields["DTSTART"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert start.timestamp() == starts
    if "\\" not in title:
        assert unescaped(fields["SUMMARY"]) == title


NOON_THERE = datetime(2026, 12, 1, 12, tzinfo=DENVER)


@pytest.mark.usefixtures("monday_noon")
@pytest.mark.parametrize(
    ("outcome", "fields", "title"),
    [
        ("spoke_booked", {"visit_day": "2026-12-01", "visit_time": "12:00"}, "Appointment"),
        ("spoke_again", {"again_day": "2026-12-01", "again_time": "12:00"}, "Phone call"),
    ],
)
def test_agreed_time_is_a_file_for_patient_and_staff(team, ann, request_call, outcome, fields, title):
    visitor = Visitor(team.site)
    request_call(visitor)
    page = press(ann, open_request(ann), "call", outcome=outcome, **fields)
    status = visitor.get("/consultation/status")
    assert title in status.words and "Tue, Dec 1, 12:00" in status.words
    [link] = status.main.select("a[download]")
    files = [visitor.client.get(link["href"]), ann.client.get(f"{page.address}/appointment.ics")]
    for file in files:
        read = fields_of(file.data)
        assert file.mimetype == "text/calendar" and "attachment" in file.headers["Content-Disposition"]
        assert (read["SUMMARY"], read["DTSTART"]) == (title, NOON_THERE.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"))
        assert_absent([*SECRETS, "Demo Spine and Pain"], file.data)
    first, second = (fields_of(file.data)["UID"] for file in files)
    assert first == second, "patient and staff have the same appointment"


@pytest.mark.usefixtures("monday_noon")
def test_without_an_agreed_time_there_is_no_file(team, ann, request_call):
    visitor = Visitor(team.site)
    request_call(visitor)
    page = press(ann, open_request(ann), "call", outcome="no_answer")
    assert visitor.get("/consultation/status").main.select("a[download]") == []
    assert visitor.client.get("/consultation/status/appointment.ics").location == "/consultation/status"
    assert Visitor(team.site).client.get("/consultation/status/appointment.ics").status_code == 303
    assert ann.get(f"{page.address}/appointment.ics").status == 404


@pytest.mark.usefixtures("monday_noon")
def test_reopened_request_has_no_agreed_time(team, ann, request_call):
    visitor = Visitor(team.site)
    request_call(visitor)
    page = press(ann, open_request(ann), "call", outcome="spoke_booked", visit_day="2026-12-01", visit_time="12:00")
    press(ann, page, "reopen")
    assert visitor.get("/consultation/status").main.select("a[download]") == []
