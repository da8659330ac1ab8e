"""The files of crisis numbers."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup

from screening.app import static_error_page
from screening.web import crisis
from screening.web.crisis import FALLBACK, FOLDER, STALE_DAYS, load, problems
from tests.support.visitor import Visitor

NUMBER = "1-800-273-8255".replace("-", "\N{NON-BREAKING HYPHEN}")
"""The videophone number as it stands within a sentence: no line break in it."""

CHILDHELP = "800-422-4453".replace("-", "\N{NON-BREAKING HYPHEN}")


@pytest.mark.parametrize("locale", ["en", "es"])
def test_crisis_files_hold_the_current_hotline_numbers(locale):
    found = load((locale,))[locale]
    assert found.call.href == "tel:988" and found.text.href.startswith("sms:988")
    assert found.danger.href == "tel:911" and "741741" in found.text_line.href
    everything = " ".join(str(value) for value in vars(found).values())
    for words in ("838255", "AYUDA", "711", "988lifeline.org", "ASL Now"):
        assert words in everything
    assert ("AYUDA" if locale == "es" else "HOME") in found.text_line.href
    assert "HOLA" not in everything, "Crisis Text Line's own notices say AYUDA"
    assert found.sign_language.href == "tel:+18002738255" and NUMBER in found.in_short
    assert found.childhelp.href == "tel:+18004224453" and "Childhelp" in found.childhelp.note
    assert found.childhelp.label.endswith(f" {CHILDHELP}")
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


def test_crisis_fallback_has_the_numbers_of_the_files():
    for name in ("call", "text", "danger", "sign_language", "childhelp"):
        assert getattr(FALLBACK, name).href.partition("?")[0] == getattr(load(("en",))["en"], name).href, name
    assert "AYUDA" in FALLBACK.text_line.note and NUMBER in FALLBACK.in_short
    assert FALLBACK.childhelp.label == CHILDHELP


def shown_help(soup: BeautifulSoup, locale: str) -> bool:
    """Return whether a page has all crisis help of a language, and the link to the page for worried people."""
    found = load((locale,))[locale]
    words, links = " ".join(soup.get_text(" ").split()), {link["href"] for link in soup.find_all("a")}
    options = (found.call, found.text, found.danger, found.childhelp)
    return (
        all(line in words for line in (found.worried, found.minors, found.childhelp.note, "AYUDA", NUMBER))
        and all(option.href in links for option in options)
        and "/worried" in links
    )


@pytest.mark.parametrize("locale", ["en", "es"])
def test_every_help_page_names_all_services_in_each_language(site, locale):
    refusals = site.extensions["refusals"]
    last_resort = static_error_page(site)
    urgent = Visitor(site).post("/check/hopelessness", {"hopelessness": "3"})
    help_now, worried = (Visitor(site).get(address) for address in ("/help-now", "/worried"))
    static = [
        last_resort,
        *(b"".join(refusals({"REQUEST_METHOD": method}, lambda *args: None)).decode() for method in ("GET", "POST")),
    ]
    for page in (urgent.text, help_now.text, worried.text, *static):
        assert shown_help(BeautifulSoup(page, "html.parser"), locale), page[:400]


@pytest.mark.parametrize(
    ("locale", "heading"), [("en", "Are you worried about someone?"), ("es", "¿Se preocupa por alguien?")]
)
def test_worried_page_says_how_to_help_someone_else(site, locale, heading):
    visitor = Visitor(site)
    page = visitor.get("/worried", headers={"Accept-Language": locale})
    assert page.heading == heading and "988" not in page.title
    steps = [step.get_text() for step in page.main.select("ol h3")]
    english = ["Listen", "Ask openly", "Call or text 988 yourself", "In danger, call 911", "Stay in touch"]
    assert steps == english or (locale == "es" and len(steps) == 5)
    links = [link["href"].partition("?")[0] for link in page.main.select("ol a")]
    assert links == ["tel:988", "sms:988", "tel:911"]


@pytest.mark.parametrize("address", ["/", "/help-now", "/about", "/check/sadness", "/consultation", "/nowhere"])
def test_worried_page_is_linked_from_every_page(visitor, address):
    page = visitor.get(address)
    assert page.soup.find("footer").find("a", href="/worried")  # type: ignore[union-attr]
    if address in ("/", "/help-now"):
        assert page.main.find("a", href="/worried")


def test_worried_page_works_without_database_or_known_host(make_site, own_clinic):
    settings = {"DATABASE_URL": "postgresql://site@/none?host=/nowhere", "CLINIC_FILE": own_clinic}
    client = make_site(ALLOWED_HOSTS=("clinic.example",), HTTPS=True, **settings).test_client()
    response = client.get("/worried", base_url="http://192.0.2.5")
    assert response.status_code == 200 and "Set-Cookie" not in response.headers


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
