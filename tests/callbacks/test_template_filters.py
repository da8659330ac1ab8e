"""Preferred and due times as phrases, in both languages."""

from __future__ import annotations

import re
from datetime import datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from screening.callbacks.template_filters import by_when, preferred_times

DENVER = ZoneInfo("America/Denver")


@pytest.mark.parametrize(
    ("days", "parts", "english", "spanish"),
    [
        ((1,), ("morning",), "On Tuesday in the morning", "El martes por la mañana"),
        ((1,), (), "On Tuesday at any time", "El martes a cualquier hora"),
        ((), ("midday",), "Any day between 12 and 3", "Cualquier día entre las 12 y las 3"),
        ((), (), "Any day at any time", "Cualquier día a cualquier hora"),
        (
            (1, 3),
            ("morning", "afternoon"),
            "On Tuesday or on Thursday, in the morning or after 3",
            "El martes o el jueves, por la mañana o después de las 3",
        ),
        (
            (0, 2, 4),
            ("afternoon",),
            "On Monday, on Wednesday, or on Friday, after 3",
            "El lunes, el miércoles o el viernes, después de las 3",
        ),
    ],
)
def test_preferred_times_are_one_phrase(site, days, parts, english, spanish):
    for lang, expected in (("en", english), ("es", spanish)):
        with site.test_request_context(f"/?lang={lang}"):
            assert preferred_times(SimpleNamespace(days=days, parts=parts)) == expected


@pytest.mark.parametrize(
    ("hour", "lang", "expected"),
    [
        (17, "en", "by 5:00 PM on Tuesday, November 24"),
        (17, "es", "antes de las 5:00 p. m. del martes 24 de noviembre"),
        (13, "en", "by 1:00 PM on Tuesday, November 24"),
        (13, "es", "antes de la 1:00 p. m. del martes 24 de noviembre"),
    ],
)
def test_due_time_is_one_phrase_with_the_right_article(site, hour, lang, expected):
    with site.test_request_context(f"/?lang={lang}"):
        phrase = by_when(datetime(2026, 11, 24, hour, tzinfo=DENVER), DENVER)
        assert re.sub(r"\s", " ", phrase) == expected
