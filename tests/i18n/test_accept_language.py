"""Which language a browser's ``Accept-Language`` header selects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.i18n.accept_language import preferred_locale

LOCALES = ("en", "es")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("es-MX,en;q=0.5", "es"),
        ("en-US,es;q=0.9", "en"),
        ("es-419,es;q=0.9,en;q=0.8", "es"),
        ("en-US,en;q=0.9,es;q=0.8", "en"),
        ("en;q=0.5,es-PR;q=0.6", "es"),
        ("fr-CA,fr;q=0.9,es;q=0.3", "es"),
        ("es;q=0.5,en;q=0.5", "es"),
        ("en,es", "en"),
        ("ES-mx ; Q=0.9 , en;q=0.8", "es"),
        ("en-GB;q=0.2,es;q=0.5,en-US;q=0.9", "en"),
        ("en;q=0,es;q=0.1", "es"),
        ("es;q=0", "en"),
        ("en;q=0,*", "es"),
        ("es;q=0,*", "en"),
        ("*", "en"),
        ("es;q=0.4,*;q=0.7", "en"),
        ("fr,*;q=0.1", "en"),
        ("", "en"),
        (",;,", "en"),
        ("es;q=2,en;q=0.1", "en"),
        ("es;q=x", "en"),
        ("español,es_MX", "en"),
        ("estonian", "en"),
    ],
)
def test_header_selects_by_quality_over_primary_tags(header, expected):
    assert preferred_locale(header, LOCALES, "en") == expected


@given(st.text(max_size=60) | st.from_regex(r"(e[ns](-[A-Z]{2})?(;q=[01](\.\d)?)?,? ?){0,5}"))
def test_any_header_selects_a_known_locale(header):
    assert preferred_locale(header, LOCALES, "en") in LOCALES


qualities = st.integers(0, 1000).map(lambda n: n / 1000)


@given(st.lists(st.tuples(st.sampled_from(["en", "es", "fr"]), st.sampled_from(["", "-US", "-MX"]), qualities)))
def test_selected_locale_has_the_highest_quality(entries):
    header = ", ".join(f"{primary}{region};q={quality:.3f}" for primary, region, quality in entries)
    best = {locale: max((q for primary, _, q in entries if primary == locale), default=0) for locale in LOCALES}
    selected = preferred_locale(header, LOCALES, "en")
    assert best[selected] == max(best.values())
    first = next((primary for primary, _, _ in entries if primary in LOCALES), None)
    if best["en"] == best["es"] > 0:
        assert selected == first
