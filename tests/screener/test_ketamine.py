"""What the site says about ketamine: dated facts with sources, the same for everyone, or nothing."""

from __future__ import annotations

import re

import pytest

from screening.screener import ketamine
from screening.screener.ketamine import FILE, load
from tests.support.absence import assert_absent
from tests.support.visitor import SIGNS, Visitor

STATED = {
    "en": (
        *("an anesthetic", "by a drip", "has not approved it for depression or any other psychiatric disorder"),
        *("not for long-lasting pain", "esketamine, is approved for some depression, under strict rules"),
        *("In 2025, a Cochrane review of 67 trials found no clear evidence", "more unwanted effects"),
        *("sleepiness", "cut off from yourself", "worse mental health", "misuse", "raised blood pressure"),
        *("slowed breathing", "bladder trouble", "A doctor can explain whether it suits you and its risks."),
    ),
    "es": (
        *("un anestésico", "por suero", "No la aprobó para la depresión ni para ningún otro trastorno psiquiátrico"),
        *("tampoco para el dolor que dura mucho", "la esketamina, sí se aprobó para algunos casos de depresión"),
        *("En 2025, una revisión Cochrane de 67 estudios no halló pruebas claras", "más efectos no deseados"),
        *("sueño", "lejos de uno mismo", "peor salud mental", "mal uso", "aumento de la presión arterial"),
        *("respiración más lenta", "problemas de la vejiga", "Un médico puede explicarle si es adecuada para usted"),
    ),
}
MISTRANSLATED = ("dificultad para respirar", "presión arterial alta")


def summary_page(site, lang, value="0"):
    visitor = Visitor(site)
    visitor.get(f"/?lang={lang}")
    visitor.walk(**dict.fromkeys(SIGNS, value))
    return visitor.disagree()


@pytest.mark.parametrize("lang", ["en", "es"])
def test_summary_states_every_ketamine_fact_last_for_everyone(site, lang):
    blocks = set()
    for value in ("0", "3", "declined"):
        page = summary_page(site, lang, value)
        block = page.main.find_all("section")[-1]
        assert block["aria-labelledby"] == "other"
        blocks.add(" ".join(block.get_text(" ").split()))
    (words,) = blocks
    for stated in STATED[lang]:
        assert stated in words, stated
    assert_absent(MISTRANSLATED, words)
    assert "%" not in words and "70" not in words


@pytest.mark.parametrize(
    ("lang", "days"),
    [("en", ("October 10, 2023", "August 18, 2025")), ("es", ("10 de octubre de 2023", "18 de agosto de 2025"))],
)
def test_about_page_lists_ketamine_sources_with_dates(site, lang, days):
    page = Visitor(site).get(f"/about?lang={lang}")
    for words in (*days, "FDA", "Cochrane Database of Systematic Reviews", "Ferraro"):
        assert words in page.words
    facts = load(("en", "es"))
    assert facts is not None
    assert str(facts.checked.year) in page.words and f" {facts.checked.day}" in page.words


@pytest.mark.parametrize("damage", ["missing", "not TOML", "no date", "no language", "empty text", "no facts", "facts"])
def test_damaged_ketamine_file_says_nothing_and_raises_nothing(make_site, monkeypatch, tmp_path, damage):
    text, file = FILE.read_text(encoding="utf-8"), tmp_path / "ketamine.toml"
    damaged = {
        "not TOML": "]" + text,
        "no date": re.sub(r"^checked = .*$", 'checked = "lately"', text, flags=re.MULTILINE),
        "no language": re.sub(r"^es = .*$", "", text, count=1, flags=re.MULTILINE),
        "empty text": re.sub(r"^en = .*$", 'en = " "', text, count=1, flags=re.MULTILINE),
        "no facts": text.replace("[[facts]]", "[[notes]]"),
        "facts": "facts = 1\n" + text.replace("[[facts]]", "[[notes]]"),
    }
    if damage != "missing":
        assert damaged[damage] != text
        file.write_text(damaged[damage], encoding="utf-8")
    assert load(("en", "es"), file) is None
    monkeypatch.setattr(ketamine, "load", lambda locales: load(locales, file))
    site = make_site()
    page = summary_page(site, "en")
    assert page.status == 200 and "speak with a physician" in page.words
    about = Visitor(site).get("/about")
    assert_absent(("About ketamine", "about ketamine was last", "Ketamine and other"), page.text, about.text)
