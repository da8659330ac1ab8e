"""The English and Spanish translations: complete, and checked at startup."""

from __future__ import annotations

import shutil

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from screening.config import ROOT, SettingsError
from screening.i18n.catalogs import CATALOGS, check_catalogs


def extracted() -> set[str]:
    methods = [("screening/**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
    keywords = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
    found = extract_from_dir(str(ROOT), methods, keywords=keywords, directory_filter=lambda name: ".venv" not in name)
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


def test_translation_template_holds_every_message():
    with (CATALOGS / "messages.pot").open("rb") as file:
        template = {m.id if isinstance(m.id, str) else m.id[0] for m in read_po(file) if m.id}
    assert template == extracted(), "run make translations"


def test_spanish_catalog_has_no_fuzzy_messages():
    with (CATALOGS / "es" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        assert not [message.id for message in read_po(file, locale="es") if message.fuzzy and message.id]


def test_uncompiled_translation_stops_startup(tmp_path):
    shutil.copytree(CATALOGS, tmp_path / "translations")
    po = tmp_path / "translations" / "es" / "LC_MESSAGES" / "messages.po"
    po.write_text(po.read_text(encoding="utf-8").replace("Empezar el chequeo", "Comenzar"), encoding="utf-8")
    with pytest.raises(SettingsError, match="not compiled since the last change: run make translations"):
        check_catalogs(("en", "es"), tmp_path / "translations")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('msgstr "Empezar el chequeo"', 'msgstr ""'),
        ('msgstr "Llámenos al %(number)s"', 'msgstr "Llámenos al %(numero)s"'),
        ('msgstr[1] "%(num)s preguntas que prefirió no contestar"', 'msgstr[1] ""'),
    ],
)
def test_missing_or_broken_translation_stops_startup(tmp_path, old, new):
    shutil.copytree(CATALOGS, tmp_path / "translations")
    po = tmp_path / "translations" / "es" / "LC_MESSAGES" / "messages.po"
    text = po.read_text(encoding="utf-8")
    assert old in text
    po.write_text(text.replace(old, new), encoding="utf-8")
    with po.open("rb") as file, po.with_suffix(".mo").open("wb") as compiled:
        write_mo(compiled, read_po(file, locale="es"))
    with pytest.raises(SettingsError, match="translations: es: no translation"):
        check_catalogs(("en", "es"), tmp_path / "translations")


def test_locale_without_catalog_stops_startup():
    with pytest.raises(SettingsError, match="translations: fr: cannot be read"):
        check_catalogs(("en", "fr"))
