"""Times, numbers and days as the United States write them, in both languages."""

from __future__ import annotations

import re
from datetime import date, time

import pytest
from flask import render_template_string
from flask_babel import format_date, format_decimal, format_percent

from screening.i18n.clock import format_clock


def plain(text: str) -> str:
    """Return a text with ordinary spaces."""
    return re.sub(r"\s", " ", text)


@pytest.fixture
def in_language(site):
    """Return a function that opens a request in a language."""
    return lambda lang: site.test_request_context(f"/?lang={lang}")


@pytest.mark.parametrize(
    ("lang", "moment", "expected"),
    [
        ("es", time(17), "5:00 p. m."),
        ("es", time(8, 30), "8:30 a. m."),
        ("es", time(12), "12:00 p. m."),
        ("en", time(17), "5:00 PM"),
    ],
)
def test_time_of_day_is_written_on_a_12_hour_clock(in_language, lang, moment, expected):
    with in_language(lang):
        assert plain(format_clock(moment)) == expected


@pytest.mark.parametrize("lang", ["en", "es"])
def test_time_of_day_has_no_space_that_breaks_a_line(in_language, lang):
    with in_language(lang):
        for hour in range(24):
            assert re.fullmatch(
                r"[\d:]+[\u202f\xa0]([AP]M|[ap]\.[\u202f\xa0]m\.)", format_clock(time(hour, 5), "medium")
            )


@pytest.mark.parametrize("lang", ["en", "es"])
def test_numbers_have_a_decimal_point_and_comma_groups(in_language, lang):
    with in_language(lang):
        assert format_decimal(1169) == "1,169" and format_decimal(0.5) == "0.5"
        assert render_template_string("{{ 12345 | decimalformat }}") == "12,345"
        assert format_percent(0.393, "#,##0.0%") == "39.3%"


@pytest.mark.parametrize(("lang", "expected"), [("en", "November 24, 2026"), ("es", "24 de noviembre de 2026")])
def test_dates_are_written_out_in_the_language(in_language, lang, expected):
    with in_language(lang):
        assert format_date(date(2026, 11, 24), "long") == expected
