"""The clinic file: validation, and its values on pages."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screening.clinic import DEMO, SHADES, load
from screening.colors import contrast, luminance, mixed
from screening.config import SettingsError
from tests.support.visitor import Visitor

SOURCE = DEMO.read_text(encoding="utf-8")

MISTAKES = {
    "unknown field": ("demo = true", "demo = true\nfax = 1", r"fax: is not a field"),
    "no name": ('name = "Demo Spine and Pain Clinic"', "", r"name: is missing"),
    "name of two lines": ('"Demo Spine and', '"Demo\\nSpine and', r"clinic\.toml: name: must be one line"),
    "address of two lines": ('"1 Example Street, ', '"1 Example Street\\n', r"clinic\.toml: address: must be one line"),
    "header in a name": ('mail_name = "Demo', 'mail_name = "Demo\\r\\nBcc: a', r"clinic\.toml: mail_name: must be one line"),
    "separator": ('mail_name = "Demo', 'mail_name = "Demo\\u2028', r"clinic\.toml: mail_name: must be one line"),
    "phone": ('phone = "+1 303 555 0100"', 'phone = "call us"', r"phone: must be a phone number"),
    "country": ('country = "US"', 'country = "USA"', r"country: must be a two-letter"),
    "time zone": ("America/Denver", "Mars/Olympus", r"time_zone: must be a name such as"),
    "hours": ('monday = ["08:00", "17:00"]', 'monday = ["17:00", "08:00"]', r"hours\.monday: must open before"),
    "hours text": ('monday = ["08:00", "17:00"]', 'monday = "morning"', r"hours\.monday: must be two times"),
    "three times": ('monday = ["08:00", ', 'monday = ["08:00", "12:00", ', r"hours\.monday: must be two .*, or four, "),
    "break": ('monday = ["08:00", ', 'monday = ["08:00", "13:00", "12:00", ', r"hours\.monday: must open before .* later"),
    "zone in hours": ('monday = ["08:00", ', 'monday = ["08:00+02:00", ', r"hours\.monday: must open before"),
    "day": ('monday = ["08', 'moonday = ["08', r"hours\.moonday: is not one of monday"),
    "holiday": ('holidays = "US"', 'holidays = ["Thanksgiving"]', r'holidays: must be a country such as "US", or a list'),
    "country of holidays": ('holidays = "US"', 'holidays = "Mars"', r'holidays: must be a country such as "US", or a list'),
    "holidays as number": ('holidays = "US"', "holidays = 5", r'holidays: must be a country such as "US", or a list'),
    "closed day": ("closed_on = []", 'closed_on = "2026-12-24"', r"closed_on: must be a list of dates such as"),
    "open day": ("open_on = []", 'open_on = ["Friday"]', r"open_on: must be a list of dates such as"),
    "open and closed": ("closed_on = []\nopen_on = []", 'closed_on = ["2026-12-24"]\nopen_on = ["2026-12-24"]', r"open_on: names 2026-12-24, which closed_on names"),
    "site": ("https://www.weather.gov/", "http://www.weather.gov/", r"neutral_site: must be an address"),
    "policy breaker": ("https://www.weather.gov/", "https://a.example/; script-src *", r"neutral_site: must be an address"),
    "colour": ('day = "#0e525c"', 'day = "teal"', r"accent\.day: must be a color"),
    "pale by day": ('day = "#0e525c"', 'day = "#5fa8b0"', r"accent\.day: #5fa8b0 has a contrast of \d\.\d with"),
    "dark by night": ('night = "#8ccfd4"', 'night = "#0e525c"', r"accent\.night: #0e525c has a contrast of"),
    "contact": ('security_contact = ""', 'security_contact = "call us"', r"security_contact: must be an address such as"),
    "http contact": ('security_contact = ""', 'security_contact = "http://a.example/"', r"security_contact: must be"),
    "bare mail": ('security_contact = ""', 'security_contact = "a@clinic.example"', r"security_contact: must be"),
    "bad mail": ('security_contact = ""', 'security_contact = "mailto:a clinic"', r"security_contact: must be"),
    "more lines": ('security_contact = ""', 'security_contact = "tel:+13035\\nPolicy: x"', r"security_contact: must be"),
    "number": ('security_contact = ""', "security_contact = 5", r"security_contact: must be"),
    "notice": ('privacy_notice = ""', 'privacy_notice = "notice.pdf"', r"privacy_notice: must be an address"),
    "rights": ('nondiscrimination_notice = ""', "nondiscrimination_notice = 1", r"nondiscrimination_notice: must be"),
    "languages": ('language_help_notice = ""', 'language_help_notice = "http://a.example"', r"language_help_notice: must"),
    "rules": ('security_policy = ""', 'security_policy = "SECURITY.md"', r"security_policy: must be an address"),
    "not TOML": ("demo = true", "demo = ", r"clinic\.toml: "),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_clinic_file_error_names_the_field_in_a_single_line(tmp_path, mistake):
    old, new, message = MISTAKES[mistake]
    assert old in SOURCE
    file = tmp_path / "clinic.toml"
    file.write_text(SOURCE.replace(old, new, 1))
    with pytest.raises(SettingsError) as refusal:
        load(file)
    assert re.search(message, str(refusal.value)), str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_missing_clinic_file_shows_demo_clinic_with_notice(visitor):
    page = visitor.get("/")
    assert "Demo" in page.title and "This is a demo" in page.text


def test_pages_show_clinic_name_phone_and_accent_color(make_site, tmp_path):
    file = tmp_path / "clinic.toml"
    text = SOURCE.replace("demo = true", "").replace("Demo Spine and Pain Clinic", "Clinic <of> Tests")
    file.write_text(text.replace("#0e525c", "#5a2a6b").replace("303 555 0100", "303 555 0199"))
    visitor = Visitor(make_site(CLINIC_FILE=file))
    page = visitor.get("/")
    assert "Clinic <of> Tests" in page.title and "Clinic &lt;of&gt; Tests" in page.text
    assert "This is a demo" not in page.text
    assert visitor.get("/consultation").soup.find("a", href="tel:+13035550199")
    assert page.soup.find("link", href="/brand.css")
    brand = visitor.client.get("/brand.css")
    assert "--accent:#5a2a6b" in brand.text and brand.mimetype == "text/css"
    for token in ("tint", "pale", "mid"):
        assert len(re.findall(rf"--{token}:#[0-9a-f]{{6}};", brand.text)) == 2, "by day and by night"
        assert f"--{token}:{mixed('#5a2a6b', '#ffffff', SHADES[token])};" in brand.text


@pytest.fixture
def load_with(tmp_path):
    """Return a function that loads the demo clinic's file with other holidays."""

    def load_with(holidays, closed_on="[]", open_on="[]"):
        file = tmp_path / "clinic.toml"
        lines = f"holidays = {holidays}\nclosed_on = {closed_on}\nopen_on = {open_on}\n"
        file.write_text(SOURCE.replace('holidays = "US"\nclosed_on = []\nopen_on = []\n', lines))
        return load(file)

    return load_with


def test_own_days_are_closed_or_open_beside_the_holidays(load_with):
    public = load_with('"US"').holiday_dates
    assert date(2026, 11, 26) in public and date(2026, 11, 27) not in public and date(2027, 7, 5) in public
    own = load_with('"US"', '["2026-11-27"]', '["2026-11-11", "2026-10-12"]').holiday_dates
    assert own == (public | {date(2026, 11, 27)}) - {date(2026, 11, 11), date(2026, 10, 12)}
    assert load_with('["2026-11-26"]', '["2026-12-24"]').holiday_dates == {date(2026, 11, 26), date(2026, 12, 24)}
    assert load_with("[]").holidays == ()
    named = load_with('["2026-11-26"]', '["2026-12-24 Christmas Eve"]').holidays
    assert named == ((date(2026, 11, 26), ""), (date(2026, 12, 24), "Christmas Eve"))


colors = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@given(color=colors, ground=colors)
def test_shades_lie_between_color_and_ground(color, ground):
    assert mixed(color, ground, 1) == color and mixed(color, ground, 0) == ground
    low, high = sorted((luminance(color), luminance(ground)))
    if all((int(color[at : at + 2], 16) <= int(ground[at : at + 2], 16)) for at in (1, 3, 5)):
        assert low <= luminance(mixed(color, ground, 0.3)) <= high


def test_accent_too_weak_on_its_own_tint_is_refused(tmp_path):
    file = tmp_path / "clinic.toml"
    file.write_text(SOURCE.replace('night = "#8ccfd4"', 'night = "#757f7f"'))
    with pytest.raises(SettingsError, match=r"accent\.night: #757f7f has a contrast of"):
        load(file)
    accent = load(tmp_path / "none.toml").accent
    assert contrast(accent.day, accent.day_shades["tint"]) >= 7
    assert contrast(accent.night, accent.night_shades["tint"]) >= 7


NOTICES = {
    "privacy_notice": {"en": "Notice of privacy practices", "es": "Aviso de privacidad"},
    "nondiscrimination_notice": {"en": "Nondiscrimination notice", "es": "No discriminación"},
    "language_help_notice": {"en": "Free language help", "es": "Ayuda gratis con el idioma"},
}


@pytest.mark.parametrize("lang", ["en", "es"])
@pytest.mark.parametrize("given", [(), ("privacy_notice",), tuple(NOTICES)])
def test_footer_links_each_notice_that_is_given(make_site, tmp_path, lang, given):
    file, text = tmp_path / "clinic.toml", SOURCE
    for field in given:
        text = text.replace(f'{field} = ""', f'{field} = "https://www.clinic.example/{field}"')
    file.write_text(text)
    visitor = Visitor(make_site(CLINIC_FILE=file))
    for address in ("/", "/check/sadness", "/about", "/consultation", "/nowhere"):
        footer = visitor.get(f"{address}?lang={lang}").soup.find("footer")
        links = {link["href"]: link.get_text() for link in footer.find_all("a", href=re.compile("^https"))}  # type: ignore[union-attr]
        assert links == {f"https://www.clinic.example/{field}": NOTICES[field][lang] for field in given}, address


def test_about_page_states_opening_hours_in_both_languages(visitor):
    assert "Monday to Friday, 8:00" in visitor.get("/about").words
    words = visitor.get("/about?lang=es").words.replace("\u202f", " ")
    assert "De lunes a viernes, de 8:00 a. m. a 5:00 p. m. Llámenos" in words, "one period ends hour and sentence"


def test_footer_states_the_hours_around_a_lunch_break(make_site, tmp_path):
    file = tmp_path / "clinic.toml"
    file.write_text(SOURCE.replace('friday = ["08:00", "17:00"]', 'friday = ["08:00", "12:00", "13:30", "15:00"]'))
    visitor = Visitor(make_site(CLINIC_FILE=file))
    words = visitor.get("/about").words.replace("\u202f", " ").replace("\xa0", " ")
    assert "5:00 PM; Friday, 8:00 AM to 12:00 PM and 1:30 PM to 3:00 PM. " in words
    words = visitor.get("/about?lang=es").words.replace("\u202f", " ").replace("\xa0", " ")
    assert "viernes, de 8:00 a. m. a 12:00 p. m. y de 1:30 p. m. a 3:00 p. m. Ll" in words


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48)])
def test_contrast_ratio_matches_wcag_values(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01) == contrast(other, one)
