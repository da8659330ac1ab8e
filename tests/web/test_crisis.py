"""The files of crisis numbers."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta

import pytest

from screening.web import crisis
from screening.web.crisis import FALLBACK, FOLDER, STALE_DAYS, load, problems
from tests.support.visitor import Visitor


@pytest.mark.parametrize("locale", ["en", "es"])
def test_crisis_files_hold_the_current_hotline_numbers(locale):
    found = load((locale,))[locale]
    assert found.call.href == "tel:988" and found.text.href.startswith("sms:988")
    assert found.danger.href == "tel:911" and "741741" in found.text_line.href
    everything = " ".join(str(value) for value in vars(found).values())
    for words in ("838255", "AYUDA", "711", "988lifeline.org"):
        assert words in everything
    assert ("HOLA" if locale == "es" else "HOME") in found.text_line.href
    assert "press 3" not in everything.lower() and "marque 3" not in everything.lower()


@pytest.mark.parametrize("damage", ["missing", "not TOML", "field gone", "field empty", "way without link", "no date"])
def test_damaged_crisis_file_uses_fallback_and_is_reported(tmp_path, damage):
    shutil.copy(FOLDER / "es.toml", tmp_path / "es.toml")
    text = (FOLDER / "en.toml").read_text()
    damaged = {
        "not TOML": "]" + text,
        "field gone": text.replace("strip_text", "strip_words"),
        "field empty": text.replace('"Need to talk?"', '""'),
        "way without link": text.replace('href = "tel:988"', 'href = ""'),
        "no date": re.sub(r"^checked = .*$", 'checked = "lately"', text, flags=re.MULTILINE),
    }
    if damage != "missing":
        assert damaged[damage] != text
        (tmp_path / "en.toml").write_text(damaged[damage])
    found = load(("en", "es"), tmp_path)
    assert found["en"] == FALLBACK and found["es"] != FALLBACK
    checked = found["es"].checked
    assert checked is not None
    (line,) = problems(found, checked)
    assert "en.toml is missing or damaged" in line


def test_crisis_fallback_has_call_text_and_emergency_numbers():
    assert FALLBACK.call.href == "tel:988" and FALLBACK.text.href == "sms:988" and FALLBACK.danger.href == "tel:911"


def test_crisis_file_unchecked_for_over_a_year_is_reported():
    found = load(("en", "es"))
    checked = found["en"].checked
    assert checked is not None
    assert problems(found, checked) == []
    late = problems(found, checked + timedelta(days=STALE_DAYS + 1))
    assert len(late) == 2 and "check it again" in late[0]


def test_crisis_strip_shows_on_pages_without_crisis_files(make_site, monkeypatch, tmp_path):
    monkeypatch.setattr(crisis, "load", lambda locales: load(locales, tmp_path))
    visitor = Visitor(make_site())
    for address in ("/", "/check/sadness", "/help-now", "/nowhere", "/help-now?lang=es"):
        page = visitor.get(address)
        assert page.status == (404 if address == "/nowhere" else 200)
        strip = page.soup.select_one("section.app-strip")
        assert strip is not None and FALLBACK.strip_text in " ".join(strip.get_text(" ").split()), address
        assert strip.find("a", href="tel:988") and strip.find("a", href="sms:988"), address
